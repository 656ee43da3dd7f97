//! The verbs, as functions on [`State`]: synchronous, without HTTP, with the time passed in.

pub(crate) mod body;
pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod list;
pub(crate) mod patch;
pub(crate) mod review;
#[cfg(test)]
mod robustness;
pub(crate) mod scale;
pub(crate) mod seed;
pub(crate) mod update;
pub(crate) mod watch;

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

use crate::json;
use crate::kinds::builtin::{CRDS, NAMESPACES};
use crate::kinds::{Registry, Resource, crd};
use crate::managed::tracker::Writer;
use crate::status::{ApiError, ApiResult, Cause};
use crate::store::Store;
use crate::strategy::Part;

/// What to do about unknown and duplicate fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FieldValidation {
    Ignore,
    Warn,
    Strict,
}

/// Who writes, when, and how.
#[derive(Debug, Clone)]
pub(crate) struct WriteOptions {
    pub(crate) manager: String,
    pub(crate) dry_run: bool,
    pub(crate) validation: FieldValidation,
    pub(crate) now: Timestamp,
}

impl WriteOptions {
    fn writer(&self, resource: &Resource, part: Part) -> Writer {
        Writer {
            manager: self.manager.clone(),
            api_version: resource.api_version(),
            subresource: part.subresource(),
            is_builtin: resource.custom.is_none(),
            now: self.now,
        }
    }
}

/// The answer to a write.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) object: Arc<Value>,
    pub(crate) created: bool,
    pub(crate) warnings: Vec<String>,
}

/// An object that a request addresses.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) resource: Arc<Resource>,
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) part: Part,
}

impl Target {
    fn not_found(&self) -> ApiError {
        self.resource.not_found(&self.name)
    }
}

/// Work for the garbage collector and the namespace controller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Chore {
    /// An owner went away.
    OwnerGone { uid: String },
    /// An object with owners was written; they may not exist.
    CheckOwners {
        storage: String,
        namespace: String,
        name: String,
    },
    /// An object waits for the `orphan` or `foregroundDeletion` finalizer to be worked off.
    Propagate {
        storage: String,
        namespace: String,
        name: String,
    },
    /// A dependent of this owner is gone; a foreground deletion may go on.
    DependentGone { owner: String },
    /// A namespace is being deleted.
    EmptyNamespace { name: String },
    /// A CRD is being deleted.
    EmptyDefinition { name: String },
}

/// The whole server state behind one lock.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) store: Store,
    pub(crate) registry: Registry,
    pub(crate) chores: VecDeque<Chore>,
    /// Uids that some object has named as its owner.
    owners: BTreeSet<String>,
}

impl State {
    pub(crate) fn new(window: usize) -> Self {
        Self {
            store: Store::new(window),
            registry: Registry::new(),
            chores: VecDeque::new(),
            owners: BTreeSet::new(),
        }
    }

    /// The stored object of a target.
    pub(crate) fn get(&self, target: &Target) -> ApiResult<Arc<Value>> {
        self.store
            .get(&target.resource.storage, &target.namespace, &target.name)
            .ok_or_else(|| target.not_found())
    }

    /// Refuses writes into namespaces that do not exist or are going away.
    fn check_namespace(&self, resource: &Resource, namespace: &str, name: &str) -> ApiResult<()> {
        if !resource.namespaced {
            return Ok(());
        }
        let Some(found) = self.store.get(NAMESPACES, "", namespace) else {
            return Err(ApiError::not_found("", "namespaces", namespace));
        };
        if is_deleting(&found) {
            let why = format!(
                "unable to create new content in namespace {namespace} because it is being terminated"
            );
            let cause = Cause {
                reason: "NamespaceTerminating",
                message: format!("namespace {namespace} is being terminated"),
                field: "metadata.namespace".to_owned(),
            };
            return Err(
                ApiError::forbidden(&resource.group, &resource.plural, name, &why).with_causes(vec![cause])
            );
        }
        Ok(())
    }

    /// Stores an object and does what follows from it: serving a CRD, owner checks.
    pub(crate) fn commit(&mut self, resource: &Resource, object: Value) -> Arc<Value> {
        let stored = self.store.put(&resource.storage, resource.to_storage(object));
        let (namespace, name) = crate::store::key_of(&stored);
        if resource.storage == CRDS {
            self.registry.set_custom(&name, crd::resources(&stored));
        }
        let storage = resource.storage.clone();
        if is_deleting(&stored) {
            if resource.storage == CRDS {
                self.chores
                    .push_back(Chore::EmptyDefinition { name: name.clone() });
            }
            let finalizers = json::items(&stored, &["metadata", "finalizers"]);
            if finalizers
                .iter()
                .any(|one| one == "orphan" || one == "foregroundDeletion")
            {
                let (storage, namespace, name) = (storage.clone(), namespace.clone(), name.clone());
                self.chores.push_back(Chore::Propagate {
                    storage,
                    namespace,
                    name,
                });
            }
        }
        let owners = owner_uids(&stored);
        if !owners.is_empty() {
            self.owners.extend(owners);
            self.chores.push_back(Chore::CheckOwners {
                storage,
                namespace,
                name,
            });
        }
        stored
    }

    /// Removes an object and does what follows from that.
    pub(crate) fn erase(&mut self, resource: &Resource, namespace: &str, name: &str) -> Option<Arc<Value>> {
        let gone = self.store.remove(&resource.storage, namespace, name)?;
        if resource.storage == CRDS {
            self.registry.remove_custom(name);
        }
        let uid = json::text(&gone, &["metadata", "uid"]).to_owned();
        if self.owners.remove(&uid) {
            self.chores.push_back(Chore::OwnerGone { uid });
        }
        self.chores.extend(
            owner_uids(&gone)
                .into_iter()
                .map(|owner| Chore::DependentGone { owner }),
        );
        // The last object of a terminating namespace or CRD lets it go.
        if self
            .store
            .get(NAMESPACES, "", namespace)
            .is_some_and(|parent| is_deleting(&parent))
        {
            self.chores.push_back(Chore::EmptyNamespace {
                name: namespace.to_owned(),
            });
        }
        if self.is_definition_deleting(resource) {
            self.chores.push_back(Chore::EmptyDefinition {
                name: resource.storage.clone(),
            });
        }
        Some(gone)
    }

    /// The CRD of a custom resource is on its way out.
    pub(crate) fn is_definition_deleting(&self, resource: &Resource) -> bool {
        resource.custom.is_some()
            && self
                .store
                .get(CRDS, "", &resource.storage)
                .is_some_and(|crd| is_deleting(&crd))
    }
}

/// Marked for deletion.
pub(crate) fn is_deleting(object: &Value) -> bool {
    json::get(object, &["metadata", "deletionTimestamp"]).is_some()
}

/// Uids of an object's owners.
pub(crate) fn owner_uids(object: &Value) -> Vec<String> {
    let owners = json::items(object, &["metadata", "ownerReferences"]);
    owners
        .iter()
        .map(|owner| json::text(owner, &["uid"]).to_owned())
        .collect()
}
