//! Headers on their way: hop-by-hop ones go, forwarding ones come, edits of rules are made.

use std::net::{IpAddr, SocketAddr};

use alb_model::route::{HeaderEdit, HeaderValue as EditValue, SystemValue};
use alb_model::{Listener, XForwardedFor};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use ipnet::IpNet;

use super::client_certificate::ClientCertificate;

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Who sent a request, and where it came in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Origin<'a> {
    pub(super) lb_id: &'a str,
    pub(super) listener: &'a Listener,
    /// Socket of the peer.
    pub(super) peer: SocketAddr,
    /// Address of the client: the peer's, or one from `X-Forwarded-For`.
    pub(super) client_ip: IpAddr,
    /// `Host` as received.
    pub(super) host: &'a str,
    /// The client's certificate, if the listener verifies its clients.
    pub(super) client_certificate: Option<&'a ClientCertificate>,
}

/// The protocol a request asks to switch to (`Connection: upgrade`).
pub(super) fn upgrade(headers: &HeaderMap) -> Option<HeaderValue> {
    let asked = connection_tokens(headers).any(|token| token.eq_ignore_ascii_case("upgrade"));
    headers.get(header::UPGRADE).filter(|_| asked).cloned()
}

fn connection_tokens(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .map(str::trim)
}

/// Removes what is meant for one connection only. `TE: trailers` stays, gRPC needs it.
pub(super) fn remove_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = connection_tokens(headers)
        .filter_map(|token| token.parse().ok())
        .filter(|name| *name != header::TE)
        .collect();
    for name in named {
        headers.remove(name);
    }
    let trailers = headers
        .get(header::TE)
        .is_some_and(|te| te.as_bytes().eq_ignore_ascii_case(b"trailers"));
    if !trailers {
        headers.remove(header::TE);
    }
    for name in [
        header::CONNECTION,
        KEEP_ALIVE,
        PROXY_CONNECTION,
        header::TRANSFER_ENCODING,
        header::UPGRADE,
    ] {
        headers.remove(name);
    }
}

/// Address of the client. With `client_source_ips`, the last address in `X-Forwarded-For` that is no trusted proxy; if
/// all are, the first (ALB documentation: `XForwardedForClientSourceIpsEnabled`; the details are unverified).
pub(super) fn client_ip(
    config: &XForwardedFor,
    trusted: &[IpNet],
    headers: &HeaderMap,
    peer: SocketAddr,
) -> IpAddr {
    let peer = peer.ip().to_canonical();
    if !config.client_source_ips {
        return peer;
    }
    let hops: Vec<IpAddr> = headers
        .get_all(X_FORWARDED_FOR)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .filter_map(|hop| hop.trim().parse().ok())
        .collect();
    let is_trusted = |ip: &IpAddr| trusted.iter().any(|net| net.contains(ip));
    hops.iter()
        .rev()
        .find(|hop| !is_trusted(hop))
        .or(hops.first())
        .copied()
        .unwrap_or(peer)
}

/// Sets `X-Forwarded-*` and their kin as the listener says.
pub(super) fn add_forwarded(headers: &mut HeaderMap, origin: &Origin<'_>) {
    let config = &origin.listener.x_forwarded_for;
    if config.processing_mode.as_deref() == Some("remove") {
        headers.remove(X_FORWARDED_FOR);
    } else if config.enabled {
        let hops: Vec<_> = headers
            .get_all(X_FORWARDED_FOR)
            .iter()
            .filter_map(|line| line.to_str().ok())
            .chain([origin.peer.ip().to_canonical().to_string().as_str()])
            .collect::<Vec<_>>()
            .join(", ")
            .into_bytes();
        set(headers, X_FORWARDED_FOR, &hops);
    }
    let scheme = alb_model::route::Scheme::of(origin.listener.protocol).as_str();
    let port = origin.listener.port.to_string();
    let client_port = origin.peer.port().to_string();
    for (enabled, name, value) in [
        (config.host, "x-forwarded-host", origin.host),
        (config.proto, "x-forwarded-proto", scheme),
        (config.slb_id, "slb-id", origin.lb_id),
        (config.slb_port, "x-forwarded-port", &port),
        (config.client_src_port, "x-forwarded-client-srcport", &client_port),
    ] {
        if enabled {
            set(headers, HeaderName::from_static(name), value.as_bytes());
        }
    }
    tell_client_certificate(headers, config, origin.client_certificate);
}

