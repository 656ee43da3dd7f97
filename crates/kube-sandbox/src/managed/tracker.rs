//! The list of managers of an object, and the two operations that change it: update and apply.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::fields::FieldSet;
use super::typed;
use crate::json;
use crate::schema::Schema;
use crate::status::{ApiError, ApiResult, Cause};

/// Who writes, through which version and subresource.
#[derive(Debug, Clone)]
pub(crate) struct Writer {
    pub(crate) manager: String,
    pub(crate) api_version: String,
    pub(crate) subresource: &'static str,
    /// Built-in structs hold metadata, spec and status by value; custom resources are plain maps.
    pub(crate) is_builtin: bool,
    pub(crate) now: Timestamp,
}

#[derive(Debug, Clone, PartialEq)]
struct Entry {
    manager: String,
    operation: Operation,
    api_version: String,
    subresource: String,
    time: String,
    set: FieldSet,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Operation {
    Apply,
    Update,
}

/// The managers of one object.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Managers {
    entries: Vec<Entry>,
}

impl Managers {
    /// Reads `metadata.managedFields`; `None` when it is malformed.
    pub(crate) fn read(object: &Value) -> Option<Self> {
        let mut entries = Vec::new();
        for value in json::items(object, &["metadata", "managedFields"]) {
            let text = |key: &str| json::text(value, &[key]).to_owned();
            if value.as_object().is_some_and(Map::is_empty) {
                continue;
            }
            let operation = match json::text(value, &["operation"]) {
                "Apply" => Operation::Apply,
                "Update" => Operation::Update,
                _ => return None,
            };
            let set = match value.get("fieldsV1") {
                Some(fields) => FieldSet::from_value(fields)?,
                None => FieldSet::default(),
            };
            entries.push(Entry {
                manager: text("manager"),
                operation,
                api_version: text("apiVersion"),
                subresource: text("subresource"),
                time: text("time"),
                set,
            });
        }
        Some(Self { entries })
    }

    fn write(&self, object: &mut Value) {
        let mut entries: Vec<&Entry> = self
            .entries
            .iter()
            .filter(|entry| !entry.set.is_empty())
            .collect();
        entries.sort_by(|a, b| {
            (a.operation, &a.time, &a.manager, &a.api_version, &a.subresource).cmp(&(
                b.operation,
                &b.time,
                &b.manager,
                &b.api_version,
                &b.subresource,
            ))
        });
        if entries.is_empty() {
            json::remove(object, &["metadata", "managedFields"]);
            return;
        }
        let list: Vec<Value> = entries.into_iter().map(Entry::to_value).collect();
        json::set(object, &["metadata", "managedFields"], Value::Array(list));
    }

    fn position(&self, writer: &Writer, operation: Operation) -> Option<usize> {
        self.entries.iter().position(|entry| {
            entry.manager == writer.manager
                && entry.operation == operation
                && entry.subresource == writer.subresource
                // An applier keeps its fields when it moves to another version.
                && (operation == Operation::Apply || entry.api_version == writer.api_version)
        })
    }
}

impl Entry {
    fn to_value(&self) -> Value {
        let mut value = json!({
            "manager": self.manager,
            "operation": match self.operation { Operation::Apply => "Apply", Operation::Update => "Update" },
            "apiVersion": self.api_version,
            "time": self.time,
            "fieldsType": "FieldsV1",
            "fieldsV1": self.set.to_value(),
        });
        if !self.subresource.is_empty() {
            value["subresource"] = Value::from(self.subresource.as_str());
        }
        value
    }

    /// The manager as conflict messages name it.
    fn title(&self) -> String {
        let subresource = match self.subresource.as_str() {
            "" => String::new(),
            name => format!(" with subresource {name:?}"),
        };
        let time = match self.operation {
            Operation::Update => format!(" at {}", self.time),
            Operation::Apply => String::new(),
        };
        format!("{:?}{subresource} using {}{time}", self.manager, self.api_version)
    }
}

