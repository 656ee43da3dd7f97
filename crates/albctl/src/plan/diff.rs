//! The difference between what is there and what comes of a plan, by content.

use std::collections::BTreeMap;

use alb_model::{Action, Gateway, Rule, ServerGroup, ServerGroupRef};
use alb_plan::{
    Observed, ObservedListener, ObservedServerGroup, RuleIdentity, SERVICE_TAGS, describe_actions,
    describe_conditions,
};
use serde::Serialize;
use serde_json::Value;

/// What happens to something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mark {
    /// It is new.
    Added,
    /// It stays and becomes different.
    Changed,
    /// It goes.
    Removed,
    /// It stays as it is, at another place among the rules.
    Moved,
}

impl Mark {
    /// How it is shown.
    pub fn sign(self) -> &'static str {
        match self {
            Self::Added => "+",
            Self::Changed => "~",
            Self::Removed => "-",
            Self::Moved => ">",
        }
    }
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DiffLine {
    /// What happens.
    pub mark: Mark,
    /// What it happens to: `load balancer`, `listener 80/HTTP`, `server groups`, `certificates`, `access control lists`, `scripts`.
    pub part: String,
    /// The thing itself, and what it becomes.
    pub text: String,
    /// Objects and fields that ask for it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub origins: Vec<String>,
}

/// All differences, by part.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Diff {
    /// The differences.
    pub lines: Vec<DiffLine>,
}

/// Attributes that say nothing about how requests are answered, or are shown elsewhere.
const IGNORED: [&str; 7] = [
    "id",
    "rules",
    "servers",
    "dns_name",
    "force_override",
    "listener_force_override",
    "name",
];

/// Scripts by listener and name.
fn scripts(observed: &Observed) -> BTreeMap<String, Value> {
    let of = |listener: &ObservedListener| {
        let (port, protocol) = listener.key();
        let scripts = listener.scripts.clone().unwrap_or_default().into_iter();
        scripts.map(move |script| {
            let shown = serde_json::json!({ "content": script.content, "enabled": script.enabled });
            (format!("{} on {port}/{protocol}", script.name), shown)
        })
    };
    observed.listeners.iter().flat_map(of).collect()
}

impl Diff {
    /// Compares two states. `desired` tells which objects ask for a rule.
    pub fn new(before: &Observed, after: &Observed, desired: &Gateway) -> Self {
        let mut diff = Self::default();
        diff.load_balancer(before, after);
        diff.listeners(before, after, desired);
        diff.groups(before, after);
        let certificates = |observed: &Observed| {
            observed
                .certificates
                .keys()
                .map(|name| (name.clone(), Value::Null))
                .collect()
        };
        diff.named("certificates", &certificates(before), &certificates(after));
        let acls = |observed: &Observed| {
            let acls = observed.acls.values();
            acls.map(|acl| (acl.name.clone(), serde_json::json!({ "entries": acl.entries })))
                .collect()
        };
        diff.named("access control lists", &acls(before), &acls(after));
        diff.named("scripts", &scripts(before), &scripts(after));
        diff
    }

    /// Number of differences of a kind.
    pub fn count(&self, mark: Mark) -> usize {
        self.lines.iter().filter(|line| line.mark == mark).count()
    }

    fn push(&mut self, mark: Mark, part: &str, text: impl Into<String>) {
        self.lines.push(DiffLine {
            mark,
            part: part.to_owned(),
            text: text.into(),
            origins: Vec::new(),
        });
    }

    fn load_balancer(&mut self, before: &Observed, after: &Observed) {
        const PART: &str = "load balancer";
        match (&before.load_balancer, &after.load_balancer) {
            (None, Some(new)) => {
                let lb = &new.attributes;
                self.push(
                    Mark::Added,
                    PART,
                    format!("{} ({}, {})", lb.name, lb.address_type, lb.edition),
                );
            }
            (Some(old), None) => self.push(Mark::Removed, PART, old.attributes.name.clone()),
            (Some(old), Some(new)) => {
                let mut changes = changes(&json(&old.attributes), &json(&new.attributes));
                if old.attributes.name != new.attributes.name {
                    changes.insert(
                        0,
                        format!("name {} -> {}", old.attributes.name, new.attributes.name),
                    );
                }
                for change in changes {
                    self.push(Mark::Changed, PART, change);
                }
            }
            (None, None) => {}
        }
    }

    fn listeners(&mut self, before: &Observed, after: &Observed, desired: &Gateway) {
        let names = group_names(before, after);
        let mut keys: Vec<_> = before
            .listeners
            .iter()
            .chain(&after.listeners)
            .map(ObservedListener::key)
            .collect();
        keys.sort_unstable();
        keys.dedup();
        for key in keys {
            let part = format!("listener {}/{}", key.0, key.1);
            let (old, new) = (before.listener(key), after.listener(key));
            match (old, new) {
                (None, Some(_)) => self.push(Mark::Added, &part, "the listener"),
                (Some(_), None) => self.push(Mark::Removed, &part, "the listener, with its rules"),
                (Some(old), Some(new)) => {
                    for change in changes(&json(&old.attributes), &json(&new.attributes)) {
                        self.push(Mark::Changed, &part, change);
                    }
                }
                (None, None) => {}
            }
            let wanted = desired.listeners.iter().find(|listener| listener.key() == key);
            let origins: BTreeMap<RuleIdentity, &Rule> = wanted
                .iter()
                .flat_map(|listener| &listener.rules)
                .map(|rule| (RuleIdentity::of(rule), &**rule))
                .collect();
            self.rules(&part, old, new, &names, &origins);
        }
    }

