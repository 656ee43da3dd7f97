//! An AlbConfig from the older annotations of an Ingress.

use alb_model::Diagnostic;
use albconfig_crd::{
    ANNOTATION_PREFIX, AccessLogConfig, AlbConfig, AlbConfigSpec, BillingConfig, ListenerSpec, ZoneMapping,
};
use k8s_openapi::api::networking::v1::Ingress;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use serde_json::Value;

use crate::annotations::Annotations;
use crate::annotations::table::{ANNOTATIONS, Scope};
use crate::assemble::wanted_listeners;
use crate::codes::Code;
use crate::target::{annotation, object_ref};
use crate::{Lookups, Settings, Target, compile, target};

/// An AlbConfig made for an Ingress, and what is wrong with the annotations it was made from.
#[derive(Clone, Debug, PartialEq)]
pub struct Generated {
    /// The AlbConfig, named as the Ingress asks.
    pub albconfig: AlbConfig,
    /// Findings.
    pub diagnostics: Vec<Diagnostic>,
}

/// Makes the AlbConfig of an Ingress that asks for one that does not exist. Only an Ingress that names it by the
/// annotation `albconfig.name`, or has an annotation about the instance (`address-type`, `vswitch-ids`, …), gets one: an
/// IngressClass that names an AlbConfig leaves it to the operator of the cluster to create it.
pub fn generated_albconfig(
    ingress: &Ingress,
    lookups: &dyn Lookups,
    settings: &Settings,
) -> Option<Generated> {
    let Target::AlbConfig(name) = target(ingress, lookups, settings) else {
        return None;
    };
    let asks = annotation(ingress, &format!("{ANNOTATION_PREFIX}albconfig.name")).is_some()
        || ANNOTATIONS
            .iter()
            .filter(|spec| spec.scope == Scope::Instance)
            .any(|spec| annotation(ingress, &format!("{ANNOTATION_PREFIX}{}", spec.key)).is_some());
    if !asks {
        return None;
    }
    let object = object_ref(ingress);
    let mut annotations = Annotations::new(ingress, &object);
    // The general findings are those of `compile`.
    annotations.diagnostics.clear();
    let mut spec = AlbConfigSpec::default();
    instance(&mut annotations, &mut spec);
    let compiled = compile(ingress, lookups, settings);
    let mut listeners = wanted_listeners(&compiled);
    listeners.sort_unstable();
    spec.listeners = listeners
        .into_iter()
        .map(|(port, protocol)| ListenerSpec {
            port: IntOrString::Int(i32::from(port)),
            protocol: protocol.as_str().to_owned(),
            ..ListenerSpec::default()
        })
        .collect();
    Some(Generated {
        albconfig: AlbConfig::new(&name, spec),
        diagnostics: annotations.diagnostics,
    })
}

fn instance(annotations: &mut Annotations<'_>, spec: &mut AlbConfigSpec) {
    let config = &mut spec.config;
    config.id = annotations.checked("id").map(str::to_owned);
    config.name = annotations.checked("name").map(str::to_owned);
    config.listener_force_override = annotations.boolean("force-override-listeners");
    if let Some(word) = annotations.word("address-type") {
        word.clone_into(&mut config.address_type);
    }
    if let Some(word) = annotations.word("address-allocated-mode") {
        config.address_allocated_mode = Some(word.to_owned());
    }
    if let Some(word) = annotations.word("edition") {
        word.clone_into(&mut config.edition);
    }
    config.billing_config = annotations.word("charge-type").map(|word| BillingConfig {
        pay_type: Some(word.to_owned()),
        ..BillingConfig::default()
    });
    config.zone_mappings = annotations
        .list("vswitch-ids")
        .unwrap_or_default()
        .into_iter()
        .map(|id| ZoneMapping {
            v_switch_id: id,
            ..ZoneMapping::default()
        })
        .collect();
    if let Some(json) = annotations.text("access-log") {
        config.access_log_config = access_log(json);
        if config.access_log_config.is_none() {
            annotations.report_on(
                Code::AnnotationInvalid,
                "access-log",
                r#"is invalid; write {"logProject": "…", "logStore": "…"}. Until then there is no access log"#,
            );
        }
    }
}

fn access_log(json: &str) -> Option<AccessLogConfig> {
    let Ok(Value::Object(object)) = serde_json::from_str::<Value>(json) else {
        return None;
    };
    let part = |key: &str| {
        let found = object.iter().find(|(k, _)| k.eq_ignore_ascii_case(key));
        found
            .and_then(|(_, value)| value.as_str())
            .filter(|text| !text.is_empty())
            .map(str::to_owned)
    };
    Some(AccessLogConfig {
        log_project: part("logProject")?,
        log_store: part("logStore")?,
    })
}
