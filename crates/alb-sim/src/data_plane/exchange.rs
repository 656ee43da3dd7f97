//! One request while it is worked on: what came in, what has been tried, what the access log will say.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use alb_model::route;
use http::{HeaderMap, HeaderValue, Method, Request, request};
use http_body::Body as _;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use jiff::Timestamp;

use super::access_log::AccessLogEntry;
use super::body::{self, Body, Progress, RequestBody};
use super::client_certificate::ClientCertificate;
use super::headers::{self, Origin};
use super::server::Server;
use super::view::ListenerView;

/// A request on its way.
pub(super) struct Exchange {
    pub(super) head: request::Parts,
    /// `Host` as received, port included.
    pub(super) host: String,
    pub(super) peer: SocketAddr,
    pub(super) client_ip: IpAddr,
    client_certificate: Option<Arc<ClientCertificate>>,
    pub(super) progress: Arc<Progress>,
    /// The protocol the client asks to switch to, and its side of the tunnel.
    pub(super) upgrade: Option<(HeaderValue, OnUpgrade)>,
    body: BodyState,
    /// Nothing follows the head, so that it can be sent again.
    bodiless: bool,
    /// Servers that could not be reached, and what was wrong with the last of them.
    pub(super) tried: Vec<Arc<Server>>,
    pub(super) last_failure: Option<String>,
    pub(super) trace: Trace,
}

enum BodyState {
    /// Not given to any server yet.
    Unread(RequestBody),
    /// Given back unread by a server that could not be reached.
    Returned(Body),
    /// Gone.
    Sent,
}

/// What the access log says beyond the request itself.
#[derive(Default)]
pub(super) struct Trace {
    pub(super) rule: Option<(Option<String>, String)>,
    pub(super) group: Option<String>,
    pub(super) server: Option<String>,
    pub(super) attempts: u32,
    pub(super) error: Option<String>,
}

impl Exchange {
    pub(super) fn new(
        mut request: Request<Incoming>,
        peer: SocketAddr,
        client_certificate: Option<Arc<ClientCertificate>>,
    ) -> Self {
        let upgrade = headers::upgrade(request.headers())
            .filter(|_| request.version() == http::Version::HTTP_11)
            .map(|protocol| (protocol, hyper::upgrade::on(&mut request)));
        let (head, incoming) = request.into_parts();
        let host = head.uri.authority().map_or_else(
            || text(head.headers.get(http::header::HOST)).to_owned(),
            |authority| authority.as_str().to_owned(),
        );
        let progress = Progress::new();
        Self {
            host,
            peer,
            client_ip: peer.ip().to_canonical(),
            client_certificate,
            upgrade,
            bodiless: incoming.is_end_stream(),
            body: BodyState::Unread(RequestBody::new(incoming, Arc::clone(&progress))),
            progress,
            tried: Vec::new(),
            last_failure: None,
            trace: Trace::default(),
            head,
        }
    }

    /// Host without port.
    pub(super) fn host_name(&self) -> &str {
        without_port(&self.host)
    }

    /// Asks the router something about this request.
    pub(super) fn ask<T>(&self, view: &ListenerView, question: impl FnOnce(&route::Request<'_>) -> T) -> T {
        let headers = pairs(&self.head.headers);
        question(&route::Request {
            method: self.head.method.as_str(),
            scheme: route::Scheme::of(view.listener.protocol),
            host: self.host_name(),
            port: view.listener.port,
            path: self.head.uri.path(),
            query: self.head.uri.query().unwrap_or(""),
            headers: &headers,
            source_ip: self.client_ip,
        })
    }

    /// Where it came from, for headers.
    pub(super) fn origin<'a>(&'a self, view: &'a ListenerView) -> Origin<'a> {
        Origin {
            lb_id: &view.lb_id,
            listener: &view.listener,
            peer: self.peer,
            client_ip: self.client_ip,
            host: &self.host,
            client_certificate: self.client_certificate.as_deref(),
        }
    }

    /// Whether it may be sent again after a server may have seen it: it changes nothing when repeated, and there is no
    /// body that is gone.
    pub(super) fn is_replayable(&self) -> bool {
        let idempotent = matches!(
            self.head.method,
            Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE | Method::PUT | Method::DELETE
        );
        idempotent && self.bodiless
    }

    /// Whether nothing follows the head.
    pub(super) fn is_bodiless(&self) -> bool {
        self.bodiless
    }

    /// The body, for one attempt.
    pub(super) fn take_body(&mut self) -> Body {
        match std::mem::replace(&mut self.body, BodyState::Sent) {
            _ if self.bodiless => body::empty(),
            BodyState::Unread(unread) => unread.boxed_unsync(),
            BodyState::Returned(unread) => unread,
            BodyState::Sent => body::empty(),
        }
    }

    /// Takes the body back from a server that has not seen it.
    pub(super) fn return_body(&mut self, unread: Body) {
        self.body = BodyState::Returned(unread);
    }

    /// A copy of the body, for a mirror; possible until the body is taken for the first time.
    pub(super) fn copy_body(&mut self) -> Option<Body> {
        match &mut self.body {
            BodyState::Unread(unread) => Some(unread.copy()),
            BodyState::Returned(_) | BodyState::Sent => None,
        }
    }

    /// What the access log says.
    pub(super) fn log_entry(
        self,
        (time, started): (Timestamp, Instant),
        view: &ListenerView,
        status: http::StatusCode,
    ) -> AccessLogEntry {
        let (rule_id, rule_name) = self.trace.rule.unzip();
        AccessLogEntry {
            time,
            load_balancer_id: view.lb_id.to_string(),
            listener_id: view.listener.id.clone().unwrap_or_default(),
            listener_port: view.listener.port,
            listener_protocol: view.listener.protocol,
            rule_id: rule_id.flatten(),
            rule_name,
            server_group_id: self.trace.group,
            server: self.trace.server,
            client: self.peer,
            method: self.head.method.as_str().to_owned(),
            path: self.head.uri.path().to_owned(),
            query: self.head.uri.query().unwrap_or("").to_owned(),
            host: self.host,
            status: status.as_u16(),
            attempts: self.trace.attempts,
            duration_us: started.elapsed().as_micros() as u64,
            error: self.trace.error,
        }
    }
}

/// Headers as the router reads them. A value that is not UTF-8 matches nothing but `*`.
pub(super) fn pairs(headers: &HeaderMap) -> Vec<(&str, &str)> {
    headers
        .iter()
        .map(|(name, value)| (name.as_str(), text(Some(value))))
        .collect()
}

fn text(value: Option<&HeaderValue>) -> &str {
    value
        .and_then(|value| std::str::from_utf8(value.as_bytes()).ok())
        .unwrap_or("")
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        // The colons of an IPv6 literal stand inside brackets.
        Some((name, port)) if !port.contains(']') => name,
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::without_port;

    #[test]
    fn the_port_of_a_host_does_not_count() {
        for (host, name) in [
            ("a.example", "a.example"),
            ("a.example:8080", "a.example"),
            ("[::1]:80", "[::1]"),
            ("[::1]", "[::1]"),
            ("", ""),
        ] {
            assert_eq!(without_port(host), name);
        }
    }
}
