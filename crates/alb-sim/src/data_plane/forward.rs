//! Forwarding a request to a server, and to the next one when it cannot be reached.
//!
//! When is a request sent to another server? If nothing of it was sent (no connection, or an idle connection that had
//! been closed), always. If the connection broke before any answer, only a request without a body whose method is
//! idempotent (RFC 9110 §9.2.2). ALB's documentation does not say what a real instance does; the proxies it is built
//! from do the same. A server that was tried is not tried again, and every further attempt looks at the newest world,
//! so that a server that has just been removed costs no request.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use alb_model::route::RequestEdits;
use alb_model::{BackendProtocol, ServerGroup, ServerGroupRef, Target};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Uri, Version, header, request};
use hyper::body::Incoming;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use super::body::{self, Body, Progress};
use super::cookie;
use super::exchange::{Exchange, pairs};
use super::group::{Choice, Group};
use super::headers;
use super::mirror;
use super::proxy::{Connection, Refusal};
use super::server::{ActiveGuard, Server};
use super::tunnel;
use super::upstream::SendError;
use super::view::{ListenerView, RuleState};

/// A decision to forward, with the view it was made in.
pub(super) struct Forward<'a> {
    pub(super) view: &'a ListenerView,
    pub(super) rule: Option<&'a RuleState>,
    pub(super) targets: &'a [Target],
    pub(super) sticky_timeout_s: Option<u32>,
    pub(super) edits: &'a RequestEdits,
    pub(super) mirror: &'a [ServerGroupRef],
}

/// Forwards a request. On failure the exchange knows whether it can still be sent elsewhere.
pub(super) async fn forward(
    connection: &Connection,
    forward: &Forward<'_>,
    exchange: &mut Exchange,
) -> Result<Response<Body>, Refusal> {
    let headers = &exchange.head.headers;
    let target = match forward.rule {
        Some(rule) => rule.choose(forward.targets, forward.sticky_timeout_s, headers),
        None => forward.targets.first(),
    };
    let unavailable = |reason: String| Refusal::new(StatusCode::SERVICE_UNAVAILABLE, reason);
    let Some(target) = target else {
        return Err(unavailable("no server group of the rule has a weight".into()).unless_newer_world());
    };
    let Some(group) = forward.view.group(&target.group) else {
        let reason = format!("server group {} does not exist", target.group);
        return Err(unavailable(reason).unless_newer_world());
    };
    exchange.trace.group = Some(group.id().to_owned());
    let asked_group = forward
        .sticky_timeout_s
        .is_some_and(|timeout_s| cookie::asks_for_group(headers, timeout_s, group.id()));

    let mut response = to_group(connection, forward, group, exchange).await?;
    if let Some(timeout_s) = forward.sticky_timeout_s
        && !asked_group
    {
        cookie::keep_group(timeout_s, group.id(), response.headers_mut());
    }
    Ok(response)
}

async fn to_group(
    connection: &Connection,
    forward: &Forward<'_>,
    group: &Arc<Group>,
    exchange: &mut Exchange,
) -> Result<Response<Body>, Refusal> {
    let asked = cookie::sticky_server(group.config().sticky.as_ref(), &exchange.head.headers);
    let limit = Duration::from_secs(forward.view.listener.request_timeout_s.max(1).into());
    let mut broken_before = false;
    loop {
        let server = choose(group, exchange, asked).ok_or_else(|| no_server(group, exchange))?;
        let head = request_head(forward, group.config(), exchange)?;
        if exchange.trace.attempts == 0 {
            mirror::mirror(connection, forward, exchange);
        }
        exchange.trace.attempts += 1;
        exchange.trace.server = Some(server.label());
        let active = server.enter();
        let request = Request::from_parts(head, exchange.take_body());
        let sent = Box::pin(server.upstream.send(request));
        let failure = match within(limit, &exchange.progress, sent).await {
            Some(Ok(response)) => {
                let mut response = deliver(forward, exchange, &server, active, response)?;
                let sticky = group.config().sticky.as_ref();
                cookie::keep_server(sticky, asked, &server, response.headers_mut());
                return Ok(response);
            }
            Some(Err(failure)) => failure,
            None => {
                let reason = format!("server {} did not answer within {limit:?}", server.label());
                return Err(Refusal::new(StatusCode::GATEWAY_TIMEOUT, reason));
            }
        };
        match failure {
            SendError::NotSent(unsent, error) => {
                exchange.last_failure = Some(format!("server {}: {error}", server.label()));
                exchange.return_body(unsent.into_body());
                exchange.tried.push(server);
            }
            SendError::BadRequest(error) => {
                let reason = format!("the request's body cannot be read: {error}");
                return Err(Refusal::new(StatusCode::BAD_REQUEST, reason));
            }
            SendError::Broken { error, cut } => {
                let reason = format!("server {}: {error}", server.label());
                if !(cut && exchange.is_replayable()) {
                    return Err(Refusal::new(StatusCode::BAD_GATEWAY, reason));
                }
                exchange.last_failure = Some(reason);
                // An idle connection may have been closed just then: the server gets a second chance on a new one.
                server.upstream.flush();
                if std::mem::replace(&mut broken_before, true) {
                    exchange.tried.push(server);
                }
            }
        }
    }
}