/// Tells the server about the client's certificate, under the names the listener gives. What a client sends under these
/// names is never passed on.
fn tell_client_certificate(
    headers: &mut HeaderMap,
    config: &XForwardedFor,
    certificate: Option<&ClientCertificate>,
) {
    let verified = certificate.map_or("NONE", |_| "SUCCESS");
    for (name, value) in [
        (
            &config.client_cert_subject_dn,
            certificate.map(|c| c.subject_dn.as_str()),
        ),
        (
            &config.client_cert_issuer_dn,
            certificate.map(|c| c.issuer_dn.as_str()),
        ),
        (
            &config.client_cert_fingerprint,
            certificate.map(|c| c.fingerprint.as_str()),
        ),
        (&config.client_cert_client_verify, Some(verified)),
    ] {
        let Some(name) = name.as_ref().and_then(|name| HeaderName::try_from(name).ok()) else {
            continue;
        };
        headers.remove(&name);
        if let Some(value) = value {
            set(headers, name, value.as_bytes());
        }
    }
}

fn set(headers: &mut HeaderMap, name: HeaderName, value: &[u8]) {
    match HeaderValue::from_bytes(value) {
        Ok(value) => {
            headers.insert(name, value);
        }
        Err(_) => tracing::debug!(%name, "header value cannot be sent"),
    }
}

/// Makes the edits of a rule, in their order. What cannot be a header is left out.
pub(super) fn edit(headers: &mut HeaderMap, edits: &[HeaderEdit], origin: &Origin<'_>) {
    for edit in edits {
        let (key, value) = match edit {
            HeaderEdit::Set { key, value } => (key, Some(value)),
            HeaderEdit::SetUnlessThere { key, .. } if headers.contains_key(key) => continue,
            HeaderEdit::SetUnlessThere { key, value } => (key, Some(value)),
            HeaderEdit::Remove { key } => (key, None),
        };
        let Ok(name) = HeaderName::try_from(key) else {
            continue;
        };
        match value {
            None => {
                headers.remove(name);
            }
            Some(EditValue::Text(text)) => set(headers, name, text.as_bytes()),
            Some(EditValue::System(value)) => set(headers, name, system(*value, origin).as_bytes()),
        }
    }
}

fn system(value: SystemValue, origin: &Origin<'_>) -> String {
    match value {
        SystemValue::ClientSrcPort => origin.peer.port().to_string(),
        SystemValue::ClientSrcIp => origin.client_ip.to_string(),
        SystemValue::Protocol => origin.listener.protocol.to_string(),
        SystemValue::SlbId => origin.lb_id.to_owned(),
        SystemValue::SlbPort => origin.listener.port.to_string(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn map(pairs: &[(&str, &str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            let name: HeaderName = name.parse().unwrap();
            map.append(name, value.parse().unwrap());
        }
        map
    }

    #[test]
    fn headers_for_one_connection_are_removed_with_those_they_name() {
        let mut headers = map(&[
            ("connection", "keep-alive, X-Private"),
            ("connection", "upgrade, TE"),
            ("keep-alive", "timeout=5"),
            ("x-private", "1"),
            ("upgrade", "websocket"),
            ("te", "trailers"),
            ("transfer-encoding", "chunked"),
            ("x-public", "1"),
        ]);
        assert_eq!(upgrade(&headers).unwrap(), "websocket");
        remove_hop_by_hop(&mut headers);
        assert_eq!(headers, map(&[("te", "trailers"), ("x-public", "1")]));
    }

    #[test]
    fn the_client_is_the_last_hop_that_is_no_trusted_proxy() {
        let config = XForwardedFor {
            client_source_ips: true,
            ..XForwardedFor::default()
        };
        let trusted: Vec<IpNet> = vec!["10.0.0.0/8".parse().unwrap()];
        let peer: SocketAddr = "127.0.0.1:5000".parse().unwrap();
        let ip = |config: &XForwardedFor, hops: &str| {
            client_ip(config, &trusted, &map(&[("x-forwarded-for", hops)]), peer).to_string()
        };
        assert_eq!(ip(&config, "192.0.2.1, 203.0.113.7, 10.0.0.1"), "203.0.113.7");
        assert_eq!(ip(&config, "10.0.0.2, 10.0.0.1"), "10.0.0.2");
        assert_eq!(ip(&config, "unknown"), "127.0.0.1");
        assert_eq!(ip(&XForwardedFor::default(), "192.0.2.1"), "127.0.0.1");
    }
}
