//! Programmable scripts. They are kept, not run: the language is the cloud's own.

use std::collections::{BTreeMap, BTreeSet};

use alb_model::Edition;
use serde::Deserialize;
use serde_json::{Value, json};

use super::listener::change_listener;
use super::{Answer, Call, check};
use crate::api::{ApiError, ApiResult};
use crate::state::{Listener, Operate, Phase, Script, Store};

const POSITIONS: [&str; 3] = ["RequestHead", "RequestFoot", "ResponseHead"];

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Scripts {
    #[serde(rename = "AScripts")]
    scripts: Vec<Wire>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Wire {
    #[serde(rename = "AScriptId")]
    id: String,
    #[serde(rename = "AScriptName")]
    name: Option<String>,
    script_content: Option<String>,
    enabled: Option<bool>,
    position: Option<String>,
    ext_attribute_enabled: Option<bool>,
    ext_attributes: Vec<Attribute>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Attribute {
    attribute_key: String,
    attribute_value: String,
}

impl Wire {
    /// The values that are given; others stay as they are.
    fn apply(&self, script: &mut Script) {
        if let Some(name) = &self.name {
            script.name.clone_from(name);
        }
        if let Some(content) = &self.script_content {
            script.content.clone_from(content);
        }
        if let Some(position) = &self.position {
            script.position.clone_from(position);
        }
        script.enabled = self.enabled.unwrap_or(script.enabled);
        match self.ext_attribute_enabled {
            Some(false) => script.attributes.clear(),
            Some(true) => {
                let given = self.ext_attributes.iter();
                script.attributes = given
                    .map(|a| (a.attribute_key.clone(), a.attribute_value.clone()))
                    .collect();
            }
            None => {}
        }
    }

    fn check(&self, path: &str) -> ApiResult<()> {
        if let Some(name) = &self.name {
            check::name(&format!("{path}.AScriptName"), name)?;
        }
        if self.script_content.as_deref() == Some("") {
            return Err(ApiError::illegal(
                &format!("{path}.ScriptContent"),
                "an empty script does nothing",
            ));
        }
        check::optional_one_of(&format!("{path}.Position"), self.position.as_ref(), &POSITIONS)
    }
}

/// Names are unique on a listener; the name of the error is our choice, the documentation gives none.
fn check_names<'a>(
    listener: &Listener,
    changed: &BTreeSet<&str>,
    names: impl Iterator<Item = &'a str>,
) -> ApiResult<()> {
    let others = listener
        .scripts
        .values()
        .filter(|s| !changed.contains(s.id.as_str()));
    let mut taken: BTreeSet<&str> = others.map(|script| script.name.as_str()).collect();
    for name in names {
        if !taken.insert(name) {
            return Err(ApiError::already_exists("AScript", name));
        }
    }
    Ok(())
}

pub(super) fn create(call: &mut Call<'_>) -> Answer {
    let params: Scripts = call.parse()?;
    let listener_id = call.text("ListenerId").to_owned();
    let listener = call.store.writable_listener(&listener_id)?;
    let balancer = call.store.load_balancer(&listener.load_balancer_id)?;
    if balancer.edition == Edition::Basic {
        return Err(ApiError::denied(
            "AScriptNotSupported",
            "The operation is not allowed: a basic instance has no scripts; upgrade it.",
        ));
    }
    for (i, script) in params.scripts.iter().enumerate() {
        script.check(&format!("AScripts.{}", i + 1))?;
    }
    let names = params.scripts.iter().filter_map(|script| script.name.as_deref());
    check_names(listener, &BTreeSet::new(), names)?;
    call.commit()?;
    let made: Vec<Script> = params
        .scripts
        .iter()
        .map(|wire| {
            let mut script = Script {
                id: call.store.ids.resource("as"),
                phase: Phase::Creating,
                name: String::new(),
                content: String::new(),
                enabled: false,
                position: POSITIONS[0].to_owned(),
                attributes: BTreeMap::new(),
            };
            wire.apply(&mut script);
            script
        })
        .collect();
    let ids: Vec<String> = made.iter().map(|script| script.id.clone()).collect();
    let done = ids.clone();
    let job = change_listener(call, &listener_id, Operate::Create, None, move |listener| {
        for id in &done {
            if let Some(script) = listener.scripts.get_mut(id) {
                script.phase = Phase::Ready;
            }
        }
    })?;
    if let Some(listener) = call.store.listeners.get_mut(&listener_id) {
        listener
            .scripts
            .extend(made.into_iter().map(|script| (script.id.clone(), script)));
    }
    let ids: Vec<Value> = ids.iter().map(|id| json!({ "AScriptId": id })).collect();
    Ok(json!({ "AScriptIds": ids, "JobId": job }))
}

/// The one listener that all these scripts are on.
fn listener_of(store: &Store, ids: &[String]) -> ApiResult<String> {
    let mut found = None;
    for id in ids {
        let listener = store.listeners.values().find(|l| l.scripts.contains_key(id));
        let listener = listener.ok_or_else(|| ApiError::not_found("AScript", id))?;
        if found.is_some_and(|first| first != listener.id.as_str()) {
            return Err(ApiError::illegal(
                "AScripts",
                "the scripts are on several listeners",
            ));
        }
        found = Some(listener.id.as_str());
    }
    found
        .map(str::to_owned)
        .ok_or_else(|| ApiError::missing("AScripts"))
}

pub(super) fn update(call: &mut Call<'_>) -> Answer {
    let params: Scripts = call.parse()?;
    let ids: Vec<String> = params.scripts.iter().map(|script| script.id.clone()).collect();
    let listener_id = listener_of(call.store, &ids)?;
    let listener = call.store.writable_listener(&listener_id)?;
    for (i, script) in params.scripts.iter().enumerate() {
        script.check(&format!("AScripts.{}", i + 1))?;
    }
    let renamed: BTreeSet<&str> = params
        .scripts
        .iter()
        .filter(|script| script.name.is_some())
        .map(|script| script.id.as_str())
        .collect();
    let names = params.scripts.iter().filter_map(|script| script.name.as_deref());
    check_names(listener, &renamed, names)?;
    let job = change_listener(call, &listener_id, Operate::Update, None, move |listener| {
        for wire in &params.scripts {
            if let Some(script) = listener.scripts.get_mut(&wire.id) {
                wire.apply(script);
            }
        }
    })?;
    Ok(json!({ "JobId": job }))
}

pub(super) fn delete(call: &mut Call<'_>) -> Answer {
    let ids = call.texts("AScriptIds", 20)?;
    let listener_id = listener_of(call.store, &ids)?;
    let job = change_listener(call, &listener_id, Operate::Delete, None, move |listener| {
        listener.scripts.retain(|id, _| !ids.contains(id));
    })?;
    Ok(json!({ "JobId": job }))
}

pub(super) fn list(call: &mut Call<'_>) -> Answer {
    let ids = call.texts("AScriptIds", 20)?;
    let names = call.texts("AScriptNames", 20)?;
    let listeners = call.texts("ListenerIds", 20)?;
    let all = call
        .store
        .listeners
        .values()
        .filter(|l| check::named(&listeners, &l.id));
    let scripts = all.flat_map(|listener| listener.scripts.values().map(move |script| (listener, script)));
    let found = scripts.filter(|(_, s)| check::named(&ids, &s.id) && check::named(&names, &s.name));
    let page = call.page((1..).zip(found), 100)?;
    page.answer("AScripts", |(listener, script)| render(listener, script))
}

/// A script as `ListAScripts` shows it: neither its position nor its extended attributes.
pub(crate) fn render(listener: &Listener, script: &Script) -> Value {
    json!({
        "AScriptId": script.id,
        "AScriptName": script.name,
        "AScriptStatus": script.status(),
        "Enabled": script.enabled,
        "ListenerId": listener.id,
        "LoadBalancerId": listener.load_balancer_id,
        "ScriptContent": script.content,
    })
}
