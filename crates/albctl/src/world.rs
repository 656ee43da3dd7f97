//! All gateways that the objects of files become.

use std::collections::BTreeMap;
use std::sync::Arc;

use alb_model::{Diagnostic, Gateway, ObjectRef, Severity};
use albconfig_crd::{ANNOTATION_PREFIX, AlbConfig, AlbConfigSpec, ListenerSpec, Reading};
use ingress_translate::{
    Assembled, Compiled, EndpointSliceView, FollowedGroup, Settings, Target, assemble_with, compile,
    generated_albconfig, servers, target,
};
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::networking::v1::Ingress;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use crate::assume::{Known, Missing};
use crate::finding::Finding;
use crate::objects::Objects;

/// What files become: a gateway for each AlbConfig, and everything there is to say about the files.
#[derive(Debug, Default)]
pub struct World {
    /// One for each AlbConfig, sorted by name.
    pub sections: Vec<Section>,
    /// Findings of all phases, sorted by place; each one once.
    pub findings: Vec<Finding>,
    /// What a person should know that is about no object.
    pub notes: Vec<String>,
}

/// One AlbConfig with all its Ingresses, translated.
#[derive(Debug)]
pub struct Section {
    /// Name of the AlbConfig.
    pub albconfig: String,
    /// Its Ingresses.
    pub compiled: Vec<Compiled>,
    /// What they become together.
    pub assembled: Assembled,
}

impl Section {
    /// The gateway.
    pub fn gateway(&self) -> &Gateway {
        &self.assembled.gateway
    }
}

/// Code of Ingresses that no controller of ours serves.
const NOT_OURS: &str = "NotOurs";

impl World {
    /// Translates all objects. Total: what can't be translated becomes a finding.
    pub fn new(objects: &Objects, settings: &Settings, missing: Missing) -> Self {
        let known = Known::new(objects, settings, missing);
        let mut build = Build {
            objects,
            settings,
            missing,
            known,
            services: services(objects),
            diagnostics: Vec::new(),
            members: BTreeMap::new(),
        };
        for ingress in &objects.ingresses {
            build.place(ingress);
        }
        let mut sections: Vec<Section> = objects
            .albconfigs
            .iter()
            .map(|reading| build.section(reading))
            .collect();
        let left: Vec<_> = std::mem::take(&mut build.members).into_iter().collect();
        sections.extend(
            left.into_iter()
                .filter_map(|(name, members)| build.without_albconfig(&name, members)),
        );
        sections.sort_by(|a, b| a.albconfig.cmp(&b.albconfig));
        build.diagnostics.extend(build.known.notes());
        // Independent of any Ingress.
        let followed = objects.services.iter().filter_map(FollowedGroup::of);
        build.diagnostics.extend(followed.filter_map(|asked| match asked {
            FollowedGroup::Invalid(wrong) => Some(wrong),
            FollowedGroup::Keep { .. } => None,
        }));
        Self {
            sections,
            findings: sorted(objects, build.diagnostics),
            notes: skipped(objects).into_iter().collect(),
        }
    }

    /// Keeps the AlbConfig of this name alone.
    ///
    /// # Errors
    /// There is none; the message lists those there are.
    pub fn select(&mut self, name: &str) -> Result<(), String> {
        let names: Vec<&str> = self
            .sections
            .iter()
            .map(|section| section.albconfig.as_str())
            .collect();
        if !names.contains(&name) {
            let known = if names.is_empty() {
                "none".to_owned()
            } else {
                names.join(", ")
            };
            return Err(format!(
                "no AlbConfig {name} among the files; --albconfig takes one of: {known}"
            ));
        }
        self.sections.retain(|section| section.albconfig == name);
        Ok(())
    }

    /// Whether a file or an object could not be read as a whole.
    pub fn is_incomplete(&self) -> bool {
        self.findings.iter().any(|finding| {
            matches!(
                finding.diagnostic.code.as_str(),
                "FileUnreadable" | "ObjectInvalid"
            )
        })
    }
}

/// Services of the files by namespace and name, each with its endpoints.
type Services<'a> = BTreeMap<(&'a str, &'a str), (&'a Service, Vec<EndpointSliceView>)>;

fn services(objects: &Objects) -> Services<'_> {
    let mut all = Services::new();
    for service in &objects.services {
        let metadata = &service.metadata;
        let key = (text(metadata.namespace.as_ref()), text(metadata.name.as_ref()));
        all.insert(key, (service, Vec::new()));
    }
    for slice in &objects.slices {
        let metadata = &slice.metadata;
        let labels = metadata.labels.as_ref();
        let service = labels.and_then(|labels| labels.get("kubernetes.io/service-name"));
        if let Some((_, slices)) = all.get_mut(&(text(metadata.namespace.as_ref()), text(service))) {
            slices.push(EndpointSliceView::new(slice));
        }
    }
    all
}

