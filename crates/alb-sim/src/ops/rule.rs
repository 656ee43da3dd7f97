//! Forwarding rules.

use std::collections::{BTreeMap, BTreeSet};

use alb_model::{Direction, limits};
use serde::Deserialize;
use serde_json::{Value, json};

use super::listener_check::{check_group, check_reference_quota};
use super::{About, Answer, Call, check, rule_content};
use crate::api::{ApiError, ApiResult};
use crate::state::{Listener, Operate, Phase, Rule, RuleContent, Store, Tags};
use crate::wire;

const RESOURCE: &str = "rule";

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Rules {
    rules: Vec<wire::Rule>,
}

pub(super) fn create(call: &mut Call<'_>) -> Answer {
    let params: Rules = call.parse()?;
    let (ids, job) = create_all(call, &params.rules, |i| format!("Rules.{}.", i + 1))?;
    let ids: Vec<Value> = ids
        .into_iter()
        .map(|(id, priority)| json!({ "RuleId": id, "Priority": priority }))
        .collect();
    Ok(json!({ "RuleIds": ids, "JobId": job }))
}

pub(super) fn create_one(call: &mut Call<'_>) -> Answer {
    let rule: wire::Rule = call.parse()?;
    let (ids, job) = create_all(call, &[rule], |_| String::new())?;
    Ok(json!({ "RuleId": ids.first().map(|(id, _)| id), "JobId": job }))
}

/// Creates all rules or none.
fn create_all(
    call: &mut Call<'_>,
    rules: &[wire::Rule],
    path: impl Fn(usize) -> String,
) -> ApiResult<(Vec<(String, u16)>, String)> {
    check::at_most("Rules", rules.len(), limits::RULES_PER_CALL)?;
    let listener_id = call.text("ListenerId").to_owned();
    let listener = call.store.writable_listener(&listener_id)?;
    let mut checked: Vec<(Direction, RuleContent, Tags)> = Vec::new();
    for (i, rule) in rules.iter().enumerate() {
        let path = path(i);
        let direction = read_direction(rule.direction.as_deref(), &path)?;
        let content = check_content(call, listener, rule, direction, &path)?;
        checked.push((direction, content, check::tags(rule.tag.as_deref())?));
    }
    let planned = checked
        .iter()
        .map(|(direction, content, _)| (*direction, content.priority));
    check_priorities(listener, &BTreeSet::new(), planned)?;
    check_rule_quota(call.store, listener, rules.len())?;
    let contents: Vec<&RuleContent> = checked.iter().map(|(_, content, _)| content).collect();
    check_reference_quotas(call.store, &contents, &[])?;
    call.commit()?;

    let mut made = Vec::new();
    for (direction, content, tags) in checked {
        let id = call.store.ids.resource("rule");
        made.push((id.clone(), content.priority));
        let rule = Rule {
            id: id.clone(),
            position: call.store.ids.position(),
            listener_id: listener_id.clone(),
            phase: Phase::Creating,
            direction,
            content,
            pending: None,
            tags,
        };
        call.store.rule_listener.insert(id.clone(), listener_id.clone());
        if let Some(listener) = call.store.listeners.get_mut(&listener_id) {
            listener.rules.insert(id, rule);
        }
    }
    let ids: Vec<String> = made.iter().map(|(id, _)| id.clone()).collect();
    let failed = ids.clone();
    let job = start(
        call,
        Operate::Create,
        ids,
        BTreeSet::from([listener_id]),
        |rule| rule.phase = Phase::Ready,
        move |store| failed.iter().for_each(|id| remove(store, id)),
    );
    Ok((made, job))
}

fn read_direction(text: Option<&str>, path: &str) -> ApiResult<Direction> {
    let text = text.unwrap_or(Direction::Request.as_str());
    check::one_of(&format!("{path}Direction"), text, &["Request", "Response"])?;
    Ok(text.parse().unwrap_or_default())
}

/// Reads a rule and checks it in its place: values, references, protocol.
fn check_content(
    call: &Call<'_>,
    listener: &Listener,
    rule: &wire::Rule,
    direction: Direction,
    path: &str,
) -> ApiResult<RuleContent> {
    let store = &*call.store;
    let edition = store.load_balancer(&listener.load_balancer_id)?.edition;
    let place = alb_model::Listener {
        port: listener.port,
        protocol: listener.protocol,
        ..alb_model::Listener::default()
    };
    let dotless = call.config.hosts_without_dot;
    let content = rule_content::read(rule, direction, path, edition, &place, dotless)?;
    for group in content.actions.iter().flat_map(wire::Action::server_groups) {
        check_group(store, &listener.load_balancer_id, listener.protocol, group)?;
    }
    Ok(content)
}

