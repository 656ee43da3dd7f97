//! What is switched on listeners: start and stop, log, additional certificates, ACLs.

use std::collections::BTreeSet;

use alb_model::{AclType, ListenerProtocol, limits};
use serde::Deserialize;
use serde_json::json;

use super::listener::change_listener;
use super::listener_check::{check_certificate_quota, check_certificates};
use super::{Answer, Call, check};
use crate::api::{ApiError, ApiResult};
use crate::state::{Association, Listener, Operate};
use crate::wire;

/// Runs `apply` as a job on the listener that the call names.
fn change(call: &mut Call<'_>, apply: impl FnOnce(&mut Listener) + Send + 'static) -> Answer {
    let id = call.text("ListenerId").to_owned();
    let job = change_listener(call, &id, Operate::Update, None, apply)?;
    Ok(json!({ "JobId": job }))
}

pub(super) fn start(call: &mut Call<'_>) -> Answer {
    switch(call, false)
}

pub(super) fn stop(call: &mut Call<'_>) -> Answer {
    switch(call, true)
}

fn switch(call: &mut Call<'_>, stopped: bool) -> Answer {
    let listener = call.store.writable_listener(call.text("ListenerId"))?;
    if listener.stopped == stopped {
        return Err(ApiError::incorrect_status(
            "Listener",
            &listener.id,
            listener.status(),
        ));
    }
    change(call, move |listener| listener.stopped = stopped)
}