fn text(text: Option<&String>) -> &str {
    text.map_or("", String::as_str)
}

struct Build<'a> {
    objects: &'a Objects,
    settings: &'a Settings,
    missing: Missing,
    known: Known,
    services: Services<'a>,
    diagnostics: Vec<Diagnostic>,
    members: BTreeMap<String, Vec<(&'a Ingress, Compiled)>>,
}

impl<'a> Build<'a> {
    /// Finds the AlbConfig of an Ingress and compiles it.
    fn place(&mut self, ingress: &'a Ingress) {
        match target(ingress, &self.known, self.settings) {
            Target::AlbConfig(name) => {
                let compiled = compile(ingress, &self.known, self.settings);
                self.members.entry(name).or_default().push((ingress, compiled));
            }
            Target::Invalid(wrong) => self.diagnostics.extend(wrong),
            Target::None => self.diagnostics.push(no_class(ingress)),
            Target::NotOurs => {
                let foreign = class_name(ingress).is_some_and(|(name, _)| {
                    self.objects
                        .classes
                        .iter()
                        .any(|c| c.metadata.name.as_deref() == Some(name))
                });
                self.diagnostics.push(not_ours(ingress, foreign));
            }
        }
    }

    /// An AlbConfig of the files.
    fn section(&mut self, reading: &Reading) -> Section {
        let name = reading.albconfig.metadata.name.as_deref().unwrap_or_default();
        let members = self.members.remove(name).unwrap_or_default();
        self.assembled(reading, members)
    }

    fn assembled(&mut self, reading: &Reading, members: Vec<(&Ingress, Compiled)>) -> Section {
        let compiled: Vec<Compiled> = members.into_iter().map(|(_, compiled)| compiled).collect();
        let mut assembled = assemble_with(reading, &compiled, &self.known, self.settings);
        self.diagnostics.extend(
            compiled
                .iter()
                .flat_map(|ingress| ingress.diagnostics.iter().cloned()),
        );
        self.diagnostics.append(&mut assembled.diagnostics.clone());
        self.fill(&mut assembled);
        Section {
            albconfig: reading.albconfig.metadata.name.clone().unwrap_or_default(),
            compiled,
            assembled,
        }
    }

    /// Servers of each group, from the EndpointSlices of the files.
    fn fill(&self, assembled: &mut Assembled) {
        for (key, backend) in &assembled.backends {
            let name = (backend.namespace.as_str(), backend.service.as_str());
            let group = assembled.gateway.server_groups.get_mut(key);
            if let (Some((service, slices)), Some(group)) = (self.services.get(&name), group) {
                Arc::make_mut(group).servers = servers(service, &backend.port, slices);
            }
        }
    }

    /// Ingresses whose AlbConfig is not among the files: made from their annotations as the controller does, taken for
    /// granted, or reported.
    fn without_albconfig(&mut self, name: &str, members: Vec<(&Ingress, Compiled)>) -> Option<Section> {
        let oldest = members
            .iter()
            .min_by_key(|(_, compiled)| (compiled.created_s, &compiled.object));
        if let Some(generated) =
            oldest.and_then(|(ingress, _)| generated_albconfig(ingress, &self.known, self.settings))
        {
            self.diagnostics.extend(generated.diagnostics);
            return Some(self.assembled(&generated.albconfig.into(), members));
        }
        if !self.missing.is_assumed(!self.objects.albconfigs.is_empty()) {
            self.albconfig_not_found(name, &members);
            return None;
        }
        let albconfig = assumed_albconfig(name, &members);
        let listeners: Vec<String> = albconfig
            .spec
            .listeners
            .iter()
            .map(|listener| format!("{}/{}", port(listener), listener.protocol))
            .collect();
        let message = format!(
            "is not among the files and taken to exist, with listeners {}; to check it give its file too (-f)",
            listeners.join(", ")
        );
        let object = ObjectRef::new("AlbConfig", "", name);
        self.diagnostics.push(Diagnostic::new(
            Severity::Info,
            "AlbConfigNotFound",
            object,
            "",
            message,
        ));
        Some(self.assembled(&albconfig.into(), members))
    }

