//! The objects that matter, typed, and what is wrong with them as objects.

use std::collections::{BTreeMap, BTreeSet};

use alb_model::{Diagnostic, ObjectRef, Severity, Text};
use albconfig_crd::Reading;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{Secret, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::{Ingress, IngressClass};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::de::DeserializeOwned;

use crate::finding::{Finding, Place};
use crate::source::{Manifests, Object};

/// Objects of the kinds a gateway is made from.
#[derive(Clone, Debug, Default)]
pub struct Objects {
    /// Ingresses, in the order of the files.
    pub ingresses: Vec<Ingress>,
    /// AlbConfigs as the controller reads them, in the order of the files.
    pub albconfigs: Vec<Reading>,
    /// IngressClasses.
    pub classes: Vec<IngressClass>,
    /// Services.
    pub services: Vec<Service>,
    /// Secrets, as the API server would store them.
    pub secrets: Vec<Secret>,
    /// EndpointSlices.
    pub slices: Vec<EndpointSlice>,
    /// What is wrong with files and objects, before anything is made of them.
    pub findings: Vec<Finding>,
    /// Objects of other kinds, by kind: they are skipped.
    pub skipped: BTreeMap<String, usize>,
    /// Fields that a misspelt one was meant to be: that they are missing is the same mistake.
    pub(crate) misspelt: BTreeSet<(ObjectRef, String)>,
    sources: BTreeMap<ObjectRef, Object>,
}

/// Kinds that are read: kind, group, version, whether objects have a namespace.
const KINDS: [(&str, &str, &str, bool); 6] = [
    ("AlbConfig", albconfig_crd::GROUP, "v1", false),
    ("EndpointSlice", "discovery.k8s.io", "v1", true),
    ("Ingress", "networking.k8s.io", "v1", true),
    ("IngressClass", "networking.k8s.io", "v1", false),
    ("Secret", "", "v1", true),
    ("Service", "", "v1", true),
];

/// Groups in which these kinds stood before.
const OLD_GROUPS: [&str; 1] = ["extensions"];

impl Objects {
    /// Types what files hold. Objects without a namespace get `namespace`.
    pub fn new(manifests: Manifests, namespace: &str) -> Self {
        let mut objects = Self {
            findings: manifests.findings,
            ..Self::default()
        };
        for object in manifests.objects {
            objects.add(object, namespace);
        }
        objects
    }

    /// Where a field of an object stands.
    pub fn place(&self, object: &ObjectRef, field: &str) -> Option<Place> {
        self.sources.get(object).map(|source| source.place(field))
    }

    /// A finding with its place.
    pub fn finding(&self, diagnostic: Diagnostic) -> Finding {
        Finding {
            place: self.place(&diagnostic.object, &diagnostic.field),
            diagnostic,
        }
    }

    fn add(&mut self, object: Object, namespace: &str) {
        let Some((kind, namespaced)) = self.known_kind(&object) else {
            return;
        };
        let mut reference = object.reference();
        if !namespaced {
            reference.namespace = Text::default();
        } else if reference.namespace.is_empty() {
            reference.namespace = namespace.into();
        }
        if reference.name.is_empty() {
            let message = "has no metadata.name; give it one".to_owned();
            self.report(&object, &reference, "ObjectInvalid", "metadata.name", message);
            return;
        }
        if let Some(first) = self.sources.get(&reference) {
            let message = format!(
                "stands in {} already, and the later one counts; remove one of them",
                first.place("")
            );
            self.report(&object, &reference, "ObjectRepeated", "metadata.name", message);
            self.forget(&reference);
        }
        let typed = match kind {
            "AlbConfig" => {
                let mut reading = Reading::new(object.to_value());
                let metadata = &mut reading.albconfig.metadata;
                metadata.name = Some(reference.name.to_string());
                metadata.namespace = None;
                self.albconfigs.push(reading);
                true
            }
            "EndpointSlice" => self.typed(&object, &reference, |this| &mut this.slices),
            "Ingress" => self.typed(&object, &reference, |this| &mut this.ingresses),
            "IngressClass" => self.typed(&object, &reference, |this| &mut this.classes),
            "Secret" => self.typed(&object, &reference, |this| &mut this.secrets),
            _ => self.typed(&object, &reference, |this| &mut this.services),
        };
        if typed
            && kind == "Secret"
            && let Some(secret) = self.secrets.last_mut()
        {
            store(secret);
        }
        self.sources.insert(reference, object);
    }

    /// The kind of an object and whether it has a namespace, if it is one of ours.
    fn known_kind(&mut self, object: &Object) -> Option<(&'static str, bool)> {
        let (kind, group, version) = (object.kind(), object.group(), object.version());
        if kind.is_empty() {
            let reference = ObjectRef::new("File", "", &*object.file);
            let message = "this is no Kubernetes object: it has no kind; write apiVersion, kind and metadata"
                .to_owned();
            self.report(object, &reference, "FileUnreadable", "", message);
            return None;
        }
        let known = KINDS.iter().find(|(name, known, ..)| {
            name.eq_ignore_ascii_case(kind) && (*known == group || OLD_GROUPS.contains(&group))
        });
        let Some((name, known_group, known_version, namespaced)) = known else {
            *self.skipped.entry(kind.to_owned()).or_default() += 1;
            return None;
        };
        let right = if known_group.is_empty() {
            (*known_version).to_owned()
        } else {
            format!("{known_group}/{known_version}")
        };
        let reference = ObjectRef {
            kind: (*name).into(),
            ..object.reference()
        };
        if *name != kind {
            let message = format!("{kind:?} is no kind of {group}; write {name}");
            self.report(object, &reference, "ObjectInvalid", "kind", message);
        } else if *known_group != group || *known_version != version {
            let message = format!("is not served by Kubernetes any more for this kind; write {right}");
            self.report(object, &reference, "ObjectInvalid", "apiVersion", message);
            return None;
        }
        Some((name, *namespaced))
    }

    /// Reads an object into its list; whether it could be read.
    fn typed<T: DeserializeOwned + HasMetadata>(
        &mut self,
        object: &Object,
        reference: &ObjectRef,
        list: impl Fn(&mut Self) -> &mut Vec<T>,
    ) -> bool {
        match object.typed::<T>() {
            Ok(typed) => {
                // Types that a custom resource's derive makes know these two without reading them.
                let known = |field: &String| field == "apiVersion" || field == "kind";
                for field in typed.unknown.into_iter().filter(|field| !known(field)) {
                    let (parent, name) = split_field(&field);
                    let near = nearest_field(name);
                    let message = match near {
                        Some(near) => format!(
                            "{name} is no field of {} at this place; did you mean {near}?",
                            reference.kind
                        ),
                        None => format!(
                            "{name} is no field of {} at this place; correct its name or indentation, or remove it",
                            reference.kind
                        ),
                    };
                    if let Some(near) = near {
                        self.misspelt
                            .insert((reference.clone(), format!("{parent}{near}")));
                    }
                    self.report(object, reference, "FieldUnknown", &field, message);
                }
                let mut value = typed.value;
                let metadata = value.metadata_mut();
                metadata.namespace = Some(reference.namespace.to_string()).filter(|name| !name.is_empty());
                list(self).push(value);
                true
            }
            Err(wrong) => {
                self.report(object, reference, "ObjectInvalid", &wrong.field, wrong.message);
                false
            }
        }
    }

    fn report(&mut self, object: &Object, reference: &ObjectRef, code: &str, field: &str, message: String) {
        self.findings.push(Finding {
            place: Some(object.place(field)),
            diagnostic: Diagnostic::new(Severity::Error, code, reference.clone(), field, message),
        });
    }

    /// Takes out an object that a later one replaces.
    fn forget(&mut self, reference: &ObjectRef) {
        fn retain<T: HasMetadata>(list: &mut Vec<T>, reference: &ObjectRef) {
            list.retain_mut(|object| {
                let metadata = object.metadata_mut();
                metadata.name.as_deref() != Some(&*reference.name)
                    || metadata.namespace.as_deref().unwrap_or_default() != reference.namespace
            });
        }
        match reference.kind.as_str() {
            "AlbConfig" => retain(&mut self.albconfigs, reference),
            "EndpointSlice" => retain(&mut self.slices, reference),
            "Ingress" => retain(&mut self.ingresses, reference),
            "IngressClass" => retain(&mut self.classes, reference),
            "Secret" => retain(&mut self.secrets, reference),
            _ => retain(&mut self.services, reference),
        }
    }
}

/// A Secret as the API server would store it: `stringData` becomes `data`.
fn store(secret: &mut Secret) {
    for (key, text) in secret.string_data.take().unwrap_or_default() {
        let data = secret.data.get_or_insert_default();
        data.insert(key, ByteString(text.into_bytes()));
    }
}

/// Names that are often misspelt. Those of AlbConfigs are known by their schema.
const FIELD_NAMES: [&str; 25] = [
    "annotations",
    "apiVersion",
    "backend",
    "defaultBackend",
    "host",
    "hosts",
    "http",
    "ingressClassName",
    "kind",
    "labels",
    "metadata",
    "name",
    "namespace",
    "number",
    "path",
    "pathType",
    "paths",
    "port",
    "ports",
    "protocol",
    "rules",
    "secretName",
    "service",
    "spec",
    "targetPort",
];

/// What stands before the name of a field, its dot included, and the name.
fn split_field(field: &str) -> (&str, &str) {
    let at = field.rfind('.').map_or(0, |dot| dot + 1);
    (&field[..at], &field[at..])
}

fn nearest_field(name: &str) -> Option<&'static str> {
    let name = name.to_lowercase();
    let similar = |known: &&'static str| (strsim::jaro_winkler(&known.to_lowercase(), &name), *known);
    let near = FIELD_NAMES
        .iter()
        .map(similar)
        .filter(|(similarity, _)| *similarity > 0.88);
    near.max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, known)| known)
}

/// Objects with metadata, of whatever library.
trait HasMetadata {
    fn metadata_mut(&mut self) -> &mut ObjectMeta;
}

macro_rules! has_metadata {
    ($($kind:ty),+) => {$(
        impl HasMetadata for $kind {
            fn metadata_mut(&mut self) -> &mut ObjectMeta {
                &mut self.metadata
            }
        }
    )+};
}

has_metadata!(EndpointSlice, Ingress, IngressClass, Secret, Service);

impl HasMetadata for Reading {
    fn metadata_mut(&mut self) -> &mut ObjectMeta {
        &mut self.albconfig.metadata
    }
}
