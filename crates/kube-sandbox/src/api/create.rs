//! Create.

use std::sync::Arc;

use rand::RngExt as _;
use serde_json::{Value, json};

use super::{Outcome, State, Target, WriteOptions, body};
use crate::json;
use crate::kinds::Resource;
use crate::kinds::builtin::{CRDS, SERVICES};
use crate::managed::tracker::{self, timestamp};
use crate::status::{ApiError, ApiResult};
use crate::strategy::{self, Part, service};

impl State {
    /// Creates the object in `value`; the target's name may be empty.
    pub(crate) fn create(
        &mut self,
        target: &Target,
        mut value: Value,
        duplicates: &[String],
        options: &WriteOptions,
    ) -> ApiResult<Outcome> {
        let warnings = body::admit(target, &mut value, duplicates, options.validation)?;
        if !json::text(&value, &["metadata", "resourceVersion"]).is_empty() {
            return Err(ApiError::bad_request(
                "resourceVersion should not be set on objects to be created",
            ));
        }
        let object = self.insert(target, value, options, |object| {
            let resource = &target.resource;
            tracker::record_update(
                &resource.schema,
                &Value::Null,
                object,
                &options.writer(resource, Part::Main),
            );
        })?;
        Ok(Outcome {
            object,
            created: true,
            warnings,
        })
    }

    /// The rest of a create, once the object is typed. `own` writes the managed fields.
    pub(crate) fn insert(
        &mut self,
        target: &Target,
        mut object: Value,
        options: &WriteOptions,
        own: impl FnOnce(&mut Value),
    ) -> ApiResult<Arc<Value>> {
        let resource = &*target.resource;
        // Events are validated and defaulted in their stored form.
        name_it(&mut object);
        let name = json::text(&object, &["metadata", "name"]).to_owned();
        self.check_namespace(resource, &target.namespace, &name)?;
        if self.is_definition_deleting(resource) {
            let message = "create not allowed while custom resource definition is terminating";
            return Err(ApiError::new(405, "MethodNotAllowed", message));
        }
        for key in ["deletionTimestamp", "deletionGracePeriodSeconds", "selfLink"] {
            json::remove(&mut object, &["metadata", key]);
        }
        json::set(&mut object, &["metadata", "uid"], json!(uid()));
        json::set(
            &mut object,
            &["metadata", "creationTimestamp"],
            json!(timestamp(options.now)),
        );
        let mut object = resource.to_storage(object);
        strategy::prepare_create(resource, &mut object);
        strategy::validate_create(resource, &object)?;
        if self
            .store
            .get(&resource.storage, &target.namespace, &name)
            .is_some()
        {
            return Err(ApiError::already_exists(&resource.group, &resource.plural, &name));
        }
        own(&mut object);
        self.finish_special(resource, &mut object, options)?;
        if options.dry_run {
            return Ok(Arc::new(object));
        }
        Ok(self.commit(resource, object))
    }

    /// What needs to see the other objects: allocation of addresses, CRD names.
    pub(crate) fn finish_special(
        &self,
        resource: &Resource,
        object: &mut Value,
        options: &WriteOptions,
    ) -> ApiResult<()> {
        match resource.storage.as_str() {
            SERVICES => {
                let name = json::text(object, &["metadata", "name"]).to_owned();
                let own_key = crate::store::key_of(object);
                let others = self.store.iter(SERVICES, "").filter(|(key, _)| **key != own_key);
                let used = service::Allocated::by(others.map(|(_, service)| &**service));
                service::allocate(object, &used)
                    .map_err(|error| ApiError::invalid("", "Service", &name, &[error]))?;
            }
            CRDS => {
                let conflict = self.name_conflict(object);
                strategy::establish(object, conflict.as_deref(), options.now);
            }
            _ => {}
        }
        Ok(())
    }

    /// A name of a CRD that another resource of its group already has.
    fn name_conflict(&self, crd: &Value) -> Option<String> {
        let own = json::text(crd, &["metadata", "name"]);
        let group = json::text(crd, &["spec", "group"]);
        let wanted = |key: &str| json::text(crd, &["spec", "names", key]);
        self.registry
            .all()
            .filter(|other| other.group == group && other.storage != own)
            .find(|other| {
                other.plural == wanted("plural")
                    || other.kind == wanted("kind")
                    || other.singular == wanted("singular")
            })
            .map(|other| format!("\"{}\" is already in use", other.kind))
    }
}

/// Gives the object a name from `generateName`.
fn name_it(object: &mut Value) {
    const ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
    const MAX_PREFIX: usize = 58;
    let prefix = json::text(object, &["metadata", "generateName"]).to_owned();
    if prefix.is_empty() || !json::text(object, &["metadata", "name"]).is_empty() {
        return;
    }
    let mut rng = rand::rng();
    let suffix: String = (0..5)
        .map(|_| char::from(ALPHABET[rng.random_range(0..ALPHABET.len())]))
        .collect();
    let prefix: String = prefix.chars().take(MAX_PREFIX).collect();
    json::set(object, &["metadata", "name"], json!(format!("{prefix}{suffix}")));
}

/// A random (version 4) UUID.
pub(crate) fn uid() -> String {
    let bytes: u128 = rand::rng().random();
    let bytes = (bytes & !(0xf << 76) & !(0x3 << 62)) | (0x4 << 76) | (0x2 << 62);
    let hex = format!("{bytes:032x}");
    format!(
        "{}-{}-{}-{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..]
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uids_are_version_4_uuids() {
        let uid = uid();
        let parts: Vec<usize> = uid.split('-').map(str::len).collect();
        assert_eq!(parts, [8, 4, 4, 4, 12]);
        assert_eq!(&uid[14..15], "4", "{uid}");
        assert!("89ab".contains(&uid[19..20]), "{uid}");
    }
}
