//! Which AlbConfig an Ingress belongs to.

use alb_model::{Diagnostic, ObjectRef, Text};
use albconfig_crd::{ANNOTATION_PREFIX, GROUP};
use k8s_openapi::api::networking::v1::{Ingress, IngressClass};

use crate::annotations::field;
use crate::annotations::grammar::Kind;
use crate::codes::Code;
use crate::{Lookups, Settings};

/// Where an Ingress belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Nowhere: it names no class and there is no default class.
    None,
    /// To another controller, or to a class that does not exist.
    NotOurs,
    /// To the gateway of this AlbConfig, which may not exist yet.
    AlbConfig(String),
    /// To us, but not to any gateway.
    Invalid(Vec<Diagnostic>),
}

/// The older way to name a class.
const CLASS_ANNOTATION: &str = "kubernetes.io/ingress.class";

/// Reference to an Ingress.
pub(crate) fn object_ref(ingress: &Ingress) -> ObjectRef {
    ObjectRef::new(
        Text::new_static("Ingress"),
        ingress.metadata.namespace.as_deref().unwrap_or("default"),
        ingress.metadata.name.as_deref().unwrap_or_default(),
    )
}

pub(crate) fn annotation<'a>(ingress: &'a Ingress, key: &str) -> Option<&'a str> {
    ingress
        .metadata
        .annotations
        .as_ref()?
        .get(key)
        .map(String::as_str)
}

/// Finds the AlbConfig of an Ingress, in this order: annotation `alb.ingress.kubernetes.io/albconfig.name`;
/// `spec.ingressClassName`; annotation `kubernetes.io/ingress.class`; the default IngressClass.
pub fn target(ingress: &Ingress, lookups: &dyn Lookups, settings: &Settings) -> Target {
    let key = format!("{ANNOTATION_PREFIX}albconfig.name");
    if let Some(name) = annotation(ingress, &key)
        .map(str::trim)
        .filter(|name| !name.is_empty())
    {
        if Kind::ObjectName.accepts(name) {
            return Target::AlbConfig(name.to_owned());
        }
        let message = format!("{name:?} is invalid; write {}", Kind::ObjectName);
        let finding = Code::AnnotationInvalid.on(&object_ref(ingress), field(&key), message);
        return Target::Invalid(vec![finding]);
    }
    let by_field = ingress
        .spec
        .as_ref()
        .and_then(|spec| spec.ingress_class_name.as_deref());
    let by_annotation = annotation(ingress, CLASS_ANNOTATION);
    let Some(name) = by_field.or(by_annotation) else {
        return match lookups.default_ingress_class() {
            Some(class) => of_class(&class, settings),
            None => Target::None,
        };
    };
    match lookups.ingress_class(name) {
        Some(class) => of_class(&class, settings),
        None if by_field.is_none() && name == settings.class_name => {
            Target::AlbConfig(settings.default_albconfig.clone())
        }
        None => Target::NotOurs,
    }
}

fn of_class(class: &IngressClass, settings: &Settings) -> Target {
    let spec = class.spec.clone().unwrap_or_default();
    if spec.controller.as_deref() != Some(&settings.controller_name) {
        return Target::NotOurs;
    }
    let Some(parameters) = spec.parameters else {
        return Target::AlbConfig(settings.default_albconfig.clone());
    };
    let object = ObjectRef::new(
        "IngressClass",
        "",
        class.metadata.name.as_deref().unwrap_or_default(),
    );
    let wrong = |field: &str, message: String| {
        Target::Invalid(vec![Code::ClassParametersInvalid.on(
            &object,
            format!("spec.parameters.{field}"),
            message,
        )])
    };
    if parameters.kind != "AlbConfig" {
        return wrong(
            "kind",
            format!("{:?} is unknown here; write AlbConfig", parameters.kind),
        );
    }
    match parameters.api_group.as_deref() {
        Some(GROUP) => {}
        other => {
            let other = other.unwrap_or_default();
            return wrong("apiGroup", format!("{other:?} is unknown here; write {GROUP}"));
        }
    }
    if parameters.name.is_empty() {
        return wrong("name", "is empty; write the name of an AlbConfig".into());
    }
    Target::AlbConfig(parameters.name)
}
