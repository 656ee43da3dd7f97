//! The system under test, with what all cases share: applications, and an Ingress without any annotation.

use std::collections::BTreeMap;

use alb_sim::VSwitch;
use anyhow::{Context, Result, ensure};
use e2e::traffic::{Ask, Reply};
use e2e::{LIMIT, Stack, prefill};
use examples::backend::Backend;
use examples::stack;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::api::networking::v1::Ingress;
use kube::api::ListParams;
use kube::{Api, ResourceExt};
use serde_json::{Value, json};

use crate::cases::{Case, IngressSpec};

/// Prefix of the table's keys.
pub(crate) const PREFIX: &str = "alb.ingress.kubernetes.io/";

/// Host of the Ingress without annotations.
pub(crate) const PLAIN: &str = "plain.example.com";

/// vSwitches besides the simulator's two: both in one more zone.
pub(crate) const THIRD_ZONE: [&str; 2] = ["vsw-sim-c", "vsw-sim-d"];

/// Stand for the ids of load balancers with a listener on port 80 that somebody else made.
pub(crate) const REUSED: &str = "$REUSED";
pub(crate) const FORCED: &str = "$FORCED";

/// The running system.
pub(crate) struct Lab {
    pub(crate) stack: Stack,
    /// Load balancers that somebody else made, by what stands for their ids in annotations.
    foreign: BTreeMap<&'static str, String>,
}

