//! The life of a call: verify, strike, throttle, check, act, answer, record.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, Method, Request, Response, StatusCode};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{ApiError, ApiResult, Incoming, product, shapes};
use crate::auth;
use crate::faults::{Ending, Strike};
use crate::idempotence::Begin;
use crate::ops::{self, Call};
use crate::record::{CallRecord, is_secret};
use crate::server::Shared;

/// Largest body of a request. A call with 10 rules or a certificate is far below.
const MAX_BODY: usize = 4 << 20;

/// How long an answer waits for the data plane to serve what the answer tells.
const DATA_PLANE_PATIENCE: Duration = Duration::from_secs(2);

/// Mark of a response: close the connection instead of sending it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Disconnect;

/// Answers a call of the API.
pub(crate) async fn serve(State(shared): State<Arc<Shared>>, request: Request<Body>) -> Response<Body> {
    // In a task of its own: like the cloud, finish what was begun even if the client hangs up.
    let work = tokio::spawn(handle(Arc::clone(&shared), request));
    match work.await {
        Ok(response) => response,
        Err(_) => shared.error_response(
            &ApiError::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "InternalError",
                "The simulator has failed.",
            ),
            "",
        ),
    }
}

async fn handle(shared: Arc<Shared>, request: Request<Body>) -> Response<Body> {
    let started = Instant::now();
    let (parts, body) = request.into_parts();
    let mut record = CallRecord {
        seq: shared.records.arrive(),
        time: Timestamp::now(),
        duration_ms: 0,
        access_key_id: String::new(),
        product: String::new(),
        action: String::new(),
        params: BTreeMap::new(),
        code: "OK".into(),
        message: String::new(),
        http_status: 200,
        request_id: shared.request_id(),
        resource_ids: Vec::new(),
        job_id: None,
        took_effect: false,
        replayed: false,
        fault: false,
    };
    let ending = match axum::body::to_bytes(body, MAX_BODY).await {
        Ok(body) => answer(&shared, &Incoming::new(parts, body), started, &mut record).await,
        Err(_) => Err(Ending::Error(ApiError::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "RequestEntityTooLarge",
            format!("The body is larger than {MAX_BODY} bytes, or was cut off."),
        ))),
    };
    let response = match ending {
        Ok(answer) => {
            note_ids(&mut record, &answer);
            json_response(StatusCode::OK, answer, &record.request_id)
        }
        Err(Ending::Error(error)) => {
            record.code.clone_from(&error.code);
            record.http_status = error.status.as_u16();
            if !record.params.keys().any(|name| is_secret(name)) {
                record.message.clone_from(&error.message);
            }
            shared.error_response(&error, &record.request_id)
        }
        Err(Ending::Disconnect) => {
            record.code = "Disconnected".into();
            record.http_status = 0;
            let mut response = Response::new(Body::empty());
            response.extensions_mut().insert(Disconnect);
            response
        }
    };
    record.duration_ms = started.elapsed().as_millis() as u64;
    record.params.retain(|name, _| !is_secret(name));
    tracing::debug!(seq = record.seq, action = %record.action, code = %record.code, "call");
    shared.records.push(record);
    response
}

impl From<ApiError> for Ending {
    fn from(error: ApiError) -> Self {
        Self::Error(error)
    }
}

async fn answer(
    shared: &Shared,
    incoming: &Incoming,
    started: Instant,
    record: &mut CallRecord,
) -> Result<Value, Ending> {
    if !matches!(incoming.parts.method, Method::GET | Method::POST) {
        return Err(ApiError::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "UnsupportedHTTPMethod",
            "This http method is not supported: use GET or POST.",
        )
        .into());
    }
    record.action = incoming.action();
    let version = incoming.version();
    let product = product(&version);
    record.product = product.map_or(version.clone(), str::to_owned);
    let shape = product.and_then(|product| shapes::operation(product, &record.action));
    record.params = incoming.params(|name| shape.is_some_and(|shape| shape.request.has(name)))?;
    record.access_key_id = auth::verify(
        &incoming.signed(),
        &shared.config.access_keys,
        &shared.nonces,
        Timestamp::now(),
    )?;

    let strike = shared.faults.strike(&record.action, &record.params);
    record.fault = strike.any;
    if let Some(ending) = strike.before.clone() {
        tokio::time::sleep(strike.latency).await;
        return Err(ending);
    }
    shared
        .throttler
        .check(&record.access_key_id, &record.action, Instant::now())?;
    let Some(product) = product else {
        return Err(ApiError::bad_request(
            "InvalidVersion",
            format!(
                "Version {version:?} is not simulated: ALB 2020-06-16, CAS 2020-04-07 and VPC 2016-04-28 are."
            ),
        )
        .into());
    };
    let (Some(shape), Some(operation)) = (shape, ops::find(product, &record.action)) else {
        return Err(ApiError::bad_request(
            "UnsupportedOperation",
            format!(
                "Operation {:?} of {product} is not simulated; docs/alb-sim.md lists those that are.",
                record.action
            ),
        )
        .into());
    };
    let tree = shape.request.parse(&record.params)?;
    let answer = act(shared, tree, operation, (started, &strike), record).await?;
    match strike.after {
        Some(ending) => {
            note_ids(record, &answer);
            Err(ending)
        }
        None => Ok(answer),
    }
}