fn choose(group: &Group, exchange: &Exchange, sticky: Option<u64>) -> Option<Arc<Server>> {
    group.choose(&Choice {
        client_ip: exchange.client_ip,
        query: exchange.head.uri.query().unwrap_or(""),
        sticky,
        tried: &exchange.tried,
    })
}

/// 503 for a group without a server to try, 502 once all have been tried.
fn no_server(group: &Group, exchange: &Exchange) -> Refusal {
    match &exchange.last_failure {
        None => {
            let reason = format!("server group {} has no server with a weight", group.id());
            Refusal::new(StatusCode::SERVICE_UNAVAILABLE, reason)
        }
        Some(failure) => Refusal::new(StatusCode::BAD_GATEWAY, failure.clone()),
    }
    .unless_newer_world()
}

/// Waits for an answer while the request body moves or the limit has not passed since it last did; `None` after that.
async fn within<T>(
    limit: Duration,
    progress: &Progress,
    mut answer: Pin<Box<impl Future<Output = T>>>,
) -> Option<T> {
    loop {
        let left = limit.checked_sub(progress.idle())?;
        if let Ok(answer) = tokio::time::timeout(left, &mut answer).await {
            return Some(answer);
        }
    }
}

/// The head of the request as the server gets it.
pub(super) fn request_head(
    forward: &Forward<'_>,
    group: &ServerGroup,
    exchange: &Exchange,
) -> Result<request::Parts, Refusal> {
    let edits = forward.edits;
    let origin = exchange.origin(forward.view);
    let mut headers = exchange.head.headers.clone();
    headers::remove_hop_by_hop(&mut headers);
    // 100 Continue has been sent to the client by the time its body is read.
    headers.remove(header::EXPECT);
    headers::add_forwarded(&mut headers, &origin);
    headers::edit(&mut headers, &edits.headers, &origin);
    let host = edits.host.as_deref().unwrap_or(&exchange.host);
    let target = target(edits, &exchange.head.uri);

    let request = Request::builder().method(exchange.head.method.clone());
    let request = if group.protocol == BackendProtocol::Grpc {
        headers.remove(header::HOST);
        let uri = Uri::builder()
            .scheme("http")
            .authority(host)
            .path_and_query(target);
        request
            .version(Version::HTTP_2)
            .uri(uri.build().map_err(unforwardable)?)
    } else {
        headers.insert(header::HOST, HeaderValue::try_from(host).map_err(unforwardable)?);
        join_cookies(&mut headers);
        if !exchange.is_bodiless() && !headers.contains_key(header::CONTENT_LENGTH) {
            // Without it, hyper would leave out the body of a GET.
            headers.insert(header::TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
        }
        if let Some((protocol, _)) = &exchange.upgrade {
            headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
            headers.insert(header::UPGRADE, protocol.clone());
        } else if !group.upstream_keepalive {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        request.version(Version::HTTP_11).uri(Uri::from(target))
    };
    let (mut parts, ()) = request.body(()).map_err(unforwardable)?.into_parts();
    parts.headers = headers;
    Ok(parts)
}

fn unforwardable(error: impl std::fmt::Display) -> Refusal {
    Refusal::new(
        StatusCode::BAD_GATEWAY,
        format!("the rewritten request is not valid: {error}"),
    )
}

/// HTTP/2 clients may split cookies over several headers, HTTP/1.1 servers expect one (RFC 9113 §8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    let lines: Vec<_> = headers
        .get_all(header::COOKIE)
        .iter()
        .map(HeaderValue::as_bytes)
        .collect();
    if lines.len() > 1
        && let Ok(joined) = HeaderValue::from_bytes(&lines.join(&b"; "[..]))
    {
        headers.insert(header::COOKIE, joined);
    }
}

/// What must not stand in a request target.
const NOT_IN_TARGET: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'<')
    .add(b'>')
    .add(b'`')
    .add(b'{')
    .add(b'}');

