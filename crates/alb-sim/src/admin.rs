//! Looking inside and steering: the endpoints under `/sim/`, without authentication.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use alb_model::ListenerProtocol;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{any, get};
use axum::{Json, Router};
use serde_json::{Map, Value, json};

use crate::address::AddressEntries;
use crate::api;
use crate::config::Quotas;
use crate::data_plane::{AccessLogEntry, HealthSnapshot};
use crate::faults::Fault;
use crate::ops;
use crate::record::CallRecord;
use crate::server::{Shared, check_ca_certificate};
use crate::state::{Listener, Store};

/// Routes of the API and of the admin endpoints.
pub(crate) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/", any(api::serve))
        .route(
            "/sim/state",
            get(|State(shared): Shares| async move { Json(state(&shared)) }),
        )
        .route("/sim/calls", get(calls).delete(clear_calls))
        .route("/sim/faults", get(faults).post(inject).delete(clear_faults))
        .route("/sim/addresses", get(addresses).put(set_addresses))
        .route(
            "/sim/ca-certificates",
            get(ca_certificates).put(set_ca_certificates),
        )
        .route("/sim/quotas", get(quotas).put(set_quotas))
        .route("/sim/health", get(health))
        .route("/sim/access-log", get(access_log))
        .fallback(unknown)
        .with_state(shared)
}

type Shares = State<Arc<Shared>>;

async fn unknown() -> (StatusCode, Json<Value>) {
    let hint = "The API is at /; the simulator's own endpoints are /sim/state, /sim/calls, /sim/faults, \
                /sim/addresses, /sim/ca-certificates, /sim/quotas, /sim/health and /sim/access-log.";
    (
        StatusCode::NOT_FOUND,
        Json(json!({ "Code": "InvalidPath", "Message": hint })),
    )
}

async fn calls(State(shared): Shares) -> Json<Vec<CallRecord>> {
    Json(shared.records.list())
}

async fn clear_calls(State(shared): Shares) -> StatusCode {
    shared.records.clear();
    StatusCode::NO_CONTENT
}

async fn faults(State(shared): Shares) -> Json<Vec<Fault>> {
    Json(shared.faults.list())
}

/// One fault, or a list of them.
#[derive(serde::Deserialize)]
#[serde(untagged)]
enum OneOrMore {
    More(Vec<Fault>),
    One(Fault),
}

async fn inject(State(shared): Shares, Json(faults): Json<OneOrMore>) -> Json<Vec<Fault>> {
    match faults {
        OneOrMore::One(fault) => shared.faults.inject(fault),
        OneOrMore::More(faults) => faults.into_iter().for_each(|fault| shared.faults.inject(fault)),
    }
    Json(shared.faults.list())
}

async fn clear_faults(State(shared): Shares) -> StatusCode {
    shared.faults.clear();
    StatusCode::NO_CONTENT
}

async fn addresses(State(shared): Shares) -> Json<AddressEntries> {
    Json(shared.addresses.entries())
}

async fn set_addresses(State(shared): Shares, Json(entries): Json<AddressEntries>) -> Json<AddressEntries> {
    shared.addresses.replace(entries);
    Json(shared.addresses.entries())
}

/// Id to PEM.
async fn ca_certificates(State(shared): Shares) -> Json<BTreeMap<String, String>> {
    let (known, _) = shared.with_store(|store| store.ca_certificates().clone());
    Json(known.into_iter().map(|(id, pem)| (id, pem.to_string())).collect())
}

async fn set_ca_certificates(
    State(shared): Shares,
    Json(all): Json<BTreeMap<String, String>>,
) -> Result<StatusCode, (StatusCode, Json<Value>)> {
    for (id, pem) in &all {
        check_ca_certificate(id, pem).map_err(|error| {
            let told = json!({ "Code": "InvalidCaCertificate", "Message": error.to_string() });
            (StatusCode::BAD_REQUEST, Json(told))
        })?;
    }
    let all = all.into_iter().map(|(id, pem)| (id, pem.into())).collect();
    shared.with_store(|store| store.change_ca_certificates(|known| *known = all));
    Ok(StatusCode::NO_CONTENT)
}

async fn quotas(State(shared): Shares) -> Json<Quotas> {
    Json(shared.with_store(|store| store.quotas.clone()).0)
}

async fn set_quotas(State(shared): Shares, Json(quotas): Json<Quotas>) -> Json<Quotas> {
    shared.with_store(|store| store.quotas = quotas.clone());
    Json(quotas)
}

