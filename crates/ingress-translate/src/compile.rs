//! Phase one: a single Ingress becomes fragments.

use std::collections::{BTreeMap, BTreeSet};

use alb_model::{
    Action, Certificate, Condition, Direction, Edition, FixedResponse, Forward, ObjectRef, ServerGroupKey,
    ServerGroupRef, Severity, Target, limits, validate_rule,
};
use albconfig_crd::ANNOTATION_PREFIX;
use k8s_openapi::api::networking::v1::{
    HTTPIngressPath, Ingress, IngressBackend, IngressServiceBackend, IngressSpec,
};

use crate::annotations::{
    self, ActionSpec, Annotations, BackendSettings, Rewriting, TargetSpec, Traffic, parse_actions,
    parse_conditions,
};
use crate::codes::Code;
use crate::endpoints::{ServicePortRef, is_ipv6_only, service_port};
use crate::fragment::{Backend, Compiled, CompiledRule, CompiledTls, HostMatch, PathMatch};
use crate::target::object_ref;
use crate::{Lookups, Settings};

/// Service port name that says: the answer is in the actions annotation.
const USE_ANNOTATION: &str = "use-annotation";

/// Compiles one Ingress. Never fails as a whole: what cannot be served is left out or answers 503, with a diagnostic.
///
/// A path whose Service or port does not exist keeps its place and answers 503, as the Kubernetes contract has it, so that
/// its requests do not fall through to the backend of a shorter path. A path whose conditions cannot be read is left out:
/// nobody can tell which requests it meant.
pub fn compile(ingress: &Ingress, lookups: &dyn Lookups, settings: &Settings) -> Compiled {
    let object = object_ref(ingress);
    let mut annotations = Annotations::new(ingress, &object);
    let out = Compiled {
        created_s: created_s(ingress),
        order: annotations.order(),
        listen: annotations.listen(),
        canary: annotations.canary(),
        rules: Vec::new(),
        default_backend: None,
        backends: BTreeMap::new(),
        diagnostics: Vec::new(),
        reads: BTreeSet::new(),
        tls: Vec::new(),
        object: object.clone(),
    };
    let rewriting = annotations.rewriting();
    let traffic = annotations.traffic();
    let backend = annotations.backend();
    let per_service = per_service(&mut annotations);
    let diagnostics = std::mem::take(&mut annotations.diagnostics);
    let mut compiler = Compiler {
        lookups,
        settings,
        rewriting,
        traffic,
        backend,
        per_service,
        out,
    };
    compiler.out.diagnostics = diagnostics;
    if let Some(spec) = &ingress.spec {
        compiler.spec(spec);
    }
    compiler.finish()
}

fn created_s(ingress: &Ingress) -> i64 {
    ingress
        .metadata
        .creation_timestamp
        .as_ref()
        .map_or(i64::MAX, |time| time.0.as_second())
}

/// The annotations of one Service; `Some(None)` stands for one that is present but cannot be read.
#[derive(Default)]
struct PerService {
    conditions: Option<Option<Vec<Condition>>>,
    actions: Option<Option<Vec<ActionSpec>>>,
    direction: Option<Option<Direction>>,
    used: bool,
}

fn per_service(annotations: &mut Annotations<'_>) -> BTreeMap<String, PerService> {
    let mut all: BTreeMap<String, PerService> = BTreeMap::new();
    for (key, text) in annotations.starting_with("conditions.") {
        let parsed = parse_conditions(text)
            .map_err(|problem| invalid_json(annotations, key, &problem))
            .ok();
        all.entry(key["conditions.".len()..].to_owned())
            .or_default()
            .conditions = Some(parsed);
    }
    for (key, text) in annotations.starting_with("actions.") {
        let parsed = parse_actions(text)
            .map_err(|problem| invalid_json(annotations, key, &problem))
            .ok();
        all.entry(key["actions.".len()..].to_owned()).or_default().actions = Some(parsed);
    }
    for (key, _) in annotations.starting_with("rule-direction.") {
        let direction = annotations.word(key).map(|word| match word {
            "Response" => Direction::Response,
            _ => Direction::Request,
        });
        all.entry(key["rule-direction.".len()..].to_owned())
            .or_default()
            .direction = Some(direction);
    }
    all
}