/// RFC 3339 in whole seconds, as `metav1.Time` prints.
pub(crate) fn timestamp(now: Timestamp) -> String {
    now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Fields that belong to the system and are never owned.
fn system_fields() -> FieldSet {
    let mut set = FieldSet::default();
    for name in ["apiVersion", "kind"] {
        *set.child(format!("f:{name}")) = FieldSet::leaf();
    }
    let metadata = set.child("f:metadata".to_owned());
    for name in [
        "name",
        "namespace",
        "creationTimestamp",
        "selfLink",
        "uid",
        "clusterName",
        "generation",
        "managedFields",
        "resourceVersion",
    ] {
        *metadata.child(format!("f:{name}")) = FieldSet::leaf();
    }
    set
}

fn strip(set: &FieldSet) -> FieldSet {
    let mut left = set.minus_recursive(&system_fields());
    if let Some(metadata) = left.children.get_mut("f:metadata") {
        metadata.member = false;
    }
    left.children.retain(|_, set| !set.is_empty());
    left
}

fn without_managed_fields(object: &Value) -> Value {
    let mut bare = object.clone();
    json::remove(&mut bare, &["metadata", "managedFields"]);
    bare
}

/// Records a create or update by `writer` in `new`'s managed fields.
///
/// `old` is the stored object (`Null` for a create).
pub(crate) fn record_update(schema: &Schema, old: &Value, new: &mut Value, writer: &Writer) {
    let mut managers = starting_point(old, new);
    let now = without_managed_fields(new);
    // A create is compared with an empty object that already has the structs every object has.
    let before = match old {
        Value::Null if writer.is_builtin => json!({"metadata": {}, "spec": {}, "status": {}}),
        Value::Null => json!({"metadata": {}}),
        old => without_managed_fields(old),
    };
    let difference = typed::compare(Some(schema), &before, &now);
    let changed = strip(&difference.changed());
    let removed = strip(&difference.removed);
    let mine = managers.position(writer, Operation::Update);
    for (index, entry) in managers.entries.iter_mut().enumerate() {
        let gone = if Some(index) == mine {
            removed.clone()
        } else {
            removed.union(&changed)
        };
        entry.set = entry.set.minus(&gone);
    }
    if !changed.is_empty() {
        let time = timestamp(writer.now);
        match mine {
            Some(index) => {
                let entry = &mut managers.entries[index];
                let set = entry.set.union(&changed);
                if set != entry.set {
                    entry.time = time;
                }
                entry.set = set;
            }
            None => managers.entries.push(Entry {
                manager: writer.manager.clone(),
                operation: Operation::Update,
                api_version: writer.api_version.clone(),
                subresource: writer.subresource.to_owned(),
                time,
                set: changed,
            }),
        }
    }
    managers.write(new);
}

/// The managers a write starts from: what the client sent if it is usable, else what is stored.
fn starting_point(old: &Value, new: &Value) -> Managers {
    let sent = json::get(new, &["metadata", "managedFields"]);
    let stored = || Managers::read(old).unwrap_or_default();
    match sent {
        None | Some(Value::Null) => stored(),
        Some(_) => Managers::read(new).unwrap_or_else(stored),
    }
}

/// Applies a configuration: returns the merged object (without managed fields) and the managers after it.
pub(crate) struct Applied {
    pub(crate) object: Value,
    managers: Managers,
    before: Value,
}

/// Server-side apply of `config` onto `live` (`Null` when there is none yet).
pub(crate) fn apply(
    schema: &Schema,
    live: &Value,
    config: &Value,
    writer: &Writer,
    force: bool,
) -> ApiResult<Applied> {
    let new_set = strip(&typed::field_set(Some(schema), config).map_err(|error| {
        ApiError::new(
            500,
            "",
            format!(
                "failed to create typed patch object ({}): {error}",
                describe(config)
            ),
        )
    })?);
    let mut managers = Managers::read(live).unwrap_or_default();
    let before = if live.is_null() {
        json!({})
    } else {
        without_managed_fields(live)
    };
    let mut merged = typed::merge(Some(schema), &before, config);
    let mine = managers.position(writer, Operation::Apply);
    if let Some(index) = mine {
        merged = prune(schema, merged, &managers, index, &new_set);
    }
    let difference = typed::compare(Some(schema), &before, &merged);
    let touched = strip(&difference.changed());
    resolve_conflicts(&mut managers, mine, &touched, force)?;
    let removed = strip(&difference.removed);
    for (index, entry) in managers.entries.iter_mut().enumerate() {
        if Some(index) != mine {
            entry.set = entry.set.minus(&removed);
        }
    }
    let time = timestamp(writer.now);
    match mine {
        Some(index) => {
            let entry = &mut managers.entries[index];
            if entry.set != new_set || entry.api_version != writer.api_version {
                entry.time = time;
            }
            entry.set = new_set;
            entry.api_version.clone_from(&writer.api_version);
        }
        None => managers.entries.push(Entry {
            manager: writer.manager.clone(),
            operation: Operation::Apply,
            api_version: writer.api_version.clone(),
            subresource: writer.subresource.to_owned(),
            time,
            set: new_set,
        }),
    }
    Ok(Applied {
        object: merged,
        managers,
        before,
    })
}

impl Applied {
    /// Writes the managers into the final object; fields that defaulting removed again are forgotten.
    pub(crate) fn finish(&self, object: &mut Value) {
        self.managers.write(object);
    }

    /// True when the apply changes neither a value nor an owner.
    pub(crate) fn is_no_op(&self, live: &Value, object: &Value) -> bool {
        Managers::read(live).is_some_and(|managers| managers == self.managers)
            && self.before == without_managed_fields(object)
    }
}

/// Removes what this applier set last time, no longer sets, and nobody else owns.
fn prune(schema: &Schema, merged: Value, managers: &Managers, mine: usize, new_set: &FieldSet) -> Value {
    let mut dropped = managers.entries[mine].set.minus(new_set);
    for (_, entry) in managers
        .entries
        .iter()
        .enumerate()
        .filter(|(index, _)| *index != mine)
    {
        dropped = keep_owned(&dropped, &entry.set);
    }
    // A container stays while this configuration still sets something inside it.
    dropped = keep_owned(&dropped, new_set);
    typed::remove(Some(schema), &merged, &dropped).unwrap_or_else(|| json!({}))
}

/// `dropped` without paths that `owned` holds, or holds something below of.
fn keep_owned(dropped: &FieldSet, owned: &FieldSet) -> FieldSet {
    let mut left = FieldSet {
        member: dropped.member && owned.is_empty(),
        children: Default::default(),
    };
    for (element, set) in &dropped.children {
        let rest = owned
            .children
            .get(element)
            .map_or_else(|| set.clone(), |theirs| keep_owned(set, theirs));
        left.attach(element.clone(), rest);
    }
    left
}

fn resolve_conflicts(
    managers: &mut Managers,
    mine: Option<usize>,
    touched: &FieldSet,
    force: bool,
) -> ApiResult<()> {
    let mut causes = Vec::new();
    let mut lines = Vec::new();
    for (index, entry) in managers.entries.iter_mut().enumerate() {
        if Some(index) == mine {
            continue;
        }
        let conflict = entry.set.intersection(touched);
        if conflict.is_empty() {
            continue;
        }
        if force {
            entry.set = entry.set.minus(&conflict);
            continue;
        }
        let paths = conflict.paths();
        let title = entry.title();
        lines.push(format!(
            "conflicts with {title}:
- {}",
            paths.join(
                "
- "
            )
        ));
        causes.extend(paths.into_iter().map(|field| Cause {
            reason: "FieldManagerConflict",
            message: format!("conflict with {title}"),
            field,
        }));
    }
    if causes.is_empty() {
        return Ok(());
    }
    let message = match causes.as_slice() {
        [one] => format!("Apply failed with 1 conflict: {}: {}", one.message, one.field),
        many => format!("Apply failed with {} conflicts: {}", many.len(), lines.join("\n")),
    };
    Err(ApiError::new(409, "Conflict", message).with_causes(causes))
}

/// `ns/name; apiVersion, Kind=kind`.
pub(crate) fn describe(object: &Value) -> String {
    let text = |path: &[&str]| json::text(object, path).to_owned();
    let (namespace, name) = (text(&["metadata", "namespace"]), text(&["metadata", "name"]));
    let api_version = text(&["apiVersion"]);
    let slash = if api_version.contains('/') { "" } else { "/" };
    format!(
        "{namespace}/{name}; {slash}{api_version}, Kind={}",
        text(&["kind"])
    )
}
