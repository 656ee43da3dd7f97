//! Traffic mirroring: a copy of each request to other groups, whose answers are dropped.

use std::sync::Arc;
use std::time::Duration;

use http::Request;
use http_body_util::BodyExt;

use super::exchange::Exchange;
use super::forward::{Forward, request_head};
use super::group::Choice;
use super::proxy::Connection;

/// A copy that takes longer is given up.
const MIRROR_TIMEOUT: Duration = Duration::from_mins(1);

/// Sends the copies. Nothing that happens to them shows in the request itself; under overload they are dropped.
pub(super) fn mirror(connection: &Connection, forward: &Forward<'_>, exchange: &mut Exchange) {
    if exchange.upgrade.is_some() {
        return;
    }
    for reference in forward.mirror {
        let Some(group) = forward.view.group(reference) else {
            continue;
        };
        let choice = Choice {
            client_ip: exchange.client_ip,
            query: exchange.head.uri.query().unwrap_or(""),
            sticky: None,
            tried: &[],
        };
        let Some(server) = group.choose(&choice) else {
            continue;
        };
        let (Ok(permit), Ok(head)) = (
            Arc::clone(&connection.shared.mirrors).try_acquire_owned(),
            request_head(forward, group.config(), exchange),
        ) else {
            continue;
        };
        let Some(body) = exchange.copy_body() else {
            return;
        };
        let request = Request::from_parts(head, body);
        tokio::spawn(async move {
            let (_permit, _active) = (permit, server.enter());
            let exchange = async {
                if let Ok(response) = server.upstream.send(request).await {
                    let mut body = response.into_body();
                    while let Some(Ok(_)) = body.frame().await {}
                }
            };
            if tokio::time::timeout(MIRROR_TIMEOUT, exchange).await.is_err() {
                tracing::debug!(server = server.label(), "mirrored request took too long");
            }
        });
    }
}
