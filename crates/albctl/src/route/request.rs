//! Requests as people and files write them.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use alb_model::Scheme;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Address of a client nobody named: one that is reserved for documentation.
const SOMEBODY: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

/// A request to be routed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteRequest {
    /// What its answer is found by: any JSON value; `null` if it has none.
    pub id: Value,
    /// Method.
    pub method: String,
    /// Scheme.
    pub scheme: Scheme,
    /// Host without port.
    pub host: String,
    /// Port of the listener.
    pub port: u16,
    /// Path without query.
    pub path: String,
    /// Query without `?`.
    pub query: String,
    /// Headers.
    pub headers: Vec<(String, String)>,
    /// Address of the client.
    pub source_ip: IpAddr,
}

/// A request that can't be read: what is wrong and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestError(String);

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for RequestError {}

/// A request as a file has it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    id: Value,
    method: Option<String>,
    scheme: Option<Scheme>,
    host: String,
    port: Option<u16>,
    path: String,
    query: Option<String>,
    #[serde(default)]
    headers: Map<String, Value>,
    source_ip: Option<IpAddr>,
}

impl RouteRequest {
    /// Reads a list of requests: `[{"id", "method", "scheme", "host", "port", "path", "query", "headers", "source_ip"}]`,
    /// all but host and path optional.
    ///
    /// # Errors
    /// The text is no JSON list, or a request of it is wrong; the message names it.
    pub fn list(json: &str) -> Result<Vec<Self>, RequestError> {
        let items: Vec<Value> = serde_json::from_str(json)
            .map_err(|error| RequestError(format!("this is no JSON list of requests: {error}")))?;
        let read = |(number, item): (usize, Value)| {
            let wrong = |error: &dyn fmt::Display| {
                RequestError(format!(
                    "request {number}: {error}; write {{\"host\": \"example.com\", \"path\": \"/\"}} and, as needed, id, \
                     method, scheme (http, https), port, query, headers, source_ip"
                ))
            };
            let written: Written = serde_json::from_value(item).map_err(|error| wrong(&error))?;
            Self::from_written(written).map_err(|error| wrong(&error))
        };
        items.into_iter().enumerate().map(read).collect()
    }

    fn from_written(written: Written) -> Result<Self, RequestError> {
        let (host, host_port) = split_port(&written.host)?;
        let scheme = written.scheme.unwrap_or(match written.port.or(host_port) {
            Some(443) => Scheme::Https,
            _ => Scheme::Http,
        });
        let (path, query) = match (written.path.split_once('?'), written.query) {
            (Some((path, query)), None) => (path.to_owned(), query.to_owned()),
            (_, query) => (written.path, query.unwrap_or_default()),
        };
        let mut headers = Vec::new();
        for (name, value) in written.headers {
            let values = match value {
                Value::Array(values) => values,
                other => vec![other],
            };
            for value in values {
                let text = match value {
                    Value::String(text) => text,
                    Value::Number(number) => number.to_string(),
                    Value::Bool(flag) => flag.to_string(),
                    _ => {
                        return Err(RequestError(format!(
                            "header {name} is neither a text nor a list of texts"
                        )));
                    }
                };
                headers.push((name.clone(), text));
            }
        }
        Ok(Self {
            id: written.id,
            method: written
                .method
                .unwrap_or_else(|| "GET".into())
                .to_ascii_uppercase(),
            scheme,
            host,
            port: written.port.or(host_port).unwrap_or(default_port(scheme)),
            path: rooted(path),
            query: query.strip_prefix('?').map_or(query.clone(), str::to_owned),
            headers,
            source_ip: written.source_ip.unwrap_or(SOMEBODY),
        })
    }

