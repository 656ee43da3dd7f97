//! Phase one: a single Ingress becomes fragments.

mod actions;
mod draft;
mod known;
mod parse;
mod per_service;
mod place;
mod plain;
mod service;

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use alb_model::{
    Action, Certificate, CertificateKey, Direction, Edition, FixedResponse, ObjectRef, Severity,
    validate_rule,
};
use albconfig_crd::ANNOTATION_PREFIX;
use k8s_openapi::api::networking::v1::{HTTPIngressPath, Ingress, IngressBackend, IngressSpec};

use self::actions::Answer;
use self::draft::Draft;
use self::known::KnownPorts;
use self::parse::{parse_host, parse_path};
use self::per_service::{PerService, per_service};
use self::place::Place;
use crate::annotations::{self, Annotations, BackendSettings, Rewriting, Traffic};
use crate::codes::Code;
use crate::fragment::{Compiled, CompiledRule, CompiledTls, HostMatch, PathMatch};
use crate::target::object_ref;
use crate::{Lookups, Settings, parallel};

/// Compiles one Ingress. Never fails as a whole: what cannot be served is left out or answers 503, with a diagnostic.
///
/// A path whose Service or port does not exist keeps its place and answers 503, as the Kubernetes contract has it, so that
/// its requests do not fall through to the backend of a shorter path. A path whose conditions cannot be read is left out:
/// nobody can tell which requests it meant.
pub fn compile(ingress: &Ingress, lookups: &dyn Lookups, settings: &Settings) -> Compiled {
    let object = Arc::new(object_ref(ingress));
    let mut annotations = Annotations::new(ingress, &object);
    let (order, listen, canary) = (annotations.order(), annotations.listen(), annotations.canary());
    let rewriting = annotations.rewriting();
    let traffic = annotations.traffic();
    let backend = annotations.backend();
    let per_service = per_service(&mut annotations);
    let diagnostics = std::mem::take(&mut annotations.diagnostics);
    let out = Compiled {
        created_s: created_s(ingress),
        order,
        protocol: backend.protocol,
        listen,
        canary: canary.map(Box::new),
        rules: Vec::with_capacity(count(ingress)),
        default_backend: None,
        backends: Vec::new(),
        diagnostics,
        reads: Vec::new(),
        tls: Vec::new(),
        object,
    };
    let mut compiler = Compiler {
        lookups,
        settings,
        rewriting,
        traffic,
        settings_hash: backend.discriminator(),
        backend: shared(backend),
        per_service,
        known: KnownPorts::default(),
        out,
    };
    if let Some(spec) = &ingress.spec {
        compiler.spec(spec);
    }
    compiler.finish()
}

/// Ingresses that a thread compiles at least. Fewer cost less than starting it and than the fresh memory it takes.
const ENOUGH: usize = 512;

/// Compiles many Ingresses, each as [`compile`] does, in their order; from about a thousand on, on all cores.
pub fn compile_all<I: Borrow<Ingress> + Sync>(
    ingresses: &[I],
    lookups: &(dyn Lookups + Sync),
    settings: &Settings,
) -> Vec<Compiled> {
    parallel::map(ingresses, ENOUGH, |ingress| {
        compile(ingress.borrow(), lookups, settings)
    })
}

/// Most Ingresses set nothing up, and all of those share the defaults.
fn shared(settings: BackendSettings) -> Arc<BackendSettings> {
    static DEFAULT: LazyLock<Arc<BackendSettings>> = LazyLock::new(Arc::default);
    if settings == **DEFAULT {
        Arc::clone(&DEFAULT)
    } else {
        Arc::new(settings)
    }
}

/// How many paths an Ingress has.
fn count(ingress: &Ingress) -> usize {
    let rules = ingress.spec.iter().flat_map(|spec| spec.rules.iter().flatten());
    rules
        .map(|rule| rule.http.as_ref().map_or(1, |http| http.paths.len()))
        .sum()
}

fn created_s(ingress: &Ingress) -> i64 {
    ingress
        .metadata
        .creation_timestamp
        .as_ref()
        .map_or(i64::MAX, |time| time.0.as_second())
}

