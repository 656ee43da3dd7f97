//! Where a product is reached.

use std::fmt;
use std::net::IpAddr;

use crate::Error;

/// Scheme and host of a product.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Endpoint {
    https: bool,
    /// Host and, unless it is the scheme's own, port: what the `host` header says.
    host: String,
    loopback: bool,
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme(), self.host)
    }
}

impl Endpoint {
    /// An HTTPS endpoint by host name.
    pub(crate) fn https(host: String) -> Self {
        Self {
            https: true,
            host,
            loopback: false,
        }
    }

    /// Reads `https://host[:port]`; plain `http` is for loopback hosts only, since requests hold secrets.
    pub(crate) fn parse(url: &str) -> Result<Self, Error> {
        let wrong =
            |why: &str| Error::Configuration(format!("endpoint {url:?} {why}; write https://host[:port]"));
        let uri: http::Uri = url.trim().parse().map_err(|_| wrong("is not a URL"))?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(wrong("lacks scheme or host"));
        };
        if authority.as_str().contains('@') {
            return Err(wrong("holds a user name"));
        }
        if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
            return Err(wrong("has a path or a query"));
        }
        let (https, default_port) = match scheme {
            "https" => (true, 443),
            "http" => (false, 80),
            _ => return Err(wrong("is neither http nor https")),
        };
        let loopback = is_loopback(authority.host());
        if !https && !loopback {
            return Err(wrong(
                "is plain http, which only loopback hosts may be: requests hold secrets",
            ));
        }
        let host = authority.host().to_ascii_lowercase();
        let host = match authority.port_u16() {
            Some(port) if port != default_port => format!("{host}:{port}"),
            _ => host,
        };
        Ok(Self {
            https,
            host,
            loopback,
        })
    }

    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    pub(crate) fn is_https(&self) -> bool {
        self.https
    }

    pub(crate) fn is_loopback(&self) -> bool {
        self.loopback
    }

    pub(crate) fn url(&self, query: &str) -> String {
        format!("{}://{}/?{query}", self.scheme(), self.host)
    }

    fn scheme(&self) -> &'static str {
        if self.https { "https" } else { "http" }
    }
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare.eq_ignore_ascii_case("localhost")
        || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_become_schemes_and_host_headers() {
        for (url, shown, loopback) in [
            (
                "https://alb.cn-hangzhou.aliyuncs.com",
                "https://alb.cn-hangzhou.aliyuncs.com",
                false,
            ),
            ("https://alb.example/", "https://alb.example", false),
            ("https://ALB.example:443", "https://alb.example", false),
            ("https://alb.example:8443", "https://alb.example:8443", false),
            ("http://localhost:8080", "http://localhost:8080", true),
            ("http://127.0.0.7", "http://127.0.0.7", true),
            ("http://[::1]:9000", "http://[::1]:9000", true),
            ("https://127.0.0.1:9000", "https://127.0.0.1:9000", true),
        ] {
            let endpoint = Endpoint::parse(url).unwrap();
            assert_eq!(format!("{endpoint:?}"), shown, "{url}");
            assert_eq!(endpoint.is_loopback(), loopback, "{url}");
        }
    }

    #[test]
    fn unsafe_and_malformed_urls_are_refused_with_the_reason() {
        for (url, reason) in [
            ("http://alb.cn-hangzhou.aliyuncs.com", "plain http"),
            ("http://127.0.0.1.example", "plain http"),
            ("http://localhost.example", "plain http"),
            ("http://10.0.0.1", "plain http"),
            ("ftp://localhost", "neither"),
            ("alb.cn-hangzhou.aliyuncs.com", "lacks scheme"),
            ("https://user:secret@alb.example", "user name"),
            ("https://alb.example/path", "path"),
            ("https://alb.example/?a=b", "query"),
            ("", "not a URL"),
        ] {
            let error = Endpoint::parse(url).unwrap_err().to_string();
            assert!(error.contains(reason), "{url}: {error}");
        }
    }
}
