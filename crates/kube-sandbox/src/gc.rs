//! The two controllers every cluster has and tests rely on: the garbage collector (owner references, propagation
//! finalizers) and the namespace controller.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::api::delete::{DeleteOptions, Propagation};
use crate::api::{Chore, FieldValidation, State, Target, WriteOptions, is_deleting, owner_uids};
use crate::json;
use crate::kinds::builtin::{CRDS, NAMESPACES};
use crate::store::Key;
use crate::strategy::{CLEANUP_FINALIZER, Part};

impl State {
    /// Does one chore. Returns false when there is none.
    pub(crate) fn work(&mut self, now: Timestamp) -> bool {
        let Some(chore) = self.chores.pop_front() else {
            return false;
        };
        match chore {
            Chore::OwnerGone { uid } => self.collect_dependents(&uid, now),
            Chore::CheckOwners {
                storage,
                namespace,
                name,
            } => {
                self.collect_if_orphaned(&storage, &(namespace, name), now);
            }
            Chore::Propagate {
                storage,
                namespace,
                name,
            } => self.propagate(&storage, &(namespace, name), now),
            Chore::DependentGone { owner } => self.resume_foreground(&owner),
            Chore::EmptyNamespace { name } => self.empty_namespace(&name, now),
            Chore::EmptyDefinition { name } => self.empty_definition(&name, now),
        }
        true
    }

    fn collect_dependents(&mut self, uid: &str, now: Timestamp) {
        for (storage, key) in self.dependents(uid) {
            self.collect_if_orphaned(&storage, &key, now);
        }
    }

    /// Objects that name `uid` as an owner.
    fn dependents(&self, uid: &str) -> Vec<(String, Key)> {
        let mut found = Vec::new();
        for storage in self.store.collections() {
            let owned = self
                .store
                .iter(&storage, "")
                .filter(|(_, object)| owner_uids(object).iter().any(|one| one == uid));
            found.extend(owned.map(|(key, _)| (storage.clone(), key.clone())));
        }
        found
    }

    fn uids(&self) -> BTreeSet<String> {
        let storages = self.store.collections();
        let all = storages.iter().flat_map(|storage| self.store.iter(storage, ""));
        all.map(|(_, object)| json::text(object, &["metadata", "uid"]).to_owned())
            .collect()
    }

    /// Deletes an object none of whose owners exist; else forgets the owners that are gone.
    fn collect_if_orphaned(&mut self, storage: &str, key: &Key, now: Timestamp) {
        let Some(object) = self.store.get(storage, &key.0, &key.1) else {
            return;
        };
        let Some(target) = self.target(storage, key) else {
            return;
        };
        let existing = self.uids();
        let owners = json::items(&object, &["metadata", "ownerReferences"]);
        let alive = |owner: &Value| existing.contains(json::text(owner, &["uid"]));
        if owners.iter().all(alive) {
            return;
        }
        if owners.iter().any(alive) {
            let kept: Vec<Value> = owners.iter().filter(|owner| alive(owner)).cloned().collect();
            self.rewrite(&target, &object, |new| {
                json::set(new, &["metadata", "ownerReferences"], Value::Array(kept));
            });
            return;
        }
        let uid = Some(json::text(&object, &["metadata", "uid"]).to_owned());
        let _ = self.delete(
            &target,
            &DeleteOptions {
                uid,
                ..DeleteOptions::default()
            },
            &options(now),
        );
    }

    /// Works off the `orphan` or `foregroundDeletion` finalizer of an object.
    fn propagate(&mut self, storage: &str, key: &Key, now: Timestamp) {
        let Some(object) = self.store.get(storage, &key.0, &key.1) else {
            return;
        };
        let Some(target) = self.target(storage, key) else {
            return;
        };
        let uid = json::text(&object, &["metadata", "uid"]).to_owned();
        let dependents = self.dependents(&uid);
        let has = |name: &str| {
            json::items(&object, &["metadata", "finalizers"])
                .iter()
                .any(|one| one == name)
        };
        if has("orphan") {
            for (storage, key) in dependents {
                self.release(&storage, &key, &uid);
            }
            self.drop_finalizer(&target, &object, "orphan");
        } else if has("foregroundDeletion") {
            let mut blocked = false;
            for (storage, key) in &dependents {
                let Some(dependent) = self.store.get(storage, &key.0, &key.1) else {
                    continue;
                };
                let Some(target) = self.target(storage, key) else {
                    continue;
                };
                if !is_deleting(&dependent) {
                    let delete = DeleteOptions {
                        propagation: Propagation::Foreground,
                        ..DeleteOptions::default()
                    };
                    let _ = self.delete(&target, &delete, &options(now));
                }
                let remains = self.store.get(storage, &key.0, &key.1).is_some();
                blocked |= remains && blocks(&dependent, &uid);
            }
            if !blocked {
                self.drop_finalizer(&target, &object, "foregroundDeletion");
            }
        }
    }