/// Priorities are unique for each listener and direction. `replaced` are rules whose present priority does not count.
/// The name of the error is our choice: the documentation gives none.
fn check_priorities(
    listener: &Listener,
    replaced: &BTreeSet<&str>,
    planned: impl Iterator<Item = (Direction, u16)>,
) -> ApiResult<()> {
    let mut taken: BTreeMap<(Direction, u16), String> = listener
        .rules
        .values()
        .filter(|rule| !replaced.contains(rule.id.as_str()))
        .map(|rule| ((rule.direction, rule.content.priority), rule.id.clone()))
        .collect();
    for (direction, priority) in planned {
        if let Some(by) = taken.insert((direction, priority), "another rule of this call".into()) {
            return Err(ApiError::bad_request(
                "Conflict.Priority",
                format!("The priority {priority} of direction {direction} is taken by {by}."),
            ));
        }
    }
    Ok(())
}

fn check_rule_quota(store: &Store, listener: &Listener, more: usize) -> ApiResult<()> {
    let balancer = store.load_balancer(&listener.load_balancer_id)?;
    let used: usize = store
        .listeners_of(&balancer.id)
        .map(|listener| listener.rules.len())
        .sum();
    let limit = store.quotas.rules_per_load_balancer.of(balancer.edition);
    if used + more > limit {
        return Err(ApiError::quota("LoadBalancerRulesNum", used, limit));
    }
    Ok(())
}

/// Counts each rule once for each server group it comes to refer to.
fn check_reference_quotas(store: &Store, after: &[&RuleContent], before: &[&RuleContent]) -> ApiResult<()> {
    let count = |contents: &[&RuleContent]| {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for content in contents {
            let groups: BTreeSet<&str> = content
                .actions
                .iter()
                .flat_map(wire::Action::server_groups)
                .collect();
            for group in groups {
                *counts.entry(group.to_owned()).or_default() += 1;
            }
        }
        counts
    };
    let before = count(before);
    for (group, uses) in count(after) {
        let more = uses.saturating_sub(before.get(&group).copied().unwrap_or(0));
        check_reference_quota(store, &group, more)?;
    }
    Ok(())
}

/// Starts a job on rules; their listeners are `Configuring` until then. `apply` runs for each rule.
fn start(
    call: &mut Call<'_>,
    operate: Operate,
    rules: Vec<String>,
    listeners: BTreeSet<String>,
    apply: impl Fn(&mut Rule) + Send + 'static,
    undo: impl FnOnce(&mut Store) + Send + 'static,
) -> String {
    for id in &listeners {
        if let Some(listener) = call.store.listeners.get_mut(id) {
            listener.phase = Phase::Configuring;
        }
    }
    let about = About {
        operate,
        resource_type: RESOURCE,
        resource_ids: rules.clone(),
        latency: call.config.job_latency.rule,
    };
    let release = move |store: &mut Store| {
        for id in &listeners {
            if let Some(listener) = store.listeners.get_mut(id) {
                listener.phase = Phase::Ready;
            }
            store.touch_listener(id);
        }
    };
    let release_after_failure = release.clone();
    call.start_job(
        about,
        move |store| {
            for id in &rules {
                if let Some(rule) = rule_mut(store, id) {
                    apply(rule);
                    if operate == Operate::Delete {
                        remove(store, id);
                    }
                }
            }
            release(store);
        },
        move |store| {
            undo(store);
            release_after_failure(store);
        },
    )
}

fn rule_mut<'a>(store: &'a mut Store, id: &str) -> Option<&'a mut Rule> {
    let listener = store.rule_listener.get(id)?;
    store.listeners.get_mut(listener)?.rules.get_mut(id)
}

fn remove(store: &mut Store, id: &str) {
    if let Some(listener) = store.rule_listener.remove(id)
        && let Some(listener) = store.listeners.get_mut(&listener)
    {
        listener.rules.remove(id);
    }
}

/// The rule, on a listener that takes writes.
fn writable<'a>(store: &'a Store, id: &str) -> ApiResult<(&'a Listener, &'a Rule)> {
    let listener = store
        .rule_listener
        .get(id)
        .ok_or_else(|| ApiError::not_found("Rule", id))?;
    let listener = store.writable_listener(listener)?;
    let rule = listener
        .rules
        .get(id)
        .ok_or_else(|| ApiError::not_found("Rule", id))?;
    match rule.phase {
        Phase::Ready => Ok((listener, rule)),
        _ => Err(ApiError::incorrect_status("Rule", id, rule.status())),
    }
}

pub(super) fn update(call: &mut Call<'_>) -> Answer {
    let params: Rules = call.parse()?;
    update_all(call, &params.rules, |i| format!("Rules.{}.", i + 1))
}

pub(super) fn update_one(call: &mut Call<'_>) -> Answer {
    let rule: wire::Rule = call.parse()?;
    update_all(call, &[rule], |_| String::new())
}