    fn rules(
        &mut self,
        part: &str,
        before: Option<&ObservedListener>,
        after: Option<&ObservedListener>,
        names: &BTreeMap<String, String>,
        wanted: &BTreeMap<RuleIdentity, &Rule>,
    ) {
        let by_identity = |listener: Option<&ObservedListener>| -> BTreeMap<RuleIdentity, Rule> {
            let rules = listener.into_iter().flat_map(|listener| &listener.rules);
            rules
                .map(|found| (RuleIdentity::of(&found.rule), named(&found.rule, names)))
                .collect()
        };
        let (old, new) = (by_identity(before), by_identity(after));
        let mut lines: Vec<(u16, DiffLine)> = Vec::new();
        let mut push = |mark, identity: &RuleIdentity, rule: &Rule, text: String| {
            let origins = wanted.get(identity).into_iter().flat_map(|rule| &rule.origins);
            let line = DiffLine {
                mark,
                part: part.to_owned(),
                text,
                origins: origins
                    .map(|origin| format!("{} {}", origin.object, origin.field))
                    .collect(),
            };
            lines.push((rule.priority.unwrap_or_default(), line));
        };
        for (identity, rule) in &new {
            let Some(was) = old.get(identity) else {
                push(Mark::Added, identity, rule, line(rule));
                continue;
            };
            if was.actions != rule.actions {
                let text = format!("{} (was {})", line(rule), describe_actions(&was.actions));
                push(Mark::Changed, identity, rule, text);
            }
            if was.priority != rule.priority {
                let (from, to) = (
                    was.priority.unwrap_or_default(),
                    rule.priority.unwrap_or_default(),
                );
                push(
                    Mark::Moved,
                    identity,
                    rule,
                    format!("{} (priority {from} -> {to})", line(rule)),
                );
            }
        }
        for (identity, rule) in old.iter().filter(|(identity, _)| !new.contains_key(*identity)) {
            push(Mark::Removed, identity, rule, line(rule));
        }
        lines.sort_by_key(|(priority, line)| (*priority, line.mark == Mark::Added));
        self.lines.extend(lines.into_iter().map(|(_, line)| line));
    }

    fn groups(&mut self, before: &Observed, after: &Observed) {
        let all = |observed: &Observed| -> BTreeMap<String, Value> {
            let groups = observed.server_groups.values();
            groups
                .map(|group| {
                    let mut value = json(&group.attributes);
                    if !group.attributes.servers.is_empty() {
                        value["number_of_servers"] = group.attributes.servers.len().into();
                    }
                    (group_name(group), value)
                })
                .collect()
        };
        self.named("server groups", &all(before), &all(after));
    }

    fn named(&mut self, part: &str, before: &BTreeMap<String, Value>, after: &BTreeMap<String, Value>) {
        for (name, new) in after {
            match before.get(name) {
                None => {
                    let servers = new.get("number_of_servers").and_then(Value::as_u64);
                    let text = servers.map_or_else(|| name.clone(), |n| format!("{name} ({n} server(s))"));
                    self.push(Mark::Added, part, text);
                }
                Some(old) => {
                    for change in changes(old, new) {
                        self.push(Mark::Changed, part, format!("{name}: {change}"));
                    }
                }
            }
        }
        for name in before.keys().filter(|name| !after.contains_key(*name)) {
            self.push(Mark::Removed, part, name.clone());
        }
    }
}

fn json<T: Serialize>(value: &T) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}

/// Attributes that differ: `name old -> new`.
fn changes(before: &Value, after: &Value) -> Vec<String> {
    let (Some(before), Some(after)) = (before.as_object(), after.as_object()) else {
        return Vec::new();
    };
    let differing = after
        .iter()
        .filter(|(name, value)| !IGNORED.contains(&name.as_str()) && before.get(*name) != Some(value));
    let show = |value: Option<&Value>| match value {
        None | Some(Value::Null) => "none".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    differing
        .map(|(name, value)| {
            format!(
                "{} {} -> {}",
                name.replace('_', " "),
                show(before.get(name)),
                show(Some(value))
            )
        })
        .collect()
}

/// A rule in one line.
fn line(rule: &Rule) -> String {
    format!(
        "{} -> {}",
        describe_conditions(&rule.conditions),
        describe_actions(&rule.actions)
    )
}

/// The rule with server groups by names a person knows.
fn named(rule: &Rule, names: &BTreeMap<String, String>) -> Rule {
    let name = |group: &mut ServerGroupRef| {
        if let ServerGroupRef::Id(id) = group
            && let Some(name) = names.get(id)
        {
            *group = ServerGroupRef::Id(name.clone());
        }
    };
    let mut rule = rule.clone();
    for action in &mut rule.actions {
        match action {
            Action::Forward(forward) => forward
                .targets
                .iter_mut()
                .for_each(|target| name(&mut target.group)),
            Action::TrafficMirror(mirror) => mirror.groups.iter_mut().for_each(name),
            _ => {}
        }
    }
    rule
}

fn group_names(before: &Observed, after: &Observed) -> BTreeMap<String, String> {
    let groups = before.server_groups.iter().chain(&after.server_groups);
    groups
        .map(|(id, group)| (id.clone(), group_name(group)))
        .collect()
}

/// `namespace/service:port` of the Service behind a group, else the group's name.
fn group_name(group: &ObservedServerGroup) -> String {
    let attributes: &ServerGroup = &group.attributes;
    let tag = |key: &str| attributes.tags.get(key);
    match SERVICE_TAGS.map(tag) {
        [Some(namespace), Some(service), Some(port)] => {
            let name = format!("{namespace}/{service}:{port}");
            // Groups of one port with different settings have different names.
            let usual = format!("{namespace}-{service}-{port}");
            match attributes.name.strip_prefix(&usual) {
                Some("") | None => name,
                Some(rest) => format!("{name}{rest}"),
            }
        }
        _ => attributes.name.to_string(),
    }
}