/// Runs the operation, or finds the answer of the call it repeats.
async fn act(
    shared: &Shared,
    tree: Value,
    operation: fn(&mut Call<'_>) -> ops::Answer,
    (started, strike): (Instant, &Strike),
    record: &mut CallRecord,
) -> ApiResult<Value> {
    let flag = |name: &str| tree[name].as_bool() == Some(true) || tree[name].as_str() == Some("true");
    let dry_run = flag("DryRun");
    let token = tree["ClientToken"]
        .as_str()
        .filter(|token| !token.is_empty() && !dry_run);
    let pending = match token {
        None => None,
        Some(token) => {
            check_token(token)?;
            match shared
                .tokens
                .begin(&record.access_key_id, &record.action, token, &record.params)?
            {
                Begin::First(pending) => Some(pending),
                Begin::Again(answer) => {
                    record.replayed = true;
                    return Ok(answer);
                }
            }
        }
    };
    // The latency is that of the whole call: what was done since it came is a part of it.
    tokio::time::sleep_until(started + shared.config.call_latency + strike.latency).await;
    let (answer, version) = shared.with_store(|store| {
        operation(&mut Call {
            store,
            config: &shared.config,
            action: &record.action,
            params: tree,
            dry_run,
            now: Timestamp::now(),
            instant: Instant::now(),
            job_fault: strike.job.clone(),
            health: shared,
        })
    });
    let answer = answer?;
    record.took_effect = record.is_write();
    if let Some(pending) = pending {
        pending.done(&answer);
    }
    // What the answer tells is in effect when it arrives.
    if let Some(data_plane) = shared.data_plane() {
        let _ = tokio::time::timeout(DATA_PLANE_PATIENCE, data_plane.serves(version)).await;
    }
    Ok(answer)
}

fn check_token(token: &str) -> ApiResult<()> {
    if token.is_ascii() && token.len() <= 64 {
        Ok(())
    } else {
        Err(ApiError::illegal(
            "ClientToken",
            "write at most 64 ASCII characters",
        ))
    }
}

/// Fields that name what a call is about, the most specific first.
const ID_FIELDS: [&str; 8] = [
    "RuleId",
    "ListenerId",
    "ServerGroupId",
    "AclId",
    "LoadBalancerId",
    "CertId",
    "ResourceId",
    "AclIds",
];

fn note_ids(record: &mut CallRecord, answer: &Value) {
    record.job_id = answer["JobId"].as_str().map(str::to_owned);
    if !record.is_write() {
        return;
    }
    let mut ids = Vec::new();
    for rule in answer["RuleIds"].as_array().into_iter().flatten() {
        ids.extend(rule["RuleId"].as_str().map(str::to_owned));
    }
    for field in ID_FIELDS {
        match &answer[field] {
            Value::String(id) => ids.push(id.clone()),
            Value::Number(id) => ids.push(id.to_string()),
            _ => {}
        }
    }
    let named = record.params.iter().filter(|(name, _)| {
        let leaf = name
            .rsplit('.')
            .find(|part| part.parse::<u32>().is_err())
            .unwrap_or(name);
        ID_FIELDS.contains(&leaf) || leaf == "RuleIds"
    });
    for (_, id) in named {
        if !ids.contains(id) {
            ids.push(id.clone());
        }
    }
    record.resource_ids = ids;
}

fn json_response(status: StatusCode, mut body: Value, request_id: &str) -> Response<Body> {
    body["RequestId"] = request_id.into();
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(
        "content-type",
        HeaderValue::from_static("application/json;charset=utf-8"),
    );
    if let Ok(id) = HeaderValue::from_str(request_id) {
        headers.insert("x-acs-request-id", id);
    }
    response
}

impl Shared {
    fn error_response(&self, error: &ApiError, request_id: &str) -> Response<Body> {
        let body = json!({
            "Code": error.code,
            "Message": error.message,
            "HostId": self.host_id(),
        });
        let mut response = json_response(error.status, body, request_id);
        for (name, value) in &error.headers {
            if let Ok(value) = HeaderValue::from_str(value) {
                response.headers_mut().insert(*name, value);
            }
        }
        response
    }
}