struct Compiler<'a> {
    lookups: &'a dyn Lookups,
    settings: &'a Settings,
    rewriting: Rewriting,
    traffic: Traffic,
    backend: Arc<BackendSettings>,
    /// Of `backend`, unless it is the default.
    settings_hash: Option<String>,
    per_service: BTreeMap<String, PerService>,
    /// Ports of Services that were looked up already, with the numbers of their server groups.
    known: KnownPorts,
    out: Compiled,
}

impl Compiler<'_> {
    fn report(&mut self, code: Code, field: impl Into<String>, message: impl Into<String>) {
        self.out
            .diagnostics
            .push(code.on(&self.out.object, field, message));
    }

    fn namespace(&self) -> &str {
        &self.out.object.namespace
    }

    fn spec(&mut self, spec: &IngressSpec) {
        self.tls(spec);
        if spec.default_backend.is_some() && self.out.canary.is_some() {
            self.report(
                Code::CanaryIgnored,
                "spec.defaultBackend",
                "a canary has no default backend of its own; remove it",
            );
        } else if let Some(backend) = &spec.default_backend {
            let rule = self.rule(HostMatch::Any, PathMatch::ROOT, backend, Place::Default);
            self.out.default_backend = rule.map(Box::new);
        }
        for (index, rule) in (0..).zip(spec.rules.iter().flatten()) {
            let host = match parse_host(rule.host.as_deref().unwrap_or_default(), self.settings) {
                Ok(host) => host,
                Err(problem) => {
                    self.report(Code::HostInvalid, format!("spec.rules[{index}].host"), problem);
                    continue;
                }
            };
            let paths = rule
                .http
                .as_ref()
                .map(|http| http.paths.as_slice())
                .unwrap_or_default();
            if !paths.is_empty() {
                for (at, path) in (0..).zip(paths) {
                    self.path(&host, path, Place::Path(index, at));
                }
            } else if let Some(backend) = &spec.default_backend {
                // A rule without paths sends all of its host to the default backend.
                let rule = self.rule(host, PathMatch::ROOT, backend, Place::Rule(index));
                self.out.rules.extend(rule);
            } else {
                self.report(
                    Code::RuleEmpty,
                    Place::Rule(index).field(),
                    "has no paths, and there is no spec.defaultBackend to send its host to; add paths",
                );
            }
        }
    }

    fn tls(&mut self, spec: &IngressSpec) {
        for (index, entry) in spec.tls.iter().flatten().enumerate() {
            let hosts: Vec<String> = entry
                .hosts
                .iter()
                .flatten()
                .map(|host| host.to_ascii_lowercase())
                .collect();
            let name = entry.secret_name.as_deref().filter(|name| !name.is_empty());
            let certificate = name.and_then(|name| self.certificate(name, &hosts, index));
            let reported = name.is_some() && certificate.is_none();
            self.out.tls.push(CompiledTls {
                hosts,
                certificate,
                reported,
            });
        }
    }

    fn certificate(
        &mut self,
        name: &str,
        hosts: &[String],
        index: usize,
    ) -> Option<(CertificateKey, Certificate)> {
        let field = format!("spec.tls[{index}].secretName");
        let namespace = self.out.object.namespace.clone();
        self.out
            .reads
            .push(ObjectRef::new("Secret", namespace.clone(), name));
        let Some(state) = self.lookups.secret(&namespace, name) else {
            let message = format!("Secret {namespace}/{name} does not exist; create it or correct the name");
            self.report(Code::TlsSecretNotFound, field, message);
            return None;
        };
        let secret = match state.as_ref() {
            Ok(secret) => secret,
            Err(problem) => {
                self.report(
                    Code::TlsSecretInvalid,
                    field,
                    format!("Secret {namespace}/{name} {problem}"),
                );
                return None;
            }
        };
        for (at, host) in hosts.iter().enumerate().filter(|(_, host)| !secret.covers(host)) {
            let message = format!(
                "the certificate in Secret {namespace}/{name} is not valid for {host}, only for {}",
                secret.domains.join(", ")
            );
            self.report(
                Code::CertificateHostMismatch,
                format!("spec.tls[{index}].hosts[{at}]"),
                message,
            );
        }
        let certificate = Certificate {
            secret: ObjectRef::new("Secret", namespace, name),
            domains: secret.domains.clone(),
            not_after_s: secret.not_after_s,
            fingerprint: secret.fingerprint.clone(),
        };
        Some((secret.key(&self.settings.cluster_id), certificate))
    }

    fn path(&mut self, host: &HostMatch, path: &HTTPIngressPath, place: Place) {
        let text = path.path.as_deref().unwrap_or_default();
        match parse_path(text, &path.path_type, &self.rewriting) {
            Ok(matched) => {
                let rule = self.rule(host.clone(), matched, &path.backend, place);
                self.out.rules.extend(rule);
            }
            Err((part, problem)) => {
                self.report(Code::PathInvalid, format!("{}.{part}", place.field()), problem);
            }
        }
    }

    /// Builds the rule of one path; `None` if nothing can be said about which requests it means.
    fn rule(
        &mut self,
        host: HostMatch,
        path: PathMatch,
        backend: &IngressBackend,
        place: Place,
    ) -> Option<CompiledRule> {
        let mut rule = Draft::new(host, path, place);
        let answer = match &backend.service {
            None => {
                let message =
                    "names no Service; ALB cannot serve other resources. Write service.name and service.port";
                self.report(Code::BackendNotSupported, place.backend(), message);
                Answer::Unavailable
            }
            Some(service) => {
                let per = self.per_service.get_mut(&service.name).map(|per| {
                    per.used = true;
                    per.clone()
                });
                self.service_rule(&mut rule, service, &per.unwrap_or_default(), place)
            }
        };
        match answer {
            Answer::Actions(actions) => rule.actions = actions,
            Answer::Drop => return None,
            Answer::Unavailable if rule.direction == Direction::Response => return None,
            Answer::Unavailable => {
                rule.valid = false;
                rule.plain_forward = false;
                rule.groups.clear();
                rule.actions = vec![unavailable()];
            }
        }
        let needs_no_check = plain::needs_no_check(&rule);
        let rule = rule.compiled(&self.out.object);
        (needs_no_check || self.check(&rule)).then_some(rule)
    }

    /// Reports what ALB would refuse; whether the rule can stay.
    fn check(&mut self, rule: &CompiledRule) -> bool {
        let mut accepted = true;
        let dotless = matches!(&rule.host, HostMatch::Exact(host) if !host.contains('.'));
        for violation in validate_rule(&rule.rule, Edition::Standard) {
            if dotless && self.settings.hosts_without_dot && violation.code == "HostInvalid" {
                continue;
            }
            let code = if violation.severity == Severity::Error {
                accepted = false;
                Code::RuleInvalid
            } else {
                Code::RuleDoubtful
            };
            self.report(
                code,
                &rule.field,
                format!("{} ({})", violation.message, violation.code),
            );
        }
        accepted
    }

    fn finish(mut self) -> Compiled {
        let unused: Vec<String> = self
            .per_service
            .iter()
            .filter(|(_, per)| !per.used)
            .flat_map(|(name, per)| per.given().map(move |head| format!("{head}.{name}")))
            .collect();
        for key in unused {
            let field = annotations::field(&format!("{ANNOTATION_PREFIX}{key}"));
            self.report(
                Code::AnnotationUnused,
                field,
                format!("{key} has no effect: no path has a Service of that name"),
            );
        }
        let mut seen = BTreeSet::new();
        self.out
            .diagnostics
            .retain(|diagnostic| seen.insert(diagnostic.clone()));
        self.out.reads.sort_unstable();
        self.out.reads.dedup();
        self.out
    }
}

/// The answer of a path whose backend is missing.
fn unavailable() -> Action {
    Action::FixedResponse(FixedResponse {
        code: 503,
        ..FixedResponse::default()
    })
}
