//! What the server serves: one [`Resource`] for each (group, version, plural), built-in or from a CRD.

pub(crate) mod builtin;
pub(crate) mod crd;
pub(crate) mod definitions;
pub(crate) mod extensions;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use crate::json;
use crate::schema::Schema;
use crate::status::ApiError;

/// The `/scale` subresource of a resource: JSON paths without the leading dot.
#[derive(Debug, Clone)]
pub(crate) struct Scale {
    pub(crate) spec_replicas: Vec<String>,
    pub(crate) status_replicas: Vec<String>,
    pub(crate) selector: Option<Vec<String>>,
}

/// A printer column of a CRD.
#[derive(Debug, Clone)]
pub(crate) struct PrinterColumn {
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) format: String,
    pub(crate) description: String,
    pub(crate) priority: i64,
    pub(crate) path: String,
}

/// What only custom resources have.
#[derive(Debug, Clone)]
pub(crate) struct Custom {
    pub(crate) columns: Vec<PrinterColumn>,
    /// JSON paths (without the leading dot) that field selectors may use.
    pub(crate) selectable: Vec<String>,
    /// `None`: no schema; everything is kept.
    pub(crate) open_api: Option<Value>,
    pub(crate) deprecation_warning: Option<String>,
}

/// A served resource in one version.
#[derive(Debug)]
pub(crate) struct Resource {
    pub(crate) group: String,
    pub(crate) version: String,
    pub(crate) kind: String,
    pub(crate) list_kind: String,
    pub(crate) plural: String,
    pub(crate) singular: String,
    pub(crate) short_names: Vec<String>,
    pub(crate) categories: Vec<String>,
    pub(crate) namespaced: bool,
    /// The collection that holds the objects; versions and views of one kind share it.
    pub(crate) storage: String,
    /// `apiVersion` of stored objects.
    pub(crate) storage_api_version: String,
    pub(crate) status: bool,
    pub(crate) scale: Option<Scale>,
    pub(crate) schema: Arc<Schema>,
    /// Name of the OpenAPI definition (built-in kinds).
    pub(crate) definition: &'static str,
    pub(crate) custom: Option<Custom>,
}

impl Resource {
    pub(crate) fn api_version(&self) -> String {
        api_version(&self.group, &self.version)
    }

    pub(crate) fn is(&self, group: &str, kind: &str) -> bool {
        self.group == group && self.kind == kind
    }

    pub(crate) fn is_event(&self) -> bool {
        self.storage == "events"
    }

    pub(crate) fn not_found(&self, name: &str) -> ApiError {
        ApiError::not_found(&self.group, &self.plural, name)
    }

    /// A stored object as this version shows it.
    pub(crate) fn view<'a>(&self, stored: &'a Value) -> Cow<'a, Value> {
        let api_version = self.api_version();
        if json::text(stored, &["apiVersion"]) == api_version {
            return Cow::Borrowed(stored);
        }
        let mut shown = stored.clone();
        if self.is_event() {
            builtin::event_to_events_group(&mut shown);
        }
        shown["apiVersion"] = Value::String(api_version);
        Cow::Owned(shown)
    }

    /// A submitted object as it is stored.
    pub(crate) fn to_storage(&self, mut submitted: Value) -> Value {
        if self.api_version() == self.storage_api_version {
            return submitted;
        }
        if self.is_event() {
            builtin::event_to_core(&mut submitted);
        }
        submitted["apiVersion"] = Value::String(self.storage_api_version.clone());
        submitted
    }
}

/// `networking.k8s.io/v1`, or `v1` for the core group.
pub(crate) fn api_version(group: &str, version: &str) -> String {
    if group.is_empty() {
        version.to_owned()
    } else {
        format!("{group}/{version}")
    }
}

/// All served resources.
#[derive(Debug)]
pub(crate) struct Registry {
    builtin: Vec<Arc<Resource>>,
    /// By CRD name.
    custom: BTreeMap<String, Vec<Arc<Resource>>>,
}

impl Registry {
    pub(crate) fn new() -> Self {
        Self {
            builtin: builtin::resources(),
            custom: BTreeMap::new(),
        }
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<Resource>> {
        self.builtin.iter().chain(self.custom.values().flatten())
    }

    pub(crate) fn find(&self, group: &str, version: &str, plural: &str) -> Option<Arc<Resource>> {
        self.all()
            .find(|one| one.group == group && one.version == version && one.plural == plural)
            .cloned()
    }

    /// Any resource of a storage collection, preferably in its storage version.
    pub(crate) fn of_storage(&self, storage: &str) -> Option<Arc<Resource>> {
        let mut found = self.all().filter(|one| one.storage == storage);
        let first = found.next()?;
        let stored = |one: &&Arc<Resource>| one.api_version() == one.storage_api_version;
        Some(if stored(&first) {
            first.clone()
        } else {
            found.find(stored).unwrap_or(first).clone()
        })
    }

    pub(crate) fn set_custom(&mut self, crd_name: &str, resources: Vec<Arc<Resource>>) {
        self.custom.insert(crd_name.to_owned(), resources);
    }

    pub(crate) fn remove_custom(&mut self, crd_name: &str) {
        self.custom.remove(crd_name);
    }

    /// Versions of a group, most preferred first.
    pub(crate) fn versions(&self, group: &str) -> Vec<String> {
        let mut versions: Vec<String> = self
            .all()
            .filter(|one| one.group == group)
            .map(|one| one.version.clone())
            .collect();
        versions.sort_by_key(|version| std::cmp::Reverse(version_rank(version)));
        versions.dedup();
        versions
    }

    /// Group names, the core group left out, built-in ones first.
    pub(crate) fn groups(&self) -> Vec<String> {
        let mut groups: Vec<String> = Vec::new();
        for resource in self.all().filter(|one| !one.group.is_empty()) {
            if !groups.contains(&resource.group) {
                groups.push(resource.group.clone());
            }
        }
        groups
    }
}

/// Kubernetes' version priority: GA before beta before alpha, then higher numbers first.
fn version_rank(version: &str) -> (u8, u64, u64, std::cmp::Reverse<String>) {
    let parsed = (|| {
        let rest = version.strip_prefix('v')?;
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let major: u64 = rest[..digits].parse().ok()?;
        let tail = &rest[digits..];
        if tail.is_empty() {
            return Some((3, major, 0));
        }
        if let Some(minor) = tail.strip_prefix("beta") {
            return Some((2, major, minor.parse().ok()?));
        }
        Some((1, major, tail.strip_prefix("alpha")?.parse().ok()?))
    })();
    let (class, major, minor) = parsed.unwrap_or((0, 0, 0));
    (class, major, minor, std::cmp::Reverse(version.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_rank_as_in_kubernetes() {
        let mut versions = [
            "v1alpha1",
            "foo1",
            "v10",
            "v2",
            "v3beta1",
            "v1",
            "v11alpha2",
            "foo10",
            "v12alpha1",
            "v11beta2",
        ];
        versions.sort_by_key(|version| std::cmp::Reverse(version_rank(version)));
        assert_eq!(
            versions,
            [
                "v10",
                "v2",
                "v1",
                "v11beta2",
                "v3beta1",
                "v12alpha1",
                "v11alpha2",
                "v1alpha1",
                "foo1",
                "foo10"
            ]
        );
    }

    #[test]
    fn every_builtin_kind_has_a_schema_of_an_object_with_metadata() {
        for resource in Registry::new().all() {
            assert!(
                resource.schema.properties.contains_key("metadata"),
                "{} has no schema for metadata",
                resource.kind
            );
        }
    }
}