/// Changes all rules or none. What a rule does not name stays as it is.
fn update_all(call: &mut Call<'_>, rules: &[wire::Rule], path: impl Fn(usize) -> String) -> Answer {
    check::at_most("Rules", rules.len(), limits::RULES_PER_CALL)?;
    let mut changes: BTreeMap<String, RuleContent> = BTreeMap::new();
    let mut listeners: BTreeSet<String> = BTreeSet::new();
    let mut before = Vec::new();
    for (i, change) in rules.iter().enumerate() {
        let path = path(i);
        let id = change.rule_id.clone().unwrap_or_default();
        let (listener, rule) = writable(call.store, &id)?;
        let whole = wire::Rule {
            rule_name: change
                .rule_name
                .clone()
                .or_else(|| Some(rule.content.name.clone())),
            priority: change.priority.or(Some(rule.content.priority.into())),
            rule_conditions: change
                .rule_conditions
                .clone()
                .or_else(|| Some(rule.content.conditions.clone())),
            rule_actions: change
                .rule_actions
                .clone()
                .or_else(|| Some(rule.content.actions.clone())),
            ..wire::Rule::default()
        };
        let content = check_content(call, listener, &whole, rule.direction, &path)?;
        listeners.insert(listener.id.clone());
        before.push(&rule.content);
        if changes.insert(id, content).is_some() {
            return Err(ApiError::bad_request(
                "DuplicatedParam.RuleId",
                format!("The param of {path}RuleId is duplicated."),
            ));
        }
    }
    let replaced: BTreeSet<&str> = changes.keys().map(String::as_str).collect();
    for id in &listeners {
        let listener = call.store.listener(id)?;
        let planned = changes.iter().filter_map(|(rule, content)| {
            let rule = listener.rules.get(rule)?;
            Some((rule.direction, content.priority))
        });
        check_priorities(listener, &replaced, planned)?;
    }
    let after: Vec<&RuleContent> = changes.values().collect();
    check_reference_quotas(call.store, &after, &before)?;
    call.commit()?;

    let ids: Vec<String> = changes.keys().cloned().collect();
    for (id, content) in changes {
        if let Some(rule) = rule_mut(call.store, &id) {
            rule.phase = Phase::Configuring;
            rule.pending = Some(content);
        }
    }
    let failed = ids.clone();
    let job = start(
        call,
        Operate::Update,
        ids,
        listeners,
        |rule| {
            rule.phase = Phase::Ready;
            if let Some(content) = rule.pending.take() {
                rule.content = content;
            }
        },
        move |store| {
            for id in &failed {
                if let Some(rule) = rule_mut(store, id) {
                    rule.phase = Phase::Ready;
                    rule.pending = None;
                }
            }
        },
    );
    Ok(json!({ "JobId": job }))
}

pub(super) fn delete(call: &mut Call<'_>) -> Answer {
    let ids = call.texts("RuleIds", limits::RULE_IDS_PER_DELETE)?;
    delete_all(call, ids)
}

pub(super) fn delete_one(call: &mut Call<'_>) -> Answer {
    let id = call.text("RuleId").to_owned();
    delete_all(call, vec![id])
}

fn delete_all(call: &mut Call<'_>, mut ids: Vec<String>) -> Answer {
    ids.sort();
    ids.dedup();
    let mut listeners = BTreeSet::new();
    for id in &ids {
        let (listener, _) = writable(call.store, id)?;
        listeners.insert(listener.id.clone());
    }
    call.commit()?;
    for id in &ids {
        if let Some(rule) = rule_mut(call.store, id) {
            rule.phase = Phase::Deleting;
        }
    }
    let failed = ids.clone();
    let job = start(
        call,
        Operate::Delete,
        ids,
        listeners,
        |_| (),
        move |store| {
            for id in &failed {
                if let Some(rule) = rule_mut(store, id) {
                    rule.phase = Phase::Ready;
                }
            }
        },
    );
    Ok(json!({ "JobId": job }))
}

pub(super) fn list(call: &mut Call<'_>) -> Answer {
    let listeners = call.texts("ListenerIds", limits::IDS_PER_LIST_FILTER)?;
    let balancers = call.texts("LoadBalancerIds", limits::IDS_PER_LIST_FILTER)?;
    let ids = call.texts("RuleIds", limits::IDS_PER_LIST_FILTER)?;
    let tags = call.tag_filter(20)?;
    let direction = read_direction(call.optional("Direction"), "")?;
    let in_place = |listener: &&Listener| {
        check::named(&listeners, &listener.id) && check::named(&balancers, &listener.load_balancer_id)
    };
    let found = call
        .store
        .listeners
        .values()
        .filter(in_place)
        .flat_map(|listener| listener.rules.values().map(move |rule| (listener, rule)))
        .filter(|(_, rule)| {
            rule.direction == direction && check::named(&ids, &rule.id) && check::has_tags(&rule.tags, &tags)
        });
    let page = call.page(found.map(|found| (found.1.position, found)), 100)?;
    page.answer("Rules", |(listener, rule)| {
        render(&listener.load_balancer_id, rule)
    })
}

pub(crate) fn render(load_balancer_id: &str, rule: &Rule) -> Value {
    json!({
        "RuleId": rule.id,
        "RuleName": rule.content.name,
        "RuleStatus": rule.status(),
        "Priority": rule.content.priority,
        "Direction": rule.direction.as_str(),
        "ListenerId": rule.listener_id,
        "LoadBalancerId": load_balancer_id,
        "RuleConditions": rule.content.conditions,
        "RuleActions": rule.content.actions,
        "Tags": check::render_tags(&rule.tags),
    })
}
