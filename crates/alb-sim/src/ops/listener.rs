//! Listeners: create, read, update, delete.

use std::collections::{BTreeMap, BTreeSet};

use alb_model::{AclType, ListenerProtocol};
use serde_json::{Value, json};

use super::listener_check::{
    SYSTEM_POLICIES, check_attributes, check_certificate_quota, check_reference_quota, read_protocol,
};
use super::{About, Answer, Call, check};
use crate::api::{ApiError, ApiResult};
use crate::state::{Association, Listener, Operate, Phase, Store};
use crate::wire;

pub(super) const RESOURCE: &str = "listener";

pub(super) fn create(call: &mut Call<'_>) -> Answer {
    let mut attributes: wire::ListenerAttributes = call.parse()?;
    let balancer_id = call.text("LoadBalancerId").to_owned();
    let balancer = call.store.writable_load_balancer(&balancer_id)?;
    let port = call.params["ListenerPort"].as_i64().unwrap_or_default();
    check::range("ListenerPort", port, &(1..=65_535_i64))?;
    let port = port as u16;
    let protocol = read_protocol(call.text("ListenerProtocol"))?;
    // TCP and UDP ports do not collide: HTTPS and QUIC share one.
    let collides = |other: &Listener| {
        other.port == port
            && (other.protocol == ListenerProtocol::Quic) == (protocol == ListenerProtocol::Quic)
    };
    if let Some(other) = call
        .store
        .listeners_of(&balancer_id)
        .find(|other| collides(other))
    {
        let taken = format!("{}:{} {}", other.port, other.protocol, other.id);
        return Err(ApiError::already_exists("Listener", &taken));
    }
    let (used, limit) = (
        balancer.listeners.len(),
        call.store.quotas.listeners_per_load_balancer.of(balancer.edition),
    );
    if used >= limit {
        return Err(ApiError::quota("LoadBalancerListenersNum", used, limit));
    }
    let tags = check::tags(call.parse::<Tagged>()?.tag.as_deref())?;
    fill_defaults(&mut attributes, protocol);
    check_attributes(call.store, &balancer_id, protocol, &attributes)?;
    let (attributes, extra) = split_certificates(attributes);
    check_certificate_quota(call.store, &balancer_id, extra.len())?;
    if let Some(group) = attributes.default_group() {
        check_reference_quota(call.store, group, 1)?;
    }
    call.commit()?;

    let id = call.store.ids.resource("lsn");
    let listener = Listener {
        id: id.clone(),
        position: call.store.ids.position(),
        load_balancer_id: balancer_id.clone(),
        phase: Phase::Creating,
        stopped: false,
        port,
        protocol,
        attributes,
        pending: None,
        extra_certificates: extra
            .into_iter()
            .map(|id| (id, Association::Associated))
            .collect(),
        acl_type: AclType::White,
        acls: BTreeMap::new(),
        log: None,
        scripts: BTreeMap::new(),
        tags,
        rules: BTreeMap::new(),
    };
    call.store.listeners.insert(id.clone(), listener);
    if let Some(balancer) = call.store.load_balancers.get_mut(&balancer_id) {
        balancer.listeners.push(id.clone());
    }
    let failed = id.clone();
    let job = call.start_job(about(call, Operate::Create, &id), ready(&id), move |store| {
        store.remove_listener(&failed);
    });
    Ok(json!({ "ListenerId": id, "JobId": job }))
}

#[derive(serde::Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Tagged {
    pub(super) tag: Option<Vec<wire::Tag>>,
}

pub(super) fn about(call: &Call<'_>, operate: Operate, id: &str) -> About {
    About {
        operate,
        resource_type: RESOURCE,
        resource_ids: vec![id.to_owned()],
        latency: call.config.job_latency.listener,
    }
}

/// Makes the listener ready for the next write.
pub(super) fn ready(id: &str) -> impl FnOnce(&mut Store) + Send + 'static {
    let id = id.to_owned();
    move |store| {
        if let Some(listener) = store.listeners.get_mut(&id) {
            listener.phase = Phase::Ready;
            store.touch_listener(&id);
        }
    }
}

fn fill_defaults(attributes: &mut wire::ListenerAttributes, protocol: ListenerProtocol) {
    let default = alb_model::Listener::default();
    attributes
        .idle_timeout
        .get_or_insert(default.idle_timeout_s.into());
    attributes
        .request_timeout
        .get_or_insert(default.request_timeout_s.into());
    attributes.gzip_enabled.get_or_insert(default.gzip);
    if protocol != ListenerProtocol::Http {
        attributes.ca_enabled.get_or_insert(false);
        attributes
            .security_policy_id
            .get_or_insert_with(|| SYSTEM_POLICIES[0].to_owned());
    }
    if protocol == ListenerProtocol::Https {
        attributes.http2_enabled.get_or_insert(default.http2);
    }
}

/// The first certificate is the default one, the others are additional.
fn split_certificates(
    mut attributes: wire::ListenerAttributes,
) -> (wire::ListenerAttributes, BTreeSet<String>) {
    let mut ids = attributes.certificate_ids().map(str::to_owned);
    let default = ids.next();
    let extra = ids.filter(|id| Some(id) != default.as_ref()).collect();
    if let Some(certificates) = &mut attributes.certificates {
        certificates.truncate(1);
    }
    (attributes, extra)
}

