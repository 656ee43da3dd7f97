//! The server groups of a gateway.

use std::collections::BTreeMap;
use std::sync::Arc;

use alb_model::{ServerGroup, ServerGroupKey, Tags, Text};

use super::load_balancer::{owner_tags, tag_value};
use super::sorting::padded;
use super::used::UsedGroups;
use crate::Settings;
use crate::fragment::{Backend, Compiled};
use crate::secret::hex;

/// What all server groups of a gateway have.
pub(super) struct Groups<'a> {
    albconfig: &'a str,
    settings: &'a Settings,
    vpc_id: Text,
    owner: Tags,
    /// Those of a group, of which the Service's have no values yet.
    tags: Tags,
}

const SERVICE_NAME: &str = "ingress.k8s.alibaba/service_name";
const SERVICE_NAMESPACE: &str = "ingress.k8s.alibaba/service_ns";
const SERVICE_PORT: &str = "ingress.k8s.alibaba/service_port";

impl<'a> Groups<'a> {
    pub(super) fn new(albconfig: &'a str, settings: &'a Settings) -> Self {
        let owner = owner_tags(albconfig, settings);
        let mut tags = owner.clone();
        tags.extend(
            [SERVICE_NAME, SERVICE_NAMESPACE, SERVICE_PORT]
                .map(|tag| (Text::new_static(tag), Text::default())),
        );
        Self {
            albconfig,
            settings,
            vpc_id: settings.vpc_id.as_str().into(),
            owner,
            tags,
        }
    }

    /// The server group of a Service port, without servers.
    fn group(&self, backend: &Backend) -> ServerGroup {
        let settings = &backend.settings;
        let mut tags = self.tags.clone();
        for (tag, value) in [
            (SERVICE_NAME, tag_value(&backend.service)),
            (SERVICE_NAMESPACE, tag_value(&backend.namespace)),
            (SERVICE_PORT, backend.port.text()),
        ] {
            tags.set(tag, value);
        }
        ServerGroup {
            id: None,
            name: group_name(&backend.key, backend),
            protocol: settings.protocol,
            server_type: self.settings.server_type,
            vpc_id: self.vpc_id.clone(),
            resource_group_id: settings.resource_group_id.clone(),
            scheduler: settings.scheduler,
            uch_query_key: settings.uch_query_key.clone(),
            sticky: settings.sticky.clone(),
            upstream_keepalive: settings.keepalive.unwrap_or(self.settings.upstream_keepalive),
            cross_zone: None,
            ipv6: backend.ipv6,
            slow_start_s: settings.slow_start_s,
            connection_drain_s: settings.connection_drain_s,
            health_check: settings.health_check.clone(),
            service_name: Some(backend.service.clone()),
            tags,
            servers: Vec::new(),
        }
    }

    /// The group that listeners fall back to.
    pub(super) fn placeholder(&self) -> ServerGroup {
        ServerGroup {
            name: starting_with_a_letter(format!("{}-placeholder", self.albconfig).into()),
            server_type: self.settings.server_type,
            vpc_id: self.vpc_id.clone(),
            tags: self.owner.clone(),
            ..ServerGroup::default()
        }
    }
}

/// A Service port of an Ingress.
struct Candidate<'a> {
    /// The start of its key as a number of the same order: comparing it saves most looks at the keys.
    start: u128,
    /// Its number among those of all Ingresses, the oldest first.
    number: u32,
    backend: &'a Arc<Backend>,
    /// Its server group, if it was made beforehand.
    group: Option<Arc<ServerGroup>>,
}

impl Candidate<'_> {
    fn is_same(&self, other: &Self) -> bool {
        self.start == other.start && self.backend.key == other.backend.key
    }
}

/// The Service ports of all Ingresses by key; of those with one key, that of the oldest Ingress first.
pub(super) struct Backends<'a>(Vec<Candidate<'a>>);

impl<'a> Backends<'a> {
    /// With their server groups if `made` is true: before it is known which are used, but most are.
    pub(super) fn new(ingresses: &[&'a Compiled], groups: &Groups<'_>, made: bool) -> Self {
        let all = ingresses.iter().flat_map(|ingress| &ingress.backends);
        let mut all: Vec<_> = (0..)
            .zip(all)
            .map(|(number, backend)| Candidate {
                start: u128::from_be_bytes(padded(backend.key.0.as_bytes())),
                number,
                backend,
                group: None,
            })
            .collect();
        all.sort_unstable_by(|a, b| {
            (a.start.cmp(&b.start))
                .then_with(|| a.backend.key.cmp(&b.backend.key))
                .then(a.number.cmp(&b.number))
        });
        if made {
            for at in 0..all.len() {
                if at == 0 || !all[at].is_same(&all[at - 1]) {
                    all[at].group = Some(groups.group(all[at].backend).into());
                }
            }
        }
        Self(all)
    }

    /// Those that are used and their server groups, each as the oldest Ingress that uses it sets it up.
    pub(super) fn used(
        self,
        used: &UsedGroups,
        groups: &Groups<'_>,
    ) -> (
        BTreeMap<ServerGroupKey, Arc<Backend>>,
        BTreeMap<ServerGroupKey, Arc<ServerGroup>>,
    ) {
        let mut all = self.0;
        all.retain(|candidate| used.contains(candidate.number, &candidate.backend.key));
        all.dedup_by(|younger, older| younger.is_same(older));
        let backends = all
            .iter()
            .map(|one| (one.backend.key.clone(), Arc::clone(one.backend)))
            .collect();
        let made = |one: Candidate<'_>| {
            let group = one.group.unwrap_or_else(|| groups.group(one.backend).into());
            (one.backend.key.clone(), group)
        };
        (backends, all.into_iter().map(made).collect())
    }
}