impl Lab {
    /// Starts the applications:
    ///
    /// | Service | servers |
    /// | --- | --- |
    /// | `app`, `next`, `other` | one each |
    /// | `many` | three |
    /// | `secure` | one, HTTPS only |
    pub(crate) async fn new() -> Result<Self> {
        let mut config = alb_sim::Config::default();
        let third = THIRD_ZONE.map(|id| VSwitch::new(id, "cn-hangzhou-j", "vpc-sim"));
        config.vswitches.extend(third);
        let mut stack = Stack::without_controller(config).await?;
        stack.apply_gateway().await?;
        stack.start_controller().await?;
        for (name, addresses) in [
            ("app", &["10.9.0.1"][..]),
            ("next", &["10.9.1.1"]),
            ("other", &["10.9.2.1"]),
            ("many", &["10.9.3.1", "10.9.3.2", "10.9.3.3"]),
        ] {
            stack.application(name, addresses).await?;
        }
        let made = rcgen::generate_simple_self_signed(["*.example.com".to_owned()])?;
        let key = rustls::pki_types::PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
        let config =
            rustls::ServerConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
                .with_safe_default_protocol_versions()?
                .with_no_client_auth()
                .with_single_cert(vec![made.cert.der().clone()], key.into())?;
        let backend = Backend::start_tls("secure", "10.9.4.1", config).await?;
        stack.serve("10.9.4.1:8080", backend)?;
        stack
            .endpoints("secure", &[("http", 80, 8080)], &["10.9.4.1"])
            .await?;
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls",
            "metadata": { "name": "tls", "namespace": stack.name },
            "stringData": { "tls.crt": made.cert.pem(), "tls.key": made.signing_key.serialize_pem() },
        });
        stack::apply(&stack.kube, &[secret]).await?;
        let mut foreign = BTreeMap::new();
        let client = stack::alb_client(&stack.sim)?;
        for placeholder in [REUSED, FORCED] {
            let id = prefill::load_balancer_by_hand(&client, "foreign").await?;
            foreign.insert(placeholder, id);
        }
        Ok(Self { stack, foreign })
    }

    /// A load balancer that somebody else made.
    pub(crate) fn foreign(&self, placeholder: &str) -> &str {
        self.foreign.get(placeholder).map_or("", String::as_str)
    }

    /// Applies the plain Ingress and those of all cases, and waits until each has an address.
    pub(crate) async fn apply(&mut self, cases: &[Case]) -> Result<()> {
        let plain = IngressSpec::new("plain").path("/", "app");
        let mut objects = vec![self.object(&plain)];
        objects.extend(
            cases
                .iter()
                .flat_map(|c| &c.ingresses)
                .map(|spec| self.object(spec)),
        );
        stack::apply(&self.stack.kube, &objects).await?;
        let api = Api::<Ingress>::namespaced(self.stack.kube.clone(), &self.stack.name);
        let result = stack::until("each Ingress to have an address", LIMIT, || async {
            let all = api.list(&ListParams::default()).await?.items;
            Ok(all.iter().all(has_address).then_some(()))
        })
        .await;
        if result.is_err() {
            let left = api.list(&ListParams::default()).await?.items;
            let left: Vec<_> = left
                .iter()
                .filter(|i| !has_address(i))
                .map(ResourceExt::name_any)
                .collect();
            return result.with_context(|| format!("without: {left:?}"));
        }
        self.servers_known().await
    }

    /// What Ingresses were warned of; right values are no reason for it.
    pub(crate) async fn warnings(&self) -> Result<Vec<String>> {
        let events = Api::<Event>::namespaced(self.stack.kube.clone(), &self.stack.name);
        let all = events.list(&ListParams::default()).await?.items;
        let warnings = all
            .into_iter()
            .filter(|event| event.type_.as_deref() == Some("Warning"));
        Ok(warnings
            .filter_map(|event| {
                let about = event
                    .regarding
                    .filter(|about| about.kind.as_deref() == Some("Ingress"))?;
                let (reason, note) = (event.reason.unwrap_or_default(), event.note.unwrap_or_default());
                Some(format!(
                    "Ingress {}: {reason}: {note}",
                    about.name.unwrap_or_default()
                ))
            })
            .collect())
    }

    /// Waits until no server group that a rule forwards to is empty: endpoints reach the ALB by jobs of their own.
    async fn servers_known(&self) -> Result<()> {
        stack::until("servers in each server group", LIMIT, || async {
            let world = self.stack.sim.world();
            let of_services = world
                .load_balancers
                .values()
                .flat_map(|gateway| gateway.server_groups.values())
                .filter(|group| group.service_name.is_some());
            let mut sizes = of_services.map(|g| (g.service_name.as_deref() == Some("many"), g.servers.len()));
            let complete = sizes.all(|(many, size)| size == if many { 3 } else { 1 });
            Ok(complete.then_some(()))
        })
        .await
    }

    /// An Ingress as Kubernetes takes it; `$NAME` in values is the test's name.
    pub(crate) fn object(&self, spec: &IngressSpec) -> Value {
        let annotations: BTreeMap<_, _> = spec
            .annotations
            .iter()
            .map(|(key, value)| {
                let mut value = value.replace("$NAME", &self.stack.name);
                for (placeholder, id) in &self.foreign {
                    value = value.replace(placeholder, id);
                }
                (key.clone(), value)
            })
            .collect();
        let paths: Vec<_> = spec
            .paths
            .iter()
            .map(|(path, kind, service, port)| {
                json!({ "path": path, "pathType": kind,
                        "backend": { "service": { "name": service, "port": { "name": port } } } })
            })
            .collect();
        let mut object = json!({
            "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
            "metadata": { "name": spec.name, "namespace": self.stack.name, "annotations": annotations },
            "spec": { "rules": [{ "host": spec.host, "http": { "paths": paths } }] },
        });
        if spec.class {
            object["spec"]["ingressClassName"] = self.stack.name.clone().into();
        }
        if spec.tls {
            object["spec"]["tls"] = json!([{ "hosts": [spec.host], "secretName": "tls" }]);
        }
        object
    }

    /// A Service with one port, 80, and an annotation.
    pub(crate) fn service(&self, name: &str, key: &str, value: &str) -> Value {
        json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": { "name": name, "namespace": self.stack.name, "annotations": { key: value } },
            "spec": { "ports": [{ "name": "http", "port": 80, "targetPort": 8080 }] },
        })
    }

    /// Waits until a GET is answered so.
    pub(crate) async fn answers(&self, url: &str, answer: &str) -> Result<()> {
        let last = std::sync::Mutex::new(String::new());
        let result = stack::until(&format!("{url} answered {answer:?}"), LIMIT, || async {
            let reply = self.stack.ask_at(&self.stack.name, &Ask::get(url)?).await?;
            let summary = reply.map(|reply| reply.summary()).unwrap_or_default();
            let done = (summary == answer).then_some(());
            *last.lock().expect("nothing panics with it") = summary;
            Ok(done)
        })
        .await;
        result.with_context(|| format!("last answer: {:?}", last.into_inner()))
    }

    /// Sends a GET and wants this answer.
    pub(crate) async fn expect(&self, url: &str, answer: &str) -> Result<Reply> {
        self.expect_of(&Ask::get(url)?, answer).await
    }

    /// Sends a request and wants this answer.
    pub(crate) async fn expect_of(&self, ask: &Ask, answer: &str) -> Result<Reply> {
        let reply = self.stack.ask(ask).await?;
        let told = format!("{} {}{} {:?}", ask.method, ask.host, ask.target, ask.headers);
        ensure!(
            reply.summary() == answer,
            "{told}: answered {:?}, not {answer:?}",
            reply.summary()
        );
        Ok(reply)
    }

    /// The server group that requests for a host go to, in the API's shape.
    pub(crate) fn group_of(&self, host: &str) -> Result<Value> {
        let state = self.stack.sim.state();
        let is_host = |rule: &&Value| {
            let conditions = rule["RuleConditions"].as_array().into_iter().flatten();
            conditions
                .filter_map(|c| c["HostConfig"]["Values"].as_array())
                .flatten()
                .any(|value| value == host)
        };
        let balancers = state["load_balancers"].as_object().into_iter().flatten();
        let id = balancers
            .filter_map(|(_, balancer)| balancer["Listeners"].as_object())
            .flatten()
            .filter_map(|(_, listener)| listener["Rules"].as_array())
            .flatten()
            .filter(is_host)
            .filter_map(|rule| rule["RuleActions"].as_array())
            .flatten()
            .find_map(|action| action.pointer("/ForwardGroupConfig/ServerGroupTuples/0/ServerGroupId"))
            .and_then(Value::as_str)
            .with_context(|| format!("no rule forwards requests for {host}"))?;
        Ok(state["server_groups"][id].clone())
    }

    /// An attribute of the server group of a case, and the same of the plain Ingress.
    pub(crate) fn check_group(
        &self,
        case: &Case,
        pointer: &str,
        with: &Value,
        without: &Value,
    ) -> Result<()> {
        for (host, expected) in [(case.host(), with), (PLAIN, without)] {
            let group = self.group_of(host)?;
            let found = group.pointer(pointer).unwrap_or(&Value::Null);
            ensure!(found == expected, "{host}: {pointer} is {found}, not {expected}");
        }
        Ok(())
    }

    /// An attribute of the load balancer that was made for a case, and the same of the one of `generated-plain`.
    pub(crate) fn check_balancer(
        &self,
        case: &Case,
        pointer: &str,
        with: &Value,
        without: &Value,
    ) -> Result<()> {
        for (host, expected) in [(case.host(), with), ("generated-plain.example.com", without)] {
            let balancer = self.balancer_of(host)?;
            let found = balancer.pointer(pointer).unwrap_or(&Value::Null);
            ensure!(found == expected, "{host}: {pointer} is {found}, not {expected}");
        }
        Ok(())
    }

    /// The load balancer that has a rule for a host, in the API's shape.
    pub(crate) fn balancer_of(&self, host: &str) -> Result<Value> {
        let state = self.stack.sim.state();
        let mut balancers = state["load_balancers"].as_object().into_iter().flatten();
        balancers
            .find(|(_, balancer)| balancer["Listeners"].to_string().contains(&format!("\"{host}\"")))
            .map(|(_, balancer)| balancer.clone())
            .with_context(|| format!("no load balancer has a rule for {host}"))
    }
}

pub(crate) fn has_address(ingress: &Ingress) -> bool {
    let balancer = ingress.status.as_ref().and_then(|s| s.load_balancer.as_ref());
    balancer
        .and_then(|b| b.ingress.as_ref())
        .is_some_and(|all| !all.is_empty())
}
