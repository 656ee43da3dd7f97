//! Access control lists.

use std::collections::{BTreeMap, BTreeSet};

use alb_model::limits;
use ipnet::IpNet;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{About, Answer, Call, check};
use crate::api::ApiError;
use crate::state::{Acl, AclEntry, Operate, Phase, Store, format_time};

const RESOURCE: &str = "acl";

fn about(call: &Call<'_>, operate: Operate, id: &str) -> About {
    About {
        operate,
        resource_type: RESOURCE,
        resource_ids: vec![id.to_owned()],
        latency: call.config.job_latency.acl,
    }
}

pub(super) fn create(call: &mut Call<'_>) -> Answer {
    let name = call.text("AclName").to_owned();
    if !name.is_empty() {
        check::name("AclName", &name)?;
    }
    let tags = check::tags(Some(&call.tag_filter(check::MAX_TAGS)?))?;
    let (used, limit) = (call.store.acls.len(), call.store.quotas.acls);
    if used >= limit {
        return Err(ApiError::quota("AclsNum", used, limit));
    }
    call.commit()?;
    let id = call.store.ids.resource("nacl");
    let acl = Acl {
        id: id.clone(),
        position: call.store.ids.position(),
        phase: Phase::Creating,
        created: call.now,
        name,
        resource_group_id: call.optional("ResourceGroupId").map(str::to_owned),
        tags,
        entries: BTreeMap::new(),
    };
    call.store.acls.insert(id.clone(), acl);
    let failed = id.clone();
    let job = call.start_job(about(call, Operate::Create, &id), ready(&id), move |store| {
        store.acls.remove(&failed);
    });
    Ok(json!({ "AclId": id, "JobId": job }))
}

fn ready(id: &str) -> impl FnOnce(&mut Store) + Send + 'static {
    let id = id.to_owned();
    move |store| {
        if let Some(acl) = store.acls.get_mut(&id) {
            acl.phase = Phase::Ready;
        }
    }
}

pub(super) fn update(call: &mut Call<'_>) -> Answer {
    let (id, name) = (call.text("AclId").to_owned(), call.text("AclName").to_owned());
    check::name("AclName", &name)?;
    call.store.writable_acl(&id)?;
    call.commit()?;
    if let Some(acl) = call.store.acls.get_mut(&id) {
        acl.name = name;
    }
    Ok(json!({}))
}

