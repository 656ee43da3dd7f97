//! What anyone would write first: clone everything, look for conflicts by comparing with all rules so far, sort. It knows
//! hosts, paths and Services; no annotations, no canaries, no certificates, no diagnostics.

use alb_model::{Action, Condition, ObjectRef, Origin, Rule, ServerGroupRef};
use k8s_openapi::api::networking::v1::{HTTPIngressPath, Ingress};

/// Rules in their order.
pub(super) fn translate(ingresses: &[Ingress]) -> Vec<Rule> {
    let mut sorted = ingresses.to_vec();
    sorted.sort_by_key(|ingress| {
        (
            ingress.metadata.creation_timestamp.clone(),
            ingress.metadata.namespace.clone(),
            ingress.metadata.name.clone(),
        )
    });
    let mut rules: Vec<((bool, usize, String), Rule)> = Vec::new();
    for ingress in &sorted {
        let spec = ingress.spec.clone().unwrap_or_default();
        for (i, rule) in spec.rules.unwrap_or_default().iter().enumerate() {
            let host = rule.host.clone().unwrap_or_default();
            for (j, path) in rule.http.clone().unwrap_or_default().paths.iter().enumerate() {
                let made = made(ingress, &host, path, &format!("spec.rules[{i}].http.paths[{j}]"));
                if rules.iter().any(|(_, other)| other.conditions == made.conditions) {
                    continue;
                }
                let text = path.path.clone().unwrap_or_default();
                let key = (path.path_type != "Exact", usize::MAX - text.len(), host.clone());
                rules.push((key, made));
            }
        }
    }
    rules.sort_by_key(|(key, _)| key.clone());
    rules.into_iter().map(|(_, rule)| rule).collect()
}

fn made(ingress: &Ingress, host: &str, path: &HTTPIngressPath, field: &str) -> Rule {
    let namespace = ingress.metadata.namespace.clone().unwrap_or_default();
    let name = ingress.metadata.name.clone().unwrap_or_default();
    let text = path.path.clone().unwrap_or_default();
    let values = match (path.path_type.as_str(), text.trim_end_matches('/')) {
        ("Exact", _) => vec![text.clone()],
        (_, "") => vec!["/*".to_owned()],
        (_, prefix) => vec![prefix.to_owned(), format!("{prefix}/*")],
    };
    let service = path.backend.service.clone().unwrap_or_default();
    let port = service.port.and_then(|port| port.number).unwrap_or_default();
    let group = format!("{namespace}/{}/{port}", service.name);
    Rule {
        conditions: vec![Condition::host([host]), Condition::path(values)],
        actions: vec![Action::forward_to(ServerGroupRef::managed(group))],
        origins: [Origin {
            object: ObjectRef::new("Ingress", namespace, name).into(),
            field: field.into(),
        }]
        .into(),
        ..Rule::default()
    }
}
