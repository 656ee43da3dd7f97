//! Kubernetes objects from YAML files, as `albctl` reads them.

use std::path::PathBuf;

use albctl::Manifests;
use anyhow::{Result, bail};
use serde_json::Value;

/// Reads all objects of the given files; a folder stands for its files in the order of their names.
///
/// # Errors
/// When a file can't be read or holds something that is no object.
pub fn read(paths: &[PathBuf]) -> Result<Vec<Value>> {
    let manifests = Manifests::read(paths, false)?;
    if let Some(finding) = manifests.findings.first() {
        bail!("{finding}");
    }
    Ok(manifests.objects.iter().map(albctl::Object::to_value).collect())
}

/// Kind, namespace and name of an object, for people.
pub fn title(object: &Value) -> String {
    let text = |path: &str| {
        object
            .pointer(path)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let (kind, namespace, name) = (text("/kind"), text("/metadata/namespace"), text("/metadata/name"));
    alb_model::ObjectRef::new(kind, namespace, name).to_string()
}
