//! From a request to its response: access control, routing, limits, CORS, and then a redirect, a fixed answer or a
//! server.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use alb_model::route::Outcome;
use http::{HeaderValue, Method, Request, Response, StatusCode, Version, header};
use hyper::body::Incoming;
use jiff::Timestamp;
use tokio::sync::{Semaphore, watch};

use super::access_log::AccessLog;
use super::body::{self, Body};
use super::client_certificate::ClientCertificate;
use super::compress;
use super::cors;
use super::exchange::Exchange;
use super::forward::{self, Forward};
use super::headers;
use super::view::ListenerView;
use crate::world::World;

/// What all listeners share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) log: AccessLog,
    /// The newest world, and the newest one that all views are made of.
    pub(super) world: watch::Receiver<Arc<World>>,
    pub(super) applied: watch::Receiver<Arc<World>>,
    /// Mirrored requests under way.
    pub(super) mirrors: Arc<Semaphore>,
}

/// How long a request that found no server waits for a world that is published but not applied yet.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(1);

impl Shared {
    /// Waits until the newest published world is applied.
    async fn settle(&self) {
        let mut applied = self.applied.clone();
        let settled = async {
            loop {
                let newest = self.world.borrow().clone();
                if Arc::ptr_eq(&newest, &applied.borrow_and_update()) || applied.changed().await.is_err() {
                    return;
                }
            }
        };
        // After the timeout the request is answered as things stand.
        let _ = tokio::time::timeout(SETTLE_TIMEOUT, settled).await;
    }
}

/// A client's connection.
#[derive(Clone, Debug)]
pub(super) struct Connection {
    pub(super) views: watch::Receiver<Arc<ListenerView>>,
    pub(super) peer: SocketAddr,
    /// The client's certificate, if the listener verifies its clients.
    pub(super) client_certificate: Option<Arc<ClientCertificate>>,
    pub(super) shared: Arc<Shared>,
}

impl Connection {
    pub(super) fn view(&self) -> Arc<ListenerView> {
        Arc::clone(&self.views.borrow())
    }

    /// A newer view than this one, if there is one or is about to be.
    pub(super) async fn newer_view(&self, than: &Arc<ListenerView>) -> bool {
        self.shared.settle().await;
        !Arc::ptr_eq(&self.views.borrow(), than)
    }
}

/// An answer of the load balancer itself.
pub(super) struct Refusal {
    status: StatusCode,
    reason: String,
    /// No server has seen the request: a newer world may have a better answer.
    may_decide_again: bool,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, reason: impl Into<String>) -> Self {
        Self {
            status,
            reason: reason.into(),
            may_decide_again: false,
        }
    }

    pub(super) fn unless_newer_world(self) -> Self {
        Self {
            may_decide_again: true,
            ..self
        }
    }

    fn into_response(self) -> (Response<Body>, String) {
        let text = format!("{}\n{}\n", self.status, self.reason);
        let mut response = Response::new(body::full(text));
        *response.status_mut() = self.status;
        set_content_type(&mut response, "text/plain");
        (response, self.reason)
    }
}

/// Answers one request and logs it.
pub(super) async fn handle(connection: Connection, request: Request<Incoming>) -> Response<Body> {
    let arrived = (Timestamp::now(), Instant::now());
    let mut exchange = Exchange::new(request, connection.peer, connection.client_certificate.clone());
    let response = match answer(&connection, &mut exchange).await {
        Ok(response) => response,
        Err(refusal) => {
            let (response, reason) = refusal.into_response();
            exchange.trace.error = Some(reason);
            response
        }
    };
    let entry = exchange.log_entry(arrived, &connection.view(), response.status());
    connection.shared.log.push(entry);
    response
}

/// Views one request may go through when its servers vanish under it.
const MOST_VIEWS: u32 = 8;

async fn answer(connection: &Connection, exchange: &mut Exchange) -> Result<Response<Body>, Refusal> {
    refuse_malformed(exchange)?;
    let mut views = 0;
    loop {
        let view = connection.view();
        views += 1;
        match answer_by(&view, connection, exchange, views == 1).await {
            Err(refusal)
                if refusal.may_decide_again && views < MOST_VIEWS && connection.newer_view(&view).await => {}
            answer => return answer,
        }
    }
}

/// Answers by this view. Only the `first` one counts the request against limits.
async fn answer_by(
    view: &ListenerView,
    connection: &Connection,
    exchange: &mut Exchange,
    first: bool,
) -> Result<Response<Body>, Refusal> {
    let (head, forwarded) = (&exchange.head, &view.listener.x_forwarded_for);
    exchange.client_ip = headers::client_ip(forwarded, &view.trusted_proxies, &head.headers, exchange.peer);
    if !view.admits(exchange.peer.ip()) {
        let reason = "access control refuses the client's address";
        return Err(Refusal::new(StatusCode::FORBIDDEN, reason));
    }
    let decision = exchange.ask(view, |request| view.router.decide(request));
    let rule = decision.rule.and_then(|index| view.rule(index));
    exchange.trace.rule = rule.map(|rule| (rule.id.clone(), rule.name.clone()));
    if first && rule.is_some_and(|rule| !rule.admit(exchange.client_ip)) {
        let reason = "the rule's traffic limit is reached";
        return Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, reason));
    }
    if let Some(cors) = &decision.cors
        && let Some(response) = cors::preflight(cors, &exchange.head.method, &exchange.head.headers)
    {
        return Ok(response);
    }
    let mut response = match &decision.outcome {
        Outcome::Redirect { status, location } => redirect(*status, location),
        Outcome::Fixed {
            status,
            content_type,
            body,
        } => fixed(*status, content_type, body),
        Outcome::Forward {
            targets,
            sticky_timeout_s,
            edits,
        } => {
            let forward = Forward {
                view,
                rule,
                targets,
                sticky_timeout_s: *sticky_timeout_s,
                edits,
                mirror: &decision.mirror,
            };
            forward::forward(connection, &forward, exchange).await?
        }
    };
    if let Some(cors) = &decision.cors {
        cors::complete(cors, &exchange.head.headers, response.headers_mut());
    }
    if view.listener.gzip && compress::accepted(&exchange.head) {
        response = compress::gzip(response);
    }
    Ok(response)
}

/// 400 for what no server should see.
fn refuse_malformed(exchange: &Exchange) -> Result<(), Refusal> {
    let head = &exchange.head;
    if head.method == Method::CONNECT {
        return Err(Refusal::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "the load balancer is no forward proxy",
        ));
    }
    let hosts = head.headers.get_all(header::HOST).iter().count();
    if (exchange.host.is_empty() && head.version > Version::HTTP_10) || hosts > 1 {
        return Err(Refusal::new(
            StatusCode::BAD_REQUEST,
            "the request must have exactly one Host header",
        ));
    }
    Ok(())
}

fn redirect(status: u16, location: &str) -> Response<Body> {
    let mut response = Response::new(body::empty());
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::MOVED_PERMANENTLY);
    if let Ok(location) = HeaderValue::try_from(location) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}

fn fixed(status: u16, content_type: &str, content: &str) -> Response<Body> {
    let mut response = Response::new(body::full(content.to_owned()));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    set_content_type(&mut response, content_type);
    response
}

fn set_content_type(response: &mut Response<Body>, content_type: &str) {
    if let Ok(content_type) = HeaderValue::try_from(content_type) {
        response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    }
}