/// A name that starts with a letter. That ALB asks for one is documented for load balancers only; whether it does for
/// server groups is unverified. A group that bears the plain name already is found by its tags and renamed.
fn starting_with_a_letter(name: Text) -> Text {
    if name.starts_with(|c: char| c.is_ascii_alphabetic()) {
        name
    } else {
        ["k8s-", &name].into_iter().collect()
    }
}

/// A text with dashes for slashes. In place for most: each server group has such a name, and taking a text apart costs
/// much of what is done for one.
fn dashed(text: &str) -> Text {
    let mut buffer = [0; 96];
    let Some(bytes) = buffer.get_mut(..text.len()) else {
        return text.replace('/', "-").into();
    };
    bytes.copy_from_slice(text.as_bytes());
    for byte in bytes.iter_mut().filter(|byte| **byte == b'/') {
        *byte = b'-';
    }
    std::str::from_utf8(bytes).unwrap_or_default().into()
}

/// `namespace-service-port`, with a hash where settings differ or the name would be too long.
fn group_name(key: &ServerGroupKey, backend: &Backend) -> Text {
    use sha2::{Digest, Sha256};
    const MAX: usize = 128;
    let name = starting_with_a_letter(dashed(&key.0));
    if name.len() <= MAX {
        return name;
    }
    let hash = hex(&Sha256::digest(key.0.as_str()));
    let head: String = name
        .chars()
        .take(MAX - 18 - backend.port.to_string().len())
        .collect();
    format!("{head}-{}-{}", backend.port, &hash[..16]).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{MemoryLookups, compile};

    #[test]
    fn names_have_dashes() {
        for text in ["", "a/b/80", "/ä/", &"a/".repeat(48), &"a/".repeat(49)] {
            assert_eq!(dashed(text), text.replace('/', "-"));
        }
    }

    /// An Ingress in namespace `a` with one path for each Service, and those Services. The first path is wrong if asked.
    fn compiled(name: &str, services: &[&str], wrong: bool) -> Compiled {
        let mut lookups = MemoryLookups::default();
        let mut paths = Vec::new();
        for (number, service) in services.iter().enumerate() {
            let object =
                format!("{{metadata: {{namespace: a, name: {service}}}, spec: {{ports: [{{port: 80}}]}}}}");
            lookups.add_service(serde_saphyr::from_str(&object).expect("a Service"));
            let path = if wrong && number == 0 { "/%" } else { "/" };
            paths.push(format!(
                "{{path: {path}, pathType: Prefix, backend: {{service: {{name: {service}, port: {{number: 80}}}}}}}}"
            ));
        }
        let ingress = format!(
            "{{metadata: {{namespace: a, name: {name}}}, spec: {{rules: [{{host: {name}.example.com, http: {{paths: [{}]}}}}]}}}}",
            paths.join(", ")
        );
        let ingress = serde_saphyr::from_str(&ingress).expect("an Ingress");
        compile(&ingress, &lookups, &Settings::default())
    }

    #[test]
    fn groups_made_beforehand_are_those_made_when_needed() {
        let settings = Settings::default();
        let groups = Groups::new("public", &settings);
        let all = [
            compiled("first", &["x", "b"], true),
            compiled("second", &["b", "x", "c"], false),
            compiled("third", &["unused", "c"], true),
        ];
        let ingresses: Vec<&Compiled> = all.iter().collect();
        let mut used = UsedGroups::new(&ingresses);
        for rule in ingresses.iter().flat_map(|ingress| &ingress.rules) {
            used.rule(&rule.rule);
        }
        let made = Backends::new(&ingresses, &groups, true).used(&used, &groups);
        assert_eq!(
            made,
            Backends::new(&ingresses, &groups, false).used(&used, &groups)
        );
        let keys: Vec<&str> = made.1.keys().map(|key| key.0.as_str()).collect();
        assert_eq!(keys, made.0.keys().map(|key| key.0.as_str()).collect::<Vec<_>>());
        // The wrong paths are not rules, and what only they name is not used.
        assert_eq!(keys, ["a/b/80", "a/c/80", "a/x/80"]);
    }
}
