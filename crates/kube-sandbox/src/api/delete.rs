//! Delete and delete collection.

use std::sync::Arc;

use serde_json::{Value, json};

use super::update::is_finished;
use super::{Chore, State, Target, WriteOptions};
use crate::json;
use crate::kinds::builtin::NAMESPACES;
use crate::managed::tracker::timestamp;
use crate::selectors::Selection;
use crate::status::{ApiError, ApiResult};
use crate::store::Key;

/// What happens to the objects that a deleted object owns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Propagation {
    #[default]
    Background,
    Foreground,
    Orphan,
}

/// The body (or query) of a delete.
#[derive(Debug, Clone, Default)]
pub(crate) struct DeleteOptions {
    pub(crate) uid: Option<String>,
    pub(crate) resource_version: Option<String>,
    pub(crate) propagation: Propagation,
}

impl DeleteOptions {
    /// Reads `metav1.DeleteOptions`.
    pub(crate) fn read(body: &Value) -> ApiResult<Self> {
        let text = |path: &[&str]| json::get(body, path).and_then(Value::as_str).map(str::to_owned);
        let mut options = Self {
            uid: text(&["preconditions", "uid"]),
            resource_version: text(&["preconditions", "resourceVersion"]),
            propagation: Propagation::Background,
        };
        if body["orphanDependents"] == json!(true) {
            options.propagation = Propagation::Orphan;
        }
        if let Some(policy) = text(&["propagationPolicy"]) {
            options.propagation = Self::propagation(&policy)?;
        }
        Ok(options)
    }

    /// Reads a propagation policy.
    pub(crate) fn propagation(text: &str) -> ApiResult<Propagation> {
        match text {
            "Background" => Ok(Propagation::Background),
            "Foreground" => Ok(Propagation::Foreground),
            "Orphan" => Ok(Propagation::Orphan),
            other => Err(ApiError::new(
                422,
                "Invalid",
                format!(
                    "DeleteOptions.meta.k8s.io \"\" is invalid: propagationPolicy: Unsupported value: {other:?}: \
supported values: \"Foreground\", \"Background\", \"Orphan\", \"nil\""
                ),
            )),
        }
    }
}

/// How a delete ended.
#[derive(Debug)]
pub(crate) enum Deleted {
    Gone(Arc<Value>),
    /// Finalizers hold it.
    Marked(Arc<Value>),
}

impl Deleted {
    pub(crate) fn object(&self) -> &Arc<Value> {
        match self {
            Self::Gone(object) | Self::Marked(object) => object,
        }
    }
}

impl State {
    pub(crate) fn delete(
        &mut self,
        target: &Target,
        delete: &DeleteOptions,
        options: &WriteOptions,
    ) -> ApiResult<Deleted> {
        let resource = &*target.resource;
        let old = self.get(target)?;
        check(target, &old, delete)?;
        if resource.storage == NAMESPACES
            && matches!(target.name.as_str(), "default" | "kube-system" | "kube-public")
        {
            let why = "this namespace may not be deleted";
            return Err(ApiError::forbidden("", "namespaces", &target.name, why));
        }
        let mut marked = (*old).clone();
        if json::get(&old, &["metadata", "deletionTimestamp"]).is_none() {
            json::set(
                &mut marked,
                &["metadata", "deletionTimestamp"],
                json!(timestamp(options.now)),
            );
            json::set(&mut marked, &["metadata", "deletionGracePeriodSeconds"], json!(0));
            crate::strategy::bump_generation(resource, &old, &mut marked);
        }
        let finalizer = match delete.propagation {
            Propagation::Background => None,
            Propagation::Foreground => Some("foregroundDeletion"),
            Propagation::Orphan => Some("orphan"),
        };
        if let Some(finalizer) = finalizer {
            let mut finalizers = json::items(&marked, &["metadata", "finalizers"]).to_vec();
            if !finalizers.iter().any(|one| one == finalizer) {
                finalizers.push(json!(finalizer));
            }
            json::set(&mut marked, &["metadata", "finalizers"], Value::Array(finalizers));
        }
        if resource.storage == NAMESPACES {
            json::set(&mut marked, &["status", "phase"], json!("Terminating"));
        }
        if options.dry_run {
            return Ok(Deleted::Gone(Arc::new(marked)));
        }
        if is_finished(resource, &marked) {
            let gone = self.erase(resource, &target.namespace, &target.name);
            return gone.map(Deleted::Gone).ok_or_else(|| target.not_found());
        }
        if marked == *old {
            return Ok(Deleted::Marked(old));
        }
        if resource.storage == NAMESPACES {
            self.chores.push_back(Chore::EmptyNamespace {
                name: target.name.clone(),
            });
        }
        Ok(Deleted::Marked(self.commit(resource, marked)))
    }

    /// Deletes what the selection matches; returns the objects.
    pub(crate) fn delete_collection(
        &mut self,
        target: &Target,
        selection: &Selection,
        delete: &DeleteOptions,
        options: &WriteOptions,
    ) -> ApiResult<Vec<Arc<Value>>> {
        let keys: Vec<Key> = self
            .store
            .iter(&target.resource.storage, &target.namespace)
            .filter(|(_, object)| selection.matches(object))
            .map(|(key, _)| key.clone())
            .collect();
        let mut gone = Vec::new();
        for (namespace, name) in keys {
            let one = Target {
                namespace,
                name,
                ..target.clone()
            };
            gone.push(self.delete(&one, delete, options)?.object().clone());
        }
        Ok(gone)
    }
}

fn check(target: &Target, old: &Value, delete: &DeleteOptions) -> ApiResult<()> {
    let resource = &*target.resource;
    for (wanted, key, title) in [
        (&delete.uid, "uid", "UID"),
        (&delete.resource_version, "resourceVersion", "ResourceVersion"),
    ] {
        let found = json::text(old, &["metadata", key]);
        if let Some(wanted) = wanted
            && wanted != found
        {
            let why = format!(
                "Precondition failed: {title} in precondition: {wanted}, {title} in object meta: {found}"
            );
            return Err(ApiError::conflict(
                &resource.group,
                &resource.plural,
                &target.name,
                &why,
            ));
        }
    }
    Ok(())
}