    /// Reads `GET https://example.com:8443/path?x=1`; the method is optional.
    ///
    /// # Errors
    /// It is none such.
    pub fn parse(text: &str) -> Result<Self, RequestError> {
        let text = text.trim();
        let (method, url) = match text.split_once(char::is_whitespace) {
            Some((method, url)) => (method, url.trim()),
            None => ("GET", text),
        };
        let unreadable = || {
            RequestError(format!(
                "{text:?} is no request; write one such as 'GET https://example.com/path?x=1'"
            ))
        };
        let (scheme, rest) = url.split_once("://").ok_or_else(unreadable)?;
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            other => {
                return Err(RequestError(format!(
                    "scheme {other:?} is unknown; write http or https"
                )));
            }
        };
        let rest = rest.split('#').next().unwrap_or_default();
        let (authority, target) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let (host, port) = split_port(authority)?;
        if host.is_empty() || url.contains(char::is_whitespace) {
            return Err(unreadable());
        }
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        Ok(Self {
            id: Value::Null,
            method: method.to_ascii_uppercase(),
            scheme,
            host,
            port: port.unwrap_or(default_port(scheme)),
            path: rooted(path.to_owned()),
            query: query.to_owned(),
            headers: Vec::new(),
            source_ip: SOMEBODY,
        })
    }

    /// Adds a header written `name: value`.
    ///
    /// # Errors
    /// There is no colon.
    pub fn add_header(&mut self, text: &str) -> Result<(), RequestError> {
        let (name, value) = text
            .split_once(':')
            .ok_or_else(|| RequestError(format!("{text:?} is no header; write 'name: value'")))?;
        self.headers
            .push((name.trim().to_owned(), value.trim().to_owned()));
        Ok(())
    }

    /// The request for the matching semantics of ALB.
    pub(crate) fn with<T>(&self, answer: impl FnOnce(&alb_model::Request<'_>) -> T) -> T {
        let headers: Vec<(&str, &str)> = self
            .headers
            .iter()
            .map(|(k, v)| (k.as_str(), v.as_str()))
            .collect();
        answer(&alb_model::Request {
            method: &self.method,
            scheme: self.scheme,
            host: &self.host,
            port: self.port,
            path: &self.path,
            query: &self.query,
            headers: &headers,
            source_ip: self.source_ip,
        })
    }
}

impl fmt::Display for RouteRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}://{}", self.method, self.scheme.as_str(), self.host)?;
        if self.port != default_port(self.scheme) {
            write!(f, ":{}", self.port)?;
        }
        f.write_str(&self.path)?;
        if !self.query.is_empty() {
            write!(f, "?{}", self.query)?;
        }
        Ok(())
    }
}

impl Serialize for RouteRequest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

const fn default_port(scheme: Scheme) -> u16 {
    match scheme {
        Scheme::Http => 80,
        Scheme::Https => 443,
    }
}

fn rooted(path: String) -> String {
    if path.is_empty() { "/".into() } else { path }
}

/// Host and port of `example.com:8080` and `[::1]:8080`.
fn split_port(authority: &str) -> Result<(String, Option<u16>), RequestError> {
    let split = match authority.rfind(']') {
        Some(end) => authority[end..].find(':').map(|at| end + at),
        None => authority.rfind(':'),
    };
    let Some(at) = split else {
        return Ok((authority.to_owned(), None));
    };
    let port = authority[at + 1..].parse::<u16>().ok().filter(|port| *port > 0);
    let port = port.ok_or_else(|| {
        RequestError(format!(
            "{:?} is no port; write a number from 1 to 65535",
            &authority[at + 1..]
        ))
    })?;
    Ok((authority[..at].to_owned(), Some(port)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_as_written() {
        for (text, shown) in [
            ("GET https://a.com/x?y=1", "GET https://a.com/x?y=1"),
            ("post http://a.com:8080", "POST http://a.com:8080/"),
            ("https://a.com:443?x", "GET https://a.com/?x"),
            (
                "http://[::1]:81/a%20b/../c#part",
                "GET http://[::1]:81/a%20b/../c",
            ),
        ] {
            assert_eq!(RouteRequest::parse(text).unwrap().to_string(), shown);
        }
        for text in [
            "",
            "GET",
            "a.com/x",
            "ftp://a.com/",
            "http:///x",
            "http://a.com:0/",
            "GET http://a b/",
        ] {
            assert!(RouteRequest::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn files_need_host_and_path_only() {
        let list = RouteRequest::list(
            r#"[{"host": "a.com", "path": "/x?y=1"},
                {"id": 7, "host": "a.com:8443", "path": "/", "scheme": "https", "headers": {"a": ["1", "2"], "b": 3}}]"#,
        )
        .unwrap();
        assert_eq!(list[0].to_string(), "GET http://a.com/x?y=1");
        assert_eq!(list[0].query, "y=1");
        assert_eq!(list[1].to_string(), "GET https://a.com:8443/");
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            list[1].headers,
            [header("a", "1"), header("a", "2"), header("b", "3")]
        );
        for (text, says) in [
            ("{}", "no JSON list"),
            ("[{}]", "request 0: missing field `host`"),
            (
                r#"[{"host": "a", "path": "/", "methd": "GET"}]"#,
                "unknown field `methd`",
            ),
            (
                r#"[{"host": "a", "path": "/", "headers": {"a": null}}]"#,
                "header a is neither",
            ),
        ] {
            let error = RouteRequest::list(text).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
    }
}