/// Path and query after a rewrite.
fn target(edits: &RequestEdits, uri: &Uri) -> PathAndQuery {
    let own = || {
        uri.path_and_query()
            .cloned()
            .unwrap_or_else(|| PathAndQuery::from_static("/"))
    };
    if edits.path.is_none() && edits.query.is_none() {
        return own();
    }
    let mut target = edits
        .path
        .as_deref()
        .unwrap_or_else(|| uri.path())
        .replace('?', "%3F");
    if !target.starts_with('/') {
        target.insert(0, '/');
    }
    let query = edits.query.as_deref().or(uri.query()).unwrap_or("");
    if !query.is_empty() {
        target.push('?');
        target.push_str(query);
    }
    let encoded = utf8_percent_encode(&target, NOT_IN_TARGET).to_string();
    PathAndQuery::try_from(encoded).unwrap_or_else(|_| own())
}

/// The server's answer as the client gets it.
fn deliver(
    forward: &Forward<'_>,
    exchange: &mut Exchange,
    server: &Server,
    active: ActiveGuard,
    mut response: Response<Incoming>,
) -> Result<Response<Body>, Refusal> {
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        let to_server = hyper::upgrade::on(&mut response);
        let Some((_, to_client)) = exchange.upgrade.take() else {
            let reason = format!("server {} switches protocols unasked", server.label());
            return Err(Refusal::new(StatusCode::BAD_GATEWAY, reason));
        };
        let upgrade = response.headers().get(header::UPGRADE).cloned();
        tunnel::spawn(to_client, to_server, active, server.upstream.cut().clone());
        let (mut head, _) = response.into_parts();
        headers::remove_hop_by_hop(&mut head.headers);
        head.headers
            .insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        head.headers
            .extend(upgrade.map(|protocol| (header::UPGRADE, protocol)));
        return Ok(Response::from_parts(head, body::empty()));
    }
    let (mut head, incoming) = response.into_parts();
    headers::remove_hop_by_hop(&mut head.headers);
    head.version = Version::HTTP_11;
    if forward.view.has_response_rules {
        let status = head.status.as_u16();
        let decision = exchange.ask(forward.view, |request| {
            forward
                .view
                .router
                .decide_response(request, status, &pairs(&head.headers))
        });
        headers::edit(
            &mut head.headers,
            &decision.headers,
            &exchange.origin(forward.view),
        );
    }
    Ok(Response::from_parts(head, body::guarded(incoming, active)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_rewritten_target_is_always_valid() {
        let uri: Uri = "/own?own=1".parse().unwrap();
        for (path, query, expected) in [
            (None, None, "/own?own=1"),
            (Some("/new"), None, "/new?own=1"),
            (Some("/new"), Some(""), "/new"),
            (None, Some("a=b"), "/own?a=b"),
            (Some("new"), None, "/new?own=1"),
            (Some(""), Some(""), "/"),
            (Some("/a b?c#d"), Some(""), "/a%20b%3Fc%23d"),
            (Some("/ä%20"), Some(""), "/%C3%A4%20"),
        ] {
            let edits = RequestEdits {
                path: path.map(str::to_owned),
                query: query.map(str::to_owned),
                ..RequestEdits::default()
            };
            assert_eq!(target(&edits, &uri).as_str(), expected, "{path:?} {query:?}");
        }
    }

    #[test]
    fn split_cookies_become_one_header() {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, HeaderValue::from_static("a=1"));
        headers.append(header::COOKIE, HeaderValue::from_static("b=2"));
        join_cookies(&mut headers);
        let lines: Vec<_> = headers.get_all(header::COOKIE).iter().collect();
        assert_eq!(lines, ["a=1; b=2"]);
    }
}
