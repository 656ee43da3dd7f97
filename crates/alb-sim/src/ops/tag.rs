//! Tags and resource groups.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, Call, check};
use crate::api::{ApiError, ApiResult};
use crate::state::{Store, Tags};
use crate::wire::Tag;

const TYPES: [&str; 4] = ["loadbalancer", "acl", "securitypolicy", "servergroup"];

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct TagParams {
    resource_id: Vec<String>,
    tag: Vec<Tag>,
    tag_key: Vec<String>,
    all: bool,
}

impl Call<'_> {
    /// The `Tag` filter of a list call.
    pub(super) fn tag_filter(&self, max: usize) -> ApiResult<Vec<Tag>> {
        let params: super::listener::Tagged = self.parse()?;
        let tags = params.tag.unwrap_or_default();
        check::at_most("Tag", tags.len(), max)?;
        Ok(tags)
    }

    fn resource_type(&self) -> ApiResult<&str> {
        let kind = self.text("ResourceType");
        check::one_of("ResourceType", kind, &TYPES)?;
        Ok(kind)
    }
}

/// Tags of all resources of a type, by id.
fn tags_of<'a>(store: &'a Store, kind: &str) -> BTreeMap<&'a str, &'a Tags> {
    match kind {
        "loadbalancer" => store
            .load_balancers
            .iter()
            .map(|(id, r)| (id.as_str(), &r.tags))
            .collect(),
        "servergroup" => store
            .server_groups
            .iter()
            .map(|(id, r)| (id.as_str(), &r.tags))
            .collect(),
        "acl" => store.acls.iter().map(|(id, r)| (id.as_str(), &r.tags)).collect(),
        _ => BTreeMap::new(),
    }
}

fn tags_mut<'a>(store: &'a mut Store, kind: &str, id: &str) -> Option<&'a mut Tags> {
    match kind {
        "loadbalancer" => store.load_balancers.get_mut(id).map(|r| &mut r.tags),
        "servergroup" => store.server_groups.get_mut(id).map(|r| &mut r.tags),
        "acl" => store.acls.get_mut(id).map(|r| &mut r.tags),
        _ => None,
    }
}

fn not_found(kind: &str, id: &str) -> ApiError {
    let name = match kind {
        "loadbalancer" => "LoadBalancer",
        "servergroup" => "ServerGroup",
        "acl" => "Acl",
        _ => "SecurityPolicy",
    };
    ApiError::not_found(name, id)
}

/// Changes the tags of all named resources or of none.
fn change(call: &mut Call<'_>, ids: &[String], change: impl Fn(&mut Tags)) -> Answer {
    let kind = call.resource_type()?.to_owned();
    check::at_most("ResourceId", ids.len(), 50)?;
    for id in ids {
        let Some(tags) = tags_mut(call.store, &kind, id) else {
            return Err(not_found(&kind, id));
        };
        let mut after = tags.clone();
        change(&mut after);
        check::at_most("Tag", after.len(), check::MAX_TAGS)?;
    }
    call.commit()?;
    for id in ids {
        if let Some(tags) = tags_mut(call.store, &kind, id) {
            change(tags);
        }
        match kind.as_str() {
            "loadbalancer" => call.store.touch(id),
            "servergroup" => call.store.touch_server_group(id),
            _ => {}
        }
    }
    Ok(json!({}))
}

pub(super) fn tag(call: &mut Call<'_>) -> Answer {
    let params: TagParams = call.parse()?;
    let tags = check::tags(Some(&params.tag))?;
    change(call, &params.resource_id, |existing| {
        existing.extend(tags.clone());
    })
}

pub(super) fn untag(call: &mut Call<'_>) -> Answer {
    let params: TagParams = call.parse()?;
    if !params.all && params.tag.is_empty() && params.tag_key.is_empty() {
        return Err(ApiError::missing("TagKey"));
    }
    let all = params.all && params.tag.is_empty() && params.tag_key.is_empty();
    change(call, &params.resource_id, |existing| {
        existing.retain(|key, value| {
            let named = params.tag_key.contains(key)
                || params
                    .tag
                    .iter()
                    .any(|tag| tag.key == *key && (tag.value.is_empty() || tag.value == *value));
            !(all || named)
        });
    })
}

pub(super) fn list(call: &mut Call<'_>) -> Answer {
    let params: TagParams = call.parse()?;
    if params.resource_id.is_empty() && params.tag.is_empty() {
        return Err(ApiError::missing("ResourceId"));
    }
    let kind = call.resource_type()?.to_owned();
    let resources = tags_of(call.store, &kind);
    let found = resources
        .into_iter()
        .filter(|(id, tags)| check::named(&params.resource_id, id) && check::has_tags(tags, &params.tag))
        .flat_map(|(id, tags)| tags.iter().map(move |(key, value)| (id, key, value)));
    let page = call.page((1..).zip(found), 100)?;
    let mut answer = page.answer("TagResources", |(id, key, value)| {
        json!({ "ResourceId": id, "ResourceType": kind, "TagKey": key, "TagValue": value })
    })?;
    if let Some(answer) = answer.as_object_mut() {
        // The one list that does not count.
        answer.remove("TotalCount");
    }
    Ok(answer)
}

pub(super) fn keys(call: &mut Call<'_>) -> Answer {
    let kind = call.resource_type()?.to_owned();
    let keyword = call.optional("Keyword").unwrap_or_default();
    let resources = tags_of(call.store, &kind);
    let keys: BTreeSet<&String> = resources
        .into_values()
        .flat_map(Tags::keys)
        .filter(|key| key.contains(keyword))
        .collect();
    let page = call.page((1..).zip(keys), 50)?;
    page.answer("TagKeys", |key| json!({ "TagKey": key, "Category": "custom" }))
}

pub(super) fn values(call: &mut Call<'_>) -> Answer {
    let kind = call.optional("ResourceType").unwrap_or("loadbalancer");
    check::one_of("ResourceType", kind, &TYPES)?;
    let (wanted, key) = (call.optional("ResourceId"), call.text("TagKey"));
    let resources = tags_of(call.store, kind);
    let values: BTreeSet<&String> = resources
        .into_iter()
        .filter(|(id, _)| wanted.is_none_or(|wanted| wanted == *id))
        .filter_map(|(_, tags)| tags.get(key))
        .collect();
    let page = call.page((1..).zip(values), 50)?;
    page.answer("TagValues", |value| Value::from(value.as_str()))
}

pub(super) fn move_resource_group(call: &mut Call<'_>) -> Answer {
    let kind = call.resource_type()?.to_owned();
    let id = call.text("ResourceId").to_owned();
    let group = call.text("NewResourceGroupId").to_owned();
    if !group.starts_with("rg-") {
        return Err(ApiError::not_found("ResourceGroup", &group));
    }
    let slot = match kind.as_str() {
        "loadbalancer" => call
            .store
            .load_balancers
            .get_mut(&id)
            .map(|r| &mut r.attributes.resource_group_id),
        "servergroup" => call
            .store
            .server_groups
            .get_mut(&id)
            .map(|r| &mut r.attributes.resource_group_id),
        "acl" => call.store.acls.get_mut(&id).map(|r| &mut r.resource_group_id),
        _ => None,
    };
    *slot.ok_or_else(|| not_found(&kind, &id))? = Some(group);
    Ok(json!({}))
}