async fn health(State(shared): Shares) -> Json<HealthSnapshot> {
    Json(ops::HealthSource::snapshot(&*shared))
}

async fn access_log(State(shared): Shares) -> Json<Vec<AccessLogEntry>> {
    Json(
        shared
            .data_plane()
            .map(|data_plane| data_plane.access_log())
            .unwrap_or_default(),
    )
}

/// All resources as JSON.
pub(crate) fn state(shared: &Shared) -> Value {
    let data_plane = shared.data_plane();
    let socket = |balancer: &str, port: u16, protocol: ListenerProtocol| {
        let address = data_plane.as_ref()?.listener_addr(balancer, port, protocol)?;
        Some(address.to_string())
    };
    let (mut state, version) = shared.with_store(|store| {
        json!({
            "load_balancers": load_balancers(store, &socket),
            "server_groups": server_groups(store),
            "acls": acls(store),
            "certificates": certificates(store),
            "jobs_processing": store.jobs.processing(),
            "quotas": store.quotas,
        })
    });
    state["region"] = shared.config.region.as_str().into();
    state["endpoint"] = shared.endpoint().into();
    state["world_version"] = version.into();
    state
}

/// Resources by id.
fn by_id(items: impl Iterator<Item = (String, Value)>) -> Value {
    Value::Object(items.collect::<Map<_, _>>())
}

fn load_balancers(store: &Store, socket: &impl Fn(&str, u16, ListenerProtocol) -> Option<String>) -> Value {
    by_id(store.load_balancers.values().map(|balancer| {
        let mut shown = ops::render_load_balancer(balancer);
        shown["ZoneMappings"] = json!(balancer.zone_mappings);
        let listeners = store.listeners_of(&balancer.id).map(|listener| {
            let mut shown = listener_with_rules(listener);
            shown["Socket"] = socket(&balancer.id, listener.port, listener.protocol).into();
            (listener.id.clone(), shown)
        });
        shown["Listeners"] = by_id(listeners);
        (balancer.id.clone(), shown)
    }))
}

fn listener_with_rules(listener: &Listener) -> Value {
    let mut shown = ops::render_listener(listener);
    shown["Certificates"] = json!(listener.attributes.certificates);
    shown["AdditionalCertificates"] = listener
        .extra_certificates
        .iter()
        .map(|(id, association)| json!({ "CertificateId": id, "Status": association.certificate_status() }))
        .collect();
    shown["Acls"] = listener
        .acls
        .iter()
        .map(|(id, association)| json!({ "AclId": id, "Status": association.acl_status() }))
        .collect();
    shown["AScripts"] = listener
        .scripts
        .values()
        .map(|script| ops::render_script(listener, script))
        .collect();
    let mut rules: Vec<_> = listener.rules.values().collect();
    rules.sort_by_key(|rule| (rule.direction, rule.content.priority));
    shown["Rules"] = rules
        .into_iter()
        .map(|rule| ops::render_rule(&listener.load_balancer_id, rule))
        .collect();
    shown
}

fn server_groups(store: &Store) -> Value {
    let related = store.related_load_balancers();
    by_id(store.server_groups.values().map(|group| {
        let none = BTreeSet::new();
        let mut shown = ops::render_server_group(group, related.get(group.id.as_str()).unwrap_or(&none));
        shown["Servers"] = group
            .servers
            .iter()
            .map(|(key, server)| ops::render_server(&group.id, key, server))
            .collect();
        (group.id.clone(), shown)
    }))
}

fn acls(store: &Store) -> Value {
    by_id(store.acls.values().map(|acl| {
        let entries = acl.entries.iter().map(|(entry, about)| {
            let shown = json!({ "Description": about.description, "Status": about.status });
            (entry.clone(), shown)
        });
        let shown = json!({ "AclName": acl.name, "AclStatus": acl.status(), "Entries": by_id(entries) });
        (acl.id.clone(), shown)
    }))
}

/// Without private keys.
fn certificates(store: &Store) -> Value {
    by_id(store.certificates.values().map(|certificate| {
        let shown = json!({
            "Name": certificate.name,
            "Domains": certificate.pem.domains,
            "NotAfter": certificate.not_after.to_string(),
            "Sha2": certificate.sha256,
            "Deleted": certificate.deleted,
        });
        (certificate.identifier.clone(), shown)
    }))
}