pub(super) fn get(call: &mut Call<'_>) -> Answer {
    let listener = call.store.listener(call.text("ListenerId"))?;
    let mut answer = render(listener);
    let relations: Vec<Value> = listener
        .acls
        .iter()
        .map(|(id, association)| json!({ "AclId": id, "Status": association.acl_status() }))
        .collect();
    if !relations.is_empty() {
        answer["AclConfig"] = json!({ "AclType": listener.acl_type.as_str(), "AclRelations": relations });
    }
    if listener.protocol != ListenerProtocol::Http {
        answer["Certificates"] = json!(listener.attributes.certificates);
        answer["CaEnabled"] = listener.attributes.ca_enabled.unwrap_or(false).into();
        answer["CaCertificates"] = listener
            .attributes
            .ca_certificate_ids()
            .map(|id| json!({ "CertificateId": id, "IsDefault": true, "Status": "Associated" }))
            .collect();
    }
    Ok(answer)
}

/// What lists and single reads show alike.
pub(crate) fn render(listener: &Listener) -> Value {
    let attributes = wire::ListenerAttributes {
        certificates: None,
        ca_enabled: None,
        ca_certificates: None,
        ..listener.attributes.clone()
    };
    let mut answer = json!(attributes);
    answer["ListenerId"] = listener.id.as_str().into();
    answer["LoadBalancerId"] = listener.load_balancer_id.as_str().into();
    answer["ListenerPort"] = listener.port.into();
    answer["ListenerProtocol"] = listener.protocol.as_str().into();
    answer["ListenerStatus"] = listener.status().into();
    answer["Tags"] = json!(check::render_tags(&listener.tags));
    if let Some(log) = &listener.log {
        answer["LogConfig"] = json!(log);
    }
    answer
}

pub(super) fn list(call: &mut Call<'_>) -> Answer {
    let ids = call.texts("ListenerIds", 20)?;
    let balancers = call.texts("LoadBalancerIds", 20)?;
    let tags = call.tag_filter(20)?;
    let protocol = call.optional("ListenerProtocol");
    let found = call.store.listeners.values().filter(|listener| {
        check::named(&ids, &listener.id)
            && check::named(&balancers, &listener.load_balancer_id)
            && protocol.is_none_or(|wanted| wanted == listener.protocol.as_str())
            && check::has_tags(&listener.tags, &tags)
    });
    let page = call.page(found.map(|listener| (listener.position, listener)), 100)?;
    page.answer("Listeners", render)
}

pub(super) fn update(call: &mut Call<'_>) -> Answer {
    let id = call.text("ListenerId").to_owned();
    let change: wire::ListenerAttributes = call.parse()?;
    let listener = call.store.writable_listener(&id)?;
    let mut after = wire::merged(&listener.attributes, &change);
    if after
        .certificates
        .as_ref()
        .is_some_and(|certificates| certificates.len() > 1)
    {
        return Err(ApiError::illegal(
            "Certificates",
            "an update sets the default certificate only; associate the others",
        ));
    }
    if after.ca_enabled != Some(true) {
        after.ca_certificates = None;
    }
    check_attributes(call.store, &listener.load_balancer_id, listener.protocol, &after)?;
    if let Some(group) = after
        .default_group()
        .filter(|group| Some(*group) != listener.attributes.default_group())
    {
        check_reference_quota(call.store, group, 1)?;
    }
    let job = change_listener(call, &id, Operate::Update, Some(after), |_| ())?;
    Ok(json!({ "JobId": job }))
}

/// Starts a job that changes a listener; it is `Configuring` until then. `attributes` replace the listener's.
pub(super) fn change_listener(
    call: &mut Call<'_>,
    id: &str,
    operate: Operate,
    attributes: Option<wire::ListenerAttributes>,
    change: impl FnOnce(&mut Listener) + Send + 'static,
) -> ApiResult<String> {
    call.store.writable_listener(id)?;
    call.commit()?;
    if let Some(listener) = call.store.listeners.get_mut(id) {
        listener.phase = Phase::Configuring;
        listener.pending = attributes;
    }
    let (done, failed) = (id.to_owned(), id.to_owned());
    Ok(call.start_job(
        about(call, operate, id),
        move |store| {
            if let Some(listener) = store.listeners.get_mut(&done) {
                listener.phase = Phase::Ready;
                if let Some(attributes) = listener.pending.take() {
                    listener.attributes = attributes;
                }
                change(listener);
                store.touch_listener(&done);
            }
        },
        move |store| {
            if let Some(listener) = store.listeners.get_mut(&failed) {
                listener.phase = Phase::Ready;
                listener.pending = None;
                listener.settle_associations(Association::Associated);
                listener
                    .scripts
                    .retain(|_, script| script.phase != Phase::Creating);
            }
        },
    ))
}

impl Listener {
    /// Ends what was on its way: with `keep` being `Associating`, additions stay and removals go; with `Associated`,
    /// all is as it was before.
    pub(super) fn settle_associations(&mut self, keep: Association) {
        let stays = |association: &Association| {
            *association == Association::Associated
                || *association == keep
                || (keep == Association::Associated && *association == Association::Dissociating)
        };
        for map in [&mut self.extra_certificates, &mut self.acls] {
            map.retain(|_, association| stays(association));
            for association in map.values_mut() {
                *association = Association::Associated;
            }
        }
    }
}

pub(super) fn delete(call: &mut Call<'_>) -> Answer {
    let id = call.text("ListenerId").to_owned();
    call.store.writable_listener(&id)?;
    call.commit()?;
    if let Some(listener) = call.store.listeners.get_mut(&id) {
        listener.phase = Phase::Deleting;
    }
    let gone = id.clone();
    let job = call.start_job(
        about(call, Operate::Delete, &id),
        move |store| store.remove_listener(&gone),
        ready(&id),
    );
    Ok(json!({ "JobId": job }))
}
