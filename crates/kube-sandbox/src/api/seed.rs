//! What a fresh cluster already holds.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{FieldValidation, State, Target, WriteOptions};
use crate::status::ApiResult;
use crate::strategy::Part;

/// Namespaces that exist from the start.
pub(crate) const NAMESPACES: [&str; 4] = ["default", "kube-node-lease", "kube-public", "kube-system"];

impl State {
    /// Creates the standard namespaces and the `kubernetes` Service, which points at `address` and `port`.
    pub(crate) fn seed(&mut self, port: u16, now: Timestamp) -> ApiResult<()> {
        for name in NAMESPACES {
            self.seed_one("", "namespaces", "", json!({"metadata": {"name": name}}), now)?;
        }
        let labels = json!({"component": "apiserver", "provider": "kubernetes"});
        let ports = json!([{"name": "https", "port": 443, "targetPort": port, "protocol": "TCP"}]);
        let service = json!({
            "metadata": {"name": "kubernetes", "labels": labels},
            "spec": {"type": "ClusterIP", "clusterIP": "10.96.0.1", "ports": ports},
        });
        self.seed_one("", "services", "default", service, now)
    }

    fn seed_one(
        &mut self,
        group: &str,
        plural: &str,
        namespace: &str,
        object: Value,
        now: Timestamp,
    ) -> ApiResult<()> {
        let Some(resource) = self.registry.find(group, "v1", plural) else {
            return Ok(());
        };
        let target = Target {
            resource,
            namespace: namespace.to_owned(),
            name: String::new(),
            part: Part::Main,
        };
        let options = WriteOptions {
            manager: "kube-apiserver".to_owned(),
            dry_run: false,
            validation: FieldValidation::Strict,
            now,
        };
        self.create(&target, object, &[], &options).map(drop)
    }
}