fn invalid_json(annotations: &mut Annotations<'_>, key: &str, problem: &str) {
    let message = format!("{key}{problem}. The paths of that Service are not served as asked until then");
    annotations.report_on(Code::AnnotationInvalid, key, message);
}

struct Compiler<'a> {
    lookups: &'a dyn Lookups,
    settings: &'a Settings,
    rewriting: Rewriting,
    traffic: Traffic,
    backend: BackendSettings,
    per_service: BTreeMap<String, PerService>,
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
        if let Some(backend) = &spec.default_backend {
            self.out.default_backend =
                self.rule(HostMatch::Any, PathMatch::ROOT, backend, "spec.defaultBackend");
        }
        for (index, rule) in spec.rules.iter().flatten().enumerate() {
            let field = format!("spec.rules[{index}]");
            let host = match parse_host(rule.host.as_deref().unwrap_or_default(), self.settings) {
                Ok(host) => host,
                Err(problem) => {
                    self.report(Code::HostInvalid, format!("{field}.host"), problem);
                    continue;
                }
            };
            let paths = rule
                .http
                .as_ref()
                .map(|http| http.paths.as_slice())
                .unwrap_or_default();
            if !paths.is_empty() {
                for (at, path) in paths.iter().enumerate() {
                    self.path(host.clone(), path, &format!("{field}.http.paths[{at}]"));
                }
            } else if let Some(backend) = &spec.default_backend {
                // A rule without paths sends all of its host to the default backend.
                let rule = self.rule(host, PathMatch::ROOT, backend, &field);
                self.out.rules.extend(rule);
            } else {
                self.report(
                    Code::RuleEmpty,
                    field,
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
            self.out.tls.push(CompiledTls { hosts, certificate });
        }
    }

    fn certificate(
        &mut self,
        name: &str,
        hosts: &[String],
        index: usize,
    ) -> Option<(alb_model::CertificateKey, Certificate)> {
        let field = format!("spec.tls[{index}].secretName");
        let namespace = self.namespace().to_owned();
        self.out
            .reads
            .insert(ObjectRef::new("Secret", namespace.clone(), name));
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

    fn path(&mut self, host: HostMatch, path: &HTTPIngressPath, field: &str) {
        let text = path.path.as_deref().unwrap_or_default();
        match parse_path(text, &path.path_type, &self.rewriting) {
            Ok(matched) => {
                let rule = self.rule(host, matched, &path.backend, field);
                self.out.rules.extend(rule);
            }
            Err(problem) => self.report(Code::PathInvalid, format!("{field}.path"), problem),
        }
    }

    /// Builds the rule of one path; `None` if nothing can be said about which requests it means.
    fn rule(
        &mut self,
        host: HostMatch,
        path: PathMatch,
        backend: &IngressBackend,
        field: &str,
    ) -> Option<CompiledRule> {
        let backend_field = if field == "spec.defaultBackend" {
            field.to_owned()
        } else {
            format!("{field}.backend")
        };
        let mut rule = CompiledRule {
            host,
            path,
            extra_hosts: Vec::new(),
            extra_paths: Vec::new(),
            conditions: Vec::new(),
            direction: Direction::Request,
            actions: Vec::new(),
            valid: true,
            plain_forward: false,
            field: field.to_owned(),
        };
        let actions = match &backend.service {
            None => {
                let message =
                    "names no Service; ALB cannot serve other resources. Write service.name and service.port";
                self.report(Code::BackendNotSupported, backend_field, message);
                None
            }
            Some(service) => {
                let per = self.per_service.remove(&service.name);
                let result = self.service_rule(&mut rule, service, per.as_ref(), &backend_field);
                if let Some(mut per) = per {
                    per.used = true;
                    self.per_service.insert(service.name.clone(), per);
                }
                result?
            }
        };
        match actions {
            Some(actions) => rule.actions = actions,
            None if rule.direction == Direction::Response => return None,
            None => {
                rule.valid = false;
                rule.plain_forward = false;
                rule.actions = vec![unavailable()];
            }
        }
        self.check(&rule).then_some(rule)
    }

    /// Conditions and actions of a path with a Service. The outer `None` drops the rule; the inner one makes it answer
    /// 503.
    #[allow(clippy::option_option)]
    fn service_rule(
        &mut self,
        rule: &mut CompiledRule,
        service: &IngressServiceBackend,
        per: Option<&PerService>,
        field: &str,
    ) -> Option<Option<Vec<Action>>> {
        let default = PerService::default();
        let per = per.unwrap_or(&default);
        if self.out.canary.is_some() && per.conditions.is_some() {
            self.report(
                Code::CanaryIgnored,
                field,
                format!(
                    "a canary cannot have conditions.{}; remove one of them",
                    service.name
                ),
            );
            return None;
        }
        if let Some(direction) = &per.direction {
            rule.direction = (*direction)?;
        }
        if let Some(conditions) = &per.conditions {
            add_conditions(rule, conditions.clone()?);
        }
        let specs = match &per.actions {
            None => Vec::new(),
            Some(None) => return Some(None),
            Some(Some(specs)) => specs.clone(),
        };
        Some(self.actions(rule, service, specs, field))
    }

    fn actions(
        &mut self,
        rule: &mut CompiledRule,
        service: &IngressServiceBackend,
        specs: Vec<ActionSpec>,
        field: &str,
    ) -> Option<Vec<Action>> {
        let name = &service.name;
        let port = service.port.clone().unwrap_or_default();
        let use_annotation = port.name.as_deref() == Some(USE_ANNOTATION);
        let finals = specs.iter().filter(|spec| spec.is_final()).count();
        let problem = match (rule.direction, use_annotation, finals) {
            (Direction::Response, true, 0)
            | (Direction::Request, true, 1)
            | (Direction::Request, false, 0) => None,
            (Direction::Response, _, 0) => Some(format!(
                "a Response rule forwards nothing; write port.name: {USE_ANNOTATION}"
            )),
            (Direction::Response, ..) => Some(format!(
                "a Response rule has no ForwardGroup, Redirect or FixedResponse; remove it from actions.{name}"
            )),
            (Direction::Request, true, 0) => Some(format!(
                "port {USE_ANNOTATION} needs one ForwardGroup, Redirect or FixedResponse in actions.{name}; add it, or \
                 write a port of the Service"
            )),
            (Direction::Request, true, _) => Some(format!(
                "actions.{name} has {finals} of ForwardGroup, Redirect and FixedResponse; keep one"
            )),
            (Direction::Request, false, _) => Some(format!(
                "both this port and actions.{name} say how to answer; write port.name: {USE_ANNOTATION}, or remove the \
                 final action"
            )),
        };
        if let Some(problem) = problem {
            self.report(Code::ActionConflict, field, problem);
            return None;
        }
        let mut plain = Vec::new();
        let mut last = None;
        for spec in specs {
            match spec {
                ActionSpec::Plain(action) if action.is_final() => last = Some(action),
                ActionSpec::Plain(action) => plain.push(action),
                ActionSpec::Forward {
                    targets,
                    sticky_timeout_s,
                } => last = Some(self.forward(targets, sticky_timeout_s, &format!("actions.{name}"))?),
            }
        }
        if rule.direction == Direction::Response {
            return Some(plain);
        }
        let last = match last {
            Some(last) => last,
            None => {
                let port = match (port.number, port.name) {
                    (Some(number), _) => ServicePortRef::Number(u16::try_from(number).unwrap_or(0)),
                    (None, name) => ServicePortRef::Name(name.unwrap_or_default()),
                };
                rule.plain_forward = true;
                let key = self.service(name, &port, &format!("{field}.service"))?;
                Action::forward_to(ServerGroupRef::Managed(key))
            }
        };
        Some(self.arrange(plain, last, &rule.field))
    }

    /// Puts actions in the order ALB wants: limit, mirror, cross-origin, the others as listed, rewrite, final.
    fn arrange(&mut self, plain: Vec<Action>, last: Action, field: &str) -> Vec<Action> {
        let mut actions = plain;
        let mut add = |this: &mut Self, action: Option<Action>, what: &str| {
            let Some(action) = action else { return };
            if actions.iter().any(|other| other.kind() == action.kind()) {
                let message = format!(
                    "{what} and the actions annotation both give a {}; keep one. The latter holds",
                    action.kind()
                );
                this.report(Code::ActionConflict, field, message);
            } else {
                actions.push(action);
            }
        };
        add(
            self,
            self.traffic.limit.clone().map(Action::TrafficLimit),
            "traffic-limit-*",
        );
        add(self, self.traffic.cors.clone().map(Action::Cors), "enable-cors");
        if let Some(rewrite) = self.rewriting.action() {
            if matches!(last, Action::Forward(_)) {
                add(self, Some(rewrite), "rewrite-target");
            } else {
                let message = format!(
                    "rewrite-target has no effect on a path that answers by {}",
                    last.kind()
                );
                self.report(Code::AnnotationUnused, field, message);
            }
        }
        actions.sort_by_key(|action| match action {
            Action::TrafficLimit(_) => 0,
            Action::TrafficMirror(_) => 1,
            Action::Cors(_) => 2,
            Action::Rewrite(_) => 4,
            _ => 3,
        });
        actions.push(last);
        actions
    }

    /// A weighted forward. A target that cannot be served is left out; the others take its share.
    fn forward(
        &mut self,
        targets: Vec<(TargetSpec, u16)>,
        sticky_timeout_s: Option<u32>,
        key: &str,
    ) -> Option<Action> {
        let mut resolved: Vec<Target> = Vec::new();
        for (spec, weight) in targets {
            let group = match spec {
                TargetSpec::Group(id) => Some(ServerGroupRef::Id(id)),
                TargetSpec::Service { name, port } => {
                    let field = annotations::field(&format!("{ANNOTATION_PREFIX}{key}"));
                    self.service(&name, &port, &field).map(ServerGroupRef::Managed)
                }
            };
            let Some(group) = group else { continue };
            match resolved.iter_mut().find(|target| target.group == group) {
                Some(target) => target.weight = (target.weight + weight).min(*limits::WEIGHT.end()),
                None => resolved.push(Target { group, weight }),
            }
        }
        let any = resolved.iter().any(|target| target.weight > 0);
        any.then_some(Action::Forward(Forward {
            targets: resolved,
            sticky_timeout_s,
        }))
    }

    /// Looks up a Service and its port and registers the server group.
    fn service(&mut self, name: &str, port: &ServicePortRef, field: &str) -> Option<ServerGroupKey> {
        let namespace = self.namespace().to_owned();
        self.out
            .reads
            .insert(ObjectRef::new("Service", namespace.clone(), name));
        let in_spec = field.starts_with("spec.");
        let at = |part: &str| {
            if in_spec {
                format!("{field}.{part}")
            } else {
                field.to_owned()
            }
        };
        let Some(service) = self.lookups.service(&namespace, name) else {
            let message = format!("Service {namespace}/{name} does not exist; create it or correct the name");
            self.report(Code::ServiceNotFound, at("name"), message);
            return None;
        };
        let spec = service.spec.clone().unwrap_or_default();
        if spec.type_.as_deref() == Some("ExternalName") {
            let message = format!(
                "Service {namespace}/{name} is of type ExternalName, which has no endpoints; use one with endpoints"
            );
            self.report(Code::BackendNotSupported, at("name"), message);
            return None;
        }
        self.service_annotations(&service, name);
        let number = service_port(&service, port)
            .and_then(|port| u16::try_from(port.port).ok())
            .filter(|n| *n > 0);
        let Some(number) = number else {
            let ports: Vec<String> = spec
                .ports
                .iter()
                .flatten()
                .map(|p| {
                    p.name
                        .as_ref()
                        .map_or(p.port.to_string(), |name| format!("{} ({name})", p.port))
                })
                .collect();
            let known = if ports.is_empty() {
                "it has none".to_owned()
            } else {
                format!("write one of {}", ports.join(", "))
            };
            self.report(
                Code::ServicePortNotFound,
                at("port"),
                format!("Service {namespace}/{name} has no TCP port {port}; {known}"),
            );
            return None;
        };
        let backend = Backend {
            namespace,
            service: name.to_owned(),
            port: ServicePortRef::Number(number),
            settings: self.backend.clone(),
            ipv6: is_ipv6_only(&service),
        };
        let key = backend.key();
        self.out.backends.insert(key.clone(), backend);
        Some(key)
    }

    fn service_annotations(&mut self, service: &k8s_openapi::api::core::v1::Service, name: &str) {
        use annotations::table::{Scope, Status, find};
        let object = ObjectRef::new("Service", self.namespace(), name);
        for key in service.metadata.annotations.iter().flatten().map(|(key, _)| key) {
            let spec = key.strip_prefix(ANNOTATION_PREFIX).and_then(find);
            if let Some(spec) = spec.filter(|spec| spec.scope == Scope::Service)
                && let Status::NotSupported(why) = spec.status
            {
                let message = format!("{key} is not supported: {why}");
                self.out.diagnostics.push(Code::AnnotationNotSupported.on(
                    &object,
                    annotations::field(key),
                    message,
                ));
            }
        }
    }

    /// Reports what ALB would refuse; whether the rule can stay.
    fn check(&mut self, rule: &CompiledRule) -> bool {
        let mut accepted = true;
        let dotless = matches!(&rule.host, HostMatch::Exact(host) if !host.contains('.'));
        for violation in validate_rule(&rule.to_rule(), Edition::Standard) {
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
                rule.field.clone(),
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
            .flat_map(|(name, per)| {
                let heads = [
                    ("conditions", per.conditions.is_some()),
                    ("actions", per.actions.is_some()),
                    ("rule-direction", per.direction.is_some()),
                ];
                heads
                    .into_iter()
                    .filter(|(_, given)| *given)
                    .map(move |(head, _)| format!("{head}.{name}"))
            })
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

fn add_conditions(rule: &mut CompiledRule, conditions: Vec<Condition>) {
    for condition in conditions {
        match condition {
            Condition::Host { values } => rule.extra_hosts.extend(values),
            Condition::Path { values } => rule.extra_paths.extend(values),
            other => rule.conditions.push(other),
        }
    }
    rule.conditions.sort();
}

fn parse_host(host: &str, settings: &Settings) -> Result<HostMatch, String> {
    if host.is_empty() {
        return Ok(HostMatch::Any);
    }
    let lower = host.to_ascii_lowercase();
    let (name, wildcard) = match lower.strip_prefix("*.") {
        Some(rest) => (rest, true),
        None => (lower.as_str(), false),
    };
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if !name.split('.').all(is_label) {
        return Err(format!(
            "{host:?} is no DNS name; write one such as app.example.com, or *.example.com with a wildcard for the first \
             label"
        ));
    }
    if wildcard {
        return Ok(HostMatch::Wildcard(name.to_owned()));
    }
    if !name.contains('.') && !settings.hosts_without_dot {
        return Err(format!(
            "{host:?} has no dot, and ALB accepts none such; write a full domain name"
        ));
    }
    Ok(HostMatch::Exact(lower))
}

fn parse_path(text: &str, type_: &str, rewriting: &Rewriting) -> Result<PathMatch, String> {
    let absolute = |path: &str| {
        if path.starts_with('/') {
            Ok(())
        } else {
            Err(format!("{path:?} does not start with a slash; write \"/{path}\""))
        }
    };
    let literal = |path: &str| match path.contains(['*', '?']) {
        false => Ok(()),
        true => Err(format!(
            "{path:?} holds a wildcard, which only pathType ImplementationSpecific may; change pathType or the path"
        )),
    };
    match type_ {
        "Exact" => {
            absolute(text)?;
            literal(text)?;
            Ok(PathMatch::Exact(text.to_owned()))
        }
        "Prefix" if rewriting.is_regex(text) => {
            absolute(text.trim_start_matches('^'))?;
            Ok(PathMatch::Regex(text.to_owned()))
        }
        "Prefix" => {
            absolute(if text.is_empty() { "/" } else { text })?;
            literal(text)?;
            Ok(PathMatch::Prefix(text.trim_end_matches('/').to_owned()))
        }
        "ImplementationSpecific" | "" if text.is_empty() => Ok(PathMatch::ROOT),
        "ImplementationSpecific" | "" => match text.strip_prefix("~*") {
            Some(expression) => Ok(PathMatch::Regex(expression.to_owned())),
            None => Ok(PathMatch::Pattern(text.to_owned())),
        },
        other => Err(format!(
            "pathType {other:?} is unknown; write Exact, Prefix or ImplementationSpecific"
        )),
    }
}
