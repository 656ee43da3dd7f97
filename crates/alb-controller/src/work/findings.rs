//! What an attempt finds out, as people are told it.

use alb_model::{Diagnostic, ObjectRef, Severity};
use alb_plan::SCRIPT_PREFIX;
use albconfig_crd::AlbConfig;
use kube::ResourceExt;

use crate::cloud::{Refusal, ScriptRefusal};

/// What is told of an id that was changed while the AlbConfig has a load balancer.
pub(super) fn id_fixed(name: &str, held: &str, wanted: Option<String>) -> Diagnostic {
    let wanted = wanted.unwrap_or_default();
    let message = format!(
        "this AlbConfig has load balancer {held}, which is kept; it cannot move to {wanted}: write {held} or remove id, or \
         make a new AlbConfig for {wanted}"
    );
    let object = ObjectRef::new("AlbConfig", "", name);
    Diagnostic::new(
        Severity::Error,
        "AttributeFixed",
        object,
        "spec.config.id",
        message,
    )
}

/// What is told of a rule that the API refuses: to each object it stems from, or to the AlbConfig.
pub(super) fn refused(albconfig: &str, refusal: &Refusal) -> Vec<Diagnostic> {
    let found = |object, field: &str| {
        Diagnostic::new(Severity::Error, "RuleRefused", object, field, refusal.to_string())
    };
    if refusal.origins.is_empty() {
        return vec![found(ObjectRef::new("AlbConfig", "", albconfig), "")];
    }
    let origins = refusal.origins.iter();
    origins
        .map(|o| found(ObjectRef::clone(&o.object), &o.field.to_string()))
        .collect()
}

/// What is told of a script that the API refuses, at its place in the AlbConfig.
pub(super) fn refused_script(albconfig: &AlbConfig, refusal: &ScriptRefusal) -> Diagnostic {
    let (port, protocol) = refusal.listener;
    let mut listeners = albconfig.spec.listeners.iter().enumerate();
    let found = listeners.find(|(_, listener)| {
        listener.port_number() == Some(port) && listener.protocol.eq_ignore_ascii_case(protocol.as_str())
    });
    let field = match found {
        None => "spec.listeners[].aScriptConfig".to_owned(),
        Some((at, listener)) => {
            let name = refusal.script.as_deref().unwrap_or_default();
            let mut scripts = listener.a_script_config.iter();
            let script =
                scripts.position(|script| name.strip_prefix(SCRIPT_PREFIX) == Some(&script.a_script_name));
            let script = script.map(|at| format!("[{at}]")).unwrap_or_default();
            format!("spec.listeners[{at}].aScriptConfig{script}")
        }
    };
    let object = ObjectRef::new("AlbConfig", "", albconfig.name_any());
    Diagnostic::new(
        Severity::Error,
        "ScriptRefused",
        object,
        field,
        refusal.to_string(),
    )
}
