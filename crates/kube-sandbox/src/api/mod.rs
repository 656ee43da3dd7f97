//! The verbs, as functions on [`State`]: synchronous, without HTTP, with the time passed in.

pub(crate) mod body;
pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod list;
pub(crate) mod patch;
pub(crate) mod review;
pub(crate) mod scale;
pub(crate) mod seed;
pub(crate) mod update;
pub(crate) mod watch;

use std::collections::VecDeque;
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
    /// A namespace is being deleted.
    EmptyNamespace { name: String },
}

/// The whole server state behind one lock.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) store: Store,
    pub(crate) registry: Registry,
    pub(crate) chores: VecDeque<Chore>,
}

impl State {
    pub(crate) fn new(window: usize) -> Self {
        Self {
            store: Store::new(window),
            registry: Registry::new(),
            chores: VecDeque::new(),
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
        if json::get(&found, &["metadata", "deletionTimestamp"]).is_some() {
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
        let finalizers = json::items(&stored, &["metadata", "finalizers"]);
        let deleting = json::get(&stored, &["metadata", "deletionTimestamp"]).is_some();
        let storage = resource.storage.clone();
        if deleting
            && finalizers
                .iter()
                .any(|one| one == "orphan" || one == "foregroundDeletion")
        {
            self.chores.push_back(Chore::Propagate {
                storage: storage.clone(),
                namespace: namespace.clone(),
                name: name.clone(),
            });
        }
        if !json::items(&stored, &["metadata", "ownerReferences"]).is_empty() {
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
            self.drop_custom_objects(name);
            self.registry.remove_custom(name);
        }
        let uid = json::text(&gone, &["metadata", "uid"]).to_owned();
        self.chores.push_back(Chore::OwnerGone { uid });
        // The last object of a terminating namespace lets the namespace go.
        if !namespace.is_empty()
            && let Some(parent) = self.store.get(NAMESPACES, "", namespace)
            && json::get(&parent, &["metadata", "deletionTimestamp"]).is_some()
        {
            self.chores.push_back(Chore::EmptyNamespace {
                name: namespace.to_owned(),
            });
        }
        Some(gone)
    }

    fn drop_custom_objects(&mut self, crd_name: &str) {
        let keys: Vec<_> = self
            .store
            .iter(crd_name, "")
            .map(|(key, _)| key.clone())
            .collect();
        for (namespace, name) in keys {
            self.store.remove(crd_name, &namespace, &name);
        }
    }
}