    /// One finding where the name stands: at the IngressClass, or at each Ingress that names it itself.
    fn albconfig_not_found(&mut self, name: &str, members: &[(&Ingress, Compiled)]) {
        let key = format!("{ANNOTATION_PREFIX}albconfig.name");
        let message =
            format!("AlbConfig {name} is not among the files; give its file too (-f), or correct the name");
        let mut told = Vec::new();
        for (ingress, compiled) in members {
            self.diagnostics.extend(compiled.diagnostics.iter().cloned());
            let annotated = ingress
                .metadata
                .annotations
                .as_ref()
                .is_some_and(|a| a.contains_key(&key));
            let class = class_name(ingress).filter(|_| !annotated).and_then(|(class, _)| {
                let known = |c: &&k8s_openapi::api::networking::v1::IngressClass| {
                    c.metadata.name.as_deref() == Some(class)
                };
                self.objects.classes.iter().find(known).map(|_| class.to_owned())
            });
            let (object, field) = match class {
                Some(class) => (
                    ObjectRef::new("IngressClass", "", class),
                    "spec.parameters.name".to_owned(),
                ),
                None if annotated => (
                    ObjectRef::clone(&compiled.object),
                    format!("metadata.annotations[{key}]"),
                ),
                None => (
                    ObjectRef::clone(&compiled.object),
                    "spec.ingressClassName".to_owned(),
                ),
            };
            if !told.contains(&object) {
                told.push(object.clone());
                let diagnostic = Diagnostic::new(
                    Severity::Error,
                    "AlbConfigNotFound",
                    object,
                    field,
                    message.clone(),
                );
                self.diagnostics.push(diagnostic);
            }
        }
    }
}

/// The class an Ingress names, and the field it does so in.
fn class_name(ingress: &Ingress) -> Option<(&str, &'static str)> {
    let by_field = ingress
        .spec
        .as_ref()
        .and_then(|spec| spec.ingress_class_name.as_deref());
    let annotations = ingress.metadata.annotations.as_ref();
    let by_annotation = annotations.and_then(|a| a.get("kubernetes.io/ingress.class"));
    by_field.map(|name| (name, "spec.ingressClassName")).or_else(|| {
        by_annotation.map(|name| (name.as_str(), "metadata.annotations[kubernetes.io/ingress.class]"))
    })
}

fn object_of(ingress: &Ingress) -> ObjectRef {
    let metadata = &ingress.metadata;
    ObjectRef::new(
        "Ingress",
        metadata.namespace.clone().unwrap_or_default(),
        metadata.name.clone().unwrap_or_default(),
    )
}

fn no_class(ingress: &Ingress) -> Diagnostic {
    let message = "names no class, and no IngressClass of the files is the default one: no controller serves it; write the \
                   name of an IngressClass";
    Diagnostic::new(
        Severity::Warning,
        "IngressClassNotFound",
        object_of(ingress),
        "spec.ingressClassName",
        message,
    )
}

fn not_ours(ingress: &Ingress, foreign: bool) -> Diagnostic {
    let (name, field) = class_name(ingress).unwrap_or_default();
    let (severity, code, message) = if foreign {
        let message = format!("IngressClass {name} belongs to another controller; the Ingress is skipped");
        (Severity::Info, NOT_OURS, message)
    } else {
        let message = format!(
            "IngressClass {name} is not among the files, and the Ingress is skipped; give its file too (-f), or correct the \
             name"
        );
        (Severity::Error, "IngressClassNotFound", message)
    };
    Diagnostic::new(severity, code, object_of(ingress), field, message)
}

fn port(listener: &ListenerSpec) -> u16 {
    listener.port_number().unwrap_or_default()
}

/// An AlbConfig with the listeners its Ingresses ask for.
fn assumed_albconfig(name: &str, members: &[(&Ingress, Compiled)]) -> AlbConfig {
    let mut keys: Vec<_> = members
        .iter()
        .flat_map(|(_, compiled)| compiled.listeners())
        .collect();
    keys.sort_unstable();
    keys.dedup();
    let listeners = keys
        .into_iter()
        .map(|(port, protocol)| ListenerSpec {
            port: IntOrString::Int(i32::from(port)),
            protocol: protocol.as_str().to_owned(),
            ..ListenerSpec::default()
        })
        .collect();
    AlbConfig::new(
        name,
        AlbConfigSpec {
            listeners,
            ..AlbConfigSpec::default()
        },
    )
}

fn skipped(objects: &Objects) -> Option<String> {
    if objects.skipped.is_empty() {
        return None;
    }
    let kinds: Vec<String> = objects
        .skipped
        .iter()
        .map(|(kind, n)| format!("{n} {kind}"))
        .collect();
    Some(format!(
        "skipped objects of kinds that make no gateway: {}",
        kinds.join(", ")
    ))
}

/// All findings, by place, each once.
fn sorted(objects: &Objects, mut diagnostics: Vec<Diagnostic>) -> Vec<Finding> {
    diagnostics.sort();
    diagnostics.dedup();
    let misspelt = |d: &Diagnostic| objects.misspelt.contains(&(d.object.clone(), d.field.clone()));
    diagnostics.retain(|diagnostic| !misspelt(diagnostic));
    let mut findings = objects.findings.clone();
    findings.extend(
        diagnostics
            .into_iter()
            .map(|diagnostic| objects.finding(diagnostic)),
    );
    findings.sort_by_cached_key(|f| (f.place.is_none(), f.place.clone(), f.diagnostic.clone()));
    findings
}