    /// An owner in foreground deletion looks again at what still blocks it.
    fn resume_foreground(&mut self, owner: &str) {
        for storage in self.store.collections() {
            let found = self
                .store
                .iter(&storage, "")
                .find(|(_, object)| json::text(object, &["metadata", "uid"]) == owner);
            if let Some(((namespace, name), object)) = found {
                let finalizers = json::items(object, &["metadata", "finalizers"]);
                if finalizers.iter().any(|one| one == "foregroundDeletion") {
                    let (namespace, name) = (namespace.clone(), name.clone());
                    self.chores.push_back(Chore::Propagate {
                        storage,
                        namespace,
                        name,
                    });
                }
                return;
            }
        }
    }

    /// Takes `uid` out of an object's owner references.
    fn release(&mut self, storage: &str, key: &Key, uid: &str) {
        let Some(object) = self.store.get(storage, &key.0, &key.1) else {
            return;
        };
        let Some(target) = self.target(storage, key) else {
            return;
        };
        self.rewrite(&target, &object, |new| {
            let owners = json::items(new, &["metadata", "ownerReferences"]);
            let kept: Vec<Value> = owners
                .iter()
                .filter(|owner| json::text(owner, &["uid"]) != uid)
                .cloned()
                .collect();
            if kept.is_empty() {
                json::remove(new, &["metadata", "ownerReferences"]);
            } else {
                json::set(new, &["metadata", "ownerReferences"], Value::Array(kept));
            }
        });
    }

    fn drop_finalizer(&mut self, target: &Target, object: &Arc<Value>, finalizer: &str) {
        self.rewrite(target, object, |new| {
            let kept: Vec<Value> = json::items(new, &["metadata", "finalizers"])
                .iter()
                .filter(|one| *one != finalizer)
                .cloned()
                .collect();
            if kept.is_empty() {
                json::remove(new, &["metadata", "finalizers"]);
            } else {
                json::set(new, &["metadata", "finalizers"], Value::Array(kept));
            }
        });
    }

    /// A write by the system itself: no admission, but deletion once nothing holds the object.
    fn rewrite(&mut self, target: &Target, object: &Arc<Value>, change: impl FnOnce(&mut Value)) {
        let mut new = (**object).clone();
        change(&mut new);
        let stored = self.commit(&target.resource, new);
        if crate::api::update::is_finished(&target.resource, &stored) {
            self.erase(&target.resource, &target.namespace, &target.name);
        }
    }

    fn empty_namespace(&mut self, name: &str, now: Timestamp) {
        let Some(namespace) = self.store.get(NAMESPACES, "", name) else {
            return;
        };
        if !is_deleting(&namespace) {
            return;
        }
        let mut remaining = 0;
        for storage in self.store.collections() {
            remaining += self.delete_all(&storage, name, now);
        }
        if remaining > 0 {
            return;
        }
        let key = (String::new(), name.to_owned());
        if let (Some(target), Some(namespace)) = (
            self.target(NAMESPACES, &key),
            self.store.get(NAMESPACES, "", name),
        ) {
            self.rewrite(&target, &namespace, |new| {
                json::set(new, &["spec", "finalizers"], json!([]));
            });
        }
    }

    /// Deletes what is not being deleted yet; returns how many objects are left.
    fn delete_all(&mut self, storage: &str, namespace: &str, now: Timestamp) -> usize {
        let keys: Vec<Key> = self
            .store
            .iter(storage, namespace)
            .filter(|(_, object)| !is_deleting(object))
            .map(|(key, _)| key.clone())
            .collect();
        for key in keys {
            if let Some(target) = self.target(storage, &key) {
                // Whatever cannot be deleted now stays and is counted.
                let _ = self.delete(&target, &DeleteOptions::default(), &options(now));
            }
        }
        self.store.iter(storage, namespace).count()
    }

    /// Deletes the objects of a CRD that is going away, then lets it go.
    fn empty_definition(&mut self, name: &str, now: Timestamp) {
        let Some(definition) = self.store.get(CRDS, "", name).filter(|crd| is_deleting(crd)) else {
            return;
        };
        if self.delete_all(name, "", now) > 0 {
            return;
        }
        if let Some(target) = self.target(CRDS, &(String::new(), name.to_owned())) {
            self.drop_finalizer(&target, &definition, CLEANUP_FINALIZER);
        }
    }

    fn target(&self, storage: &str, key: &Key) -> Option<Target> {
        let resource = self.registry.of_storage(storage)?;
        Some(Target {
            resource,
            namespace: key.0.clone(),
            name: key.1.clone(),
            part: Part::Main,
        })
    }
}

/// The dependent holds up the foreground deletion of this owner.
fn blocks(dependent: &Value, uid: &str) -> bool {
    json::items(dependent, &["metadata", "ownerReferences"])
        .iter()
        .any(|owner| json::text(owner, &["uid"]) == uid && owner["blockOwnerDeletion"] == json!(true))
}

fn options(now: Timestamp) -> WriteOptions {
    WriteOptions {
        manager: "kube-controller-manager".to_owned(),
        dry_run: false,
        validation: FieldValidation::Ignore,
        now,
    }
}