pub(super) fn delete(call: &mut Call<'_>) -> Answer {
    let id = call.text("AclId").to_owned();
    call.store.writable_acl(&id)?;
    let user = call
        .store
        .listeners
        .values()
        .find(|listener| listener.acls.contains_key(&id));
    if let Some(listener) = user {
        return Err(ApiError::in_use("Acl", &id, &format!("listener {}", listener.id)));
    }
    call.commit()?;
    if let Some(acl) = call.store.acls.get_mut(&id) {
        acl.phase = Phase::Deleting;
    }
    let gone = id.clone();
    let job = call.start_job(
        about(call, Operate::Delete, &id),
        move |store| {
            store.acls.remove(&gone);
        },
        ready(&id),
    );
    Ok(json!({ "JobId": job }))
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Entries {
    acl_entries: Vec<Entry>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Entry {
    entry: String,
    description: String,
}

pub(super) fn add_entries(call: &mut Call<'_>) -> Answer {
    let params: Entries = call.parse()?;
    let id = call.text("AclId").to_owned();
    let acl = call.store.writable_acl(&id)?;
    check::at_most(
        "AclEntries",
        params.acl_entries.len(),
        limits::ACL_ENTRIES_PER_CALL,
    )?;
    let mut added: BTreeMap<String, AclEntry> = BTreeMap::new();
    for (i, entry) in params.acl_entries.into_iter().enumerate() {
        let path = format!("AclEntries.{}.Entry", i + 1);
        if entry.entry.parse::<IpNet>().is_err() {
            return Err(ApiError::illegal(
                &path,
                format_args!("{:?} is not a CIDR block such as 10.0.0.0/8", entry.entry),
            ));
        }
        let about = AclEntry {
            description: entry.description,
            status: "Adding",
        };
        if acl.entries.contains_key(&entry.entry) || added.insert(entry.entry.clone(), about).is_some() {
            return Err(ApiError::already_exists("AclEntry", &entry.entry));
        }
    }
    let (used, limit) = (acl.entries.len(), call.store.quotas.entries_per_acl);
    if used + added.len() > limit {
        return Err(ApiError::quota("AclEntriesNum", used, limit));
    }
    change(call, &id, move |acl| acl.entries.extend(added))
}

pub(super) fn remove_entries(call: &mut Call<'_>) -> Answer {
    let removed = call.texts("Entries", limits::ACL_ENTRIES_PER_CALL)?;
    let id = call.text("AclId").to_owned();
    let acl = call.store.writable_acl(&id)?;
    if let Some(unknown) = removed.iter().find(|entry| !acl.entries.contains_key(*entry)) {
        return Err(ApiError::not_found("AclEntry", unknown));
    }
    change(call, &id, move |acl| {
        for entry in &removed {
            if let Some(about) = acl.entries.get_mut(entry) {
                about.status = "Removing";
            }
        }
    })
}

/// Marks entries now; a job makes the marks come true.
fn change(call: &mut Call<'_>, id: &str, mark: impl FnOnce(&mut Acl)) -> Answer {
    call.commit()?;
    if let Some(acl) = call.store.acls.get_mut(id) {
        acl.phase = Phase::Configuring;
        mark(acl);
    }
    let end = |id: &str, gone: &'static str| {
        let id = id.to_owned();
        move |store: &mut Store| {
            if let Some(acl) = store.acls.get_mut(&id) {
                acl.phase = Phase::Ready;
                acl.entries.retain(|_, entry| entry.status != gone);
                acl.entries
                    .values_mut()
                    .for_each(|entry| entry.status = "Available");
                store.touch_acl(&id);
            }
        }
    };
    let job = call.start_job(
        about(call, Operate::Update, id),
        end(id, "Removing"),
        end(id, "Adding"),
    );
    Ok(json!({ "JobId": job }))
}

pub(super) fn list(call: &mut Call<'_>) -> Answer {
    let ids = call.texts("AclIds", 20)?;
    let names = call.texts("AclNames", 10)?;
    let tags = call.tag_filter(20)?;
    let group = call.optional("ResourceGroupId");
    let found = call.store.acls.values().filter(|acl| {
        check::named(&ids, &acl.id)
            && check::named(&names, &acl.name)
            && check::has_tags(&acl.tags, &tags)
            && group.is_none_or(|wanted| acl.resource_group_id.as_deref() == Some(wanted))
    });
    let page = call.page(found.map(|acl| (acl.position, acl)), 100)?;
    page.answer("Acls", render)
}

fn render(acl: &Acl) -> Value {
    json!({
        "AclId": acl.id,
        "AclName": acl.name,
        "AclStatus": acl.status(),
        "AddressIPVersion": "IPv4",
        "ConfigManagedEnabled": false,
        "CreateTime": format_time(acl.created),
        "ResourceGroupId": acl.resource_group_id.as_deref().unwrap_or("rg-default"),
        "Tags": check::render_tags(&acl.tags),
    })
}

pub(super) fn list_entries(call: &mut Call<'_>) -> Answer {
    let acl = call.store.acl(call.text("AclId"))?;
    let page = call.page((1..).zip(&acl.entries), 100)?;
    page.answer(
        "AclEntries",
        |(entry, about)| json!({ "Entry": entry, "Description": about.description, "Status": about.status }),
    )
}

pub(super) fn list_relations(call: &mut Call<'_>) -> Answer {
    let ids: BTreeSet<String> = call.texts("AclIds", 5)?.into_iter().collect();
    let mut relations = Vec::new();
    for id in ids {
        call.store.acl(&id)?;
        let listeners = call.store.listeners.values().filter_map(|listener| {
            let association = listener.acls.get(&id)?;
            Some(json!({
                "ListenerId": listener.id,
                "ListenerPort": listener.port,
                "ListenerProtocol": listener.protocol.as_str(),
                "LoadBalancerId": listener.load_balancer_id,
                "Status": association.acl_status(),
            }))
        });
        relations.push(json!({ "AclId": id, "RelatedListeners": listeners.collect::<Vec<_>>() }));
    }
    Ok(json!({ "AclRelations": relations }))
}