pub(super) fn log_config(call: &mut Call<'_>) -> Answer {
    let config: wire::LogConfig = call.parse()?;
    let listener = call.store.writable_listener(call.text("ListenerId"))?;
    if call
        .store
        .load_balancer(&listener.load_balancer_id)?
        .access_log
        .is_none()
    {
        return Err(ApiError::denied(
            "AccessLogNotEnabled",
            "The operation is not allowed: the load balancer's access log is off; enable it first.",
        ));
    }
    if let Some(tracing) = &config.access_log_tracing_config {
        let path = |name: &str| format!("AccessLogTracingConfig.{name}");
        check::optional_one_of(&path("TracingType"), tracing.tracing_type.as_ref(), &["Zipkin"])?;
        check::optional_range(
            &path("TracingSample"),
            tracing.tracing_sample,
            &limits::TRACING_SAMPLE,
        )?;
        if tracing.tracing_enabled == Some(true) && tracing.tracing_sample.is_none() {
            return Err(ApiError::missing(&path("TracingSample")));
        }
    }
    change(call, move |listener| {
        let current = listener.log.clone().unwrap_or_default();
        listener.log = Some(wire::merged(&current, &config));
    })
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Certificates {
    certificates: Vec<wire::CertificateId>,
}

fn certificate_ids(call: &Call<'_>) -> ApiResult<BTreeSet<String>> {
    let params: Certificates = call.parse()?;
    check::at_most(
        "Certificates",
        params.certificates.len(),
        limits::CERTIFICATES_PER_CALL,
    )?;
    Ok(params
        .certificates
        .into_iter()
        .filter_map(|c| c.certificate_id)
        .collect())
}

/// A listener that takes writes and has TLS.
fn tls_listener<'a>(call: &'a Call<'_>) -> ApiResult<&'a Listener> {
    let listener = call.store.writable_listener(call.text("ListenerId"))?;
    if listener.protocol == ListenerProtocol::Http {
        return Err(ApiError::denied(
            "ListenerProtocol",
            "The operation is not allowed: an HTTP listener has no certificates.",
        ));
    }
    Ok(listener)
}

pub(super) fn associate_certificates(call: &mut Call<'_>) -> Answer {
    let ids = certificate_ids(call)?;
    let listener = tls_listener(call)?;
    let (id, balancer) = (listener.id.clone(), listener.load_balancer_id.clone());
    if let Some(known) = ids
        .iter()
        .find(|id| listener.extra_certificates.contains_key(*id))
    {
        return Err(ApiError::already_exists("ListenerCertificate", known));
    }
    check_certificates(call.store, ids.iter().map(String::as_str))?;
    check_certificate_quota(call.store, &balancer, ids.len())?;
    let job = change_listener(call, &id, Operate::Update, None, |listener| {
        listener.settle_associations(Association::Associating);
    })?;
    if let Some(listener) = call.store.listeners.get_mut(&id) {
        let added = ids.into_iter().map(|id| (id, Association::Associating));
        listener.extra_certificates.extend(added);
    }
    Ok(json!({ "JobId": job }))
}

pub(super) fn dissociate_certificates(call: &mut Call<'_>) -> Answer {
    let ids = certificate_ids(call)?;
    let listener = tls_listener(call)?;
    let id = listener.id.clone();
    if let Some(unknown) = ids
        .iter()
        .find(|id| !listener.extra_certificates.contains_key(*id))
    {
        return Err(ApiError::not_found("ListenerCertificate", unknown));
    }
    let job = change_listener(call, &id, Operate::Update, None, |listener| {
        listener.settle_associations(Association::Associating);
    })?;
    if let Some(listener) = call.store.listeners.get_mut(&id) {
        let leaving = listener
            .extra_certificates
            .iter_mut()
            .filter(|(id, _)| ids.contains(*id));
        leaving.for_each(|(_, association)| *association = Association::Dissociating);
    }
    Ok(json!({ "JobId": job }))
}

pub(super) fn list_certificates(call: &mut Call<'_>) -> Answer {
    let listener = call.store.listener(call.text("ListenerId"))?;
    let wanted = call.texts("CertificateIds", 20)?;
    let kind = call.optional("CertificateType").unwrap_or("Server");
    check::one_of("CertificateType", kind, &["Server", "Ca"])?;
    let mut found: Vec<(String, bool, &str)> = Vec::new();
    if kind == "Ca" {
        let ids = listener.attributes.ca_certificate_ids();
        found.extend(ids.map(|id| (id.to_owned(), true, "Associated")));
    } else {
        let default = listener.attributes.certificate_ids();
        found.extend(default.map(|id| (id.to_owned(), true, "Associated")));
        let extra = listener.extra_certificates.iter();
        found.extend(extra.map(|(id, association)| (id.clone(), false, association.certificate_status())));
    }
    found.retain(|(id, _, _)| check::named(&wanted, id));
    let page = call.page((1..).zip(found), 100)?;
    page.answer("Certificates", |(id, default, status)| {
        json!({ "CertificateId": id, "CertificateType": kind, "IsDefault": default, "Status": status })
    })
}

pub(super) fn associate_acls(call: &mut Call<'_>) -> Answer {
    let ids = call.texts("AclIds", limits::ACLS_PER_LISTENER)?;
    let kind = call.text("AclType");
    check::one_of("AclType", kind, &["White", "Black"])?;
    let kind = if kind == "White" {
        AclType::White
    } else {
        AclType::Black
    };
    let listener = call.store.writable_listener(call.text("ListenerId"))?;
    let id = listener.id.clone();
    for acl in &ids {
        call.store.writable_acl(acl)?;
        if listener.acls.contains_key(acl) {
            return Err(ApiError::already_exists("AclRelation", acl));
        }
    }
    if !listener.acls.is_empty() && listener.acl_type != kind {
        return Err(ApiError::bad_request(
            "Conflict.Acl",
            format!(
                "The listener's ACLs are of type {}; all must be of one type.",
                listener.acl_type
            ),
        ));
    }
    let (used, limit) = (listener.acls.len(), limits::ACLS_PER_LISTENER);
    if used + ids.len() > limit {
        return Err(ApiError::quota("ListenerAclsNum", used, limit));
    }
    if !call
        .store
        .load_balancer(&listener.load_balancer_id)?
        .security_groups
        .is_empty()
    {
        return Err(ApiError::denied(
            "SecurityGroupJoined",
            "The operation is not allowed: the load balancer is in a security group.",
        ));
    }
    let job = change_listener(call, &id, Operate::Update, None, move |listener| {
        listener.acl_type = kind;
        listener.settle_associations(Association::Associating);
    })?;
    if let Some(listener) = call.store.listeners.get_mut(&id) {
        listener
            .acls
            .extend(ids.into_iter().map(|id| (id, Association::Associating)));
    }
    Ok(json!({ "JobId": job }))
}

pub(super) fn dissociate_acls(call: &mut Call<'_>) -> Answer {
    let ids = call.texts("AclIds", limits::ACLS_PER_LISTENER)?;
    let listener = call.store.writable_listener(call.text("ListenerId"))?;
    let id = listener.id.clone();
    if let Some(unknown) = ids.iter().find(|acl| !listener.acls.contains_key(*acl)) {
        return Err(ApiError::not_found("Acl", unknown));
    }
    let job = change_listener(call, &id, Operate::Update, None, |listener| {
        listener.settle_associations(Association::Associating);
    })?;
    if let Some(listener) = call.store.listeners.get_mut(&id) {
        let leaving = listener.acls.iter_mut().filter(|(id, _)| ids.contains(id));
        leaving.for_each(|(_, association)| *association = Association::Dissociating);
    }
    Ok(json!({ "JobId": job }))
}
