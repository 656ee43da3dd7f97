//! Reading and changing the cloud, against the simulator: every call of a scenario is cut off, before and after its
//! effect, and every call meets every class of passing error.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod disturbed;
mod overtaken;
mod refused;
mod shop;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use alb_api::{Client, Credentials, Sensitive, StaticCredentials};
use alb_controller::cloud::{CertificateSource, Execution, Pem, SourceError, Unfinished, execute, observe};
use alb_model::{CertificateKey, Gateway, ListenerProtocol, Outcome, Request, Scheme, ServerGroupRef};
use alb_plan::{Observed, Options, Ownership, Plan, Step, plan, plan_delete};
use alb_sim::{AlbSim, Config, DEFAULT_ACCESS_KEY_ID, DEFAULT_ACCESS_KEY_SECRET, JobLatency};
use tokio_util::sync::CancellationToken;

use crate::shop::Wish;

pub(crate) const POLL: Duration = Duration::from_millis(4);

pub(crate) fn ownership() -> Ownership {
    Ownership::new("c1", "kube-system/alb")
}

pub(crate) fn options() -> Options {
    Options {
        ownership: ownership(),
        region: "cn-hangzhou".into(),
        ..Options::default()
    }
}

pub(crate) async fn start() -> AlbSim {
    let config = Config {
        job_latency: JobLatency::uniform(Duration::from_millis(1)),
        ..Config::default()
    };
    AlbSim::start(config).await.unwrap()
}

pub(crate) fn client(sim: &AlbSim) -> Client {
    Client::builder("cn-hangzhou")
        .endpoint_all(sim.endpoint())
        .credentials(StaticCredentials::new(Credentials::new(
            DEFAULT_ACCESS_KEY_ID,
            DEFAULT_ACCESS_KEY_SECRET,
        )))
        .timeout(Duration::from_secs(5))
        .build()
        .unwrap()
}

/// Self-signed certificates, one for each key.
pub(crate) struct Certificates(BTreeMap<CertificateKey, (String, String)>);

impl Certificates {
    pub(crate) fn new() -> Self {
        let made = ["shop", "blog", "blog2"].map(|name| {
            let made = rcgen::generate_simple_self_signed([format!("{name}.example.com")]).unwrap();
            let pem = (made.cert.pem(), made.signing_key.serialize_pem());
            (CertificateKey(format!("default-{name}")), pem)
        });
        Self(made.into())
    }
}

impl CertificateSource for Certificates {
    async fn pem(&self, key: &CertificateKey) -> Result<Pem, SourceError> {
        let (certificate, private) = self.0.get(key).ok_or_else(|| SourceError::new("unknown"))?;
        Ok(Pem {
            certificate: certificate.clone(),
            key: Sensitive::new(private.clone()),
        })
    }
}

pub(crate) fn planned(observed: &Observed, wish: &Wish) -> (Plan, Gateway) {
    match wish {
        Some(gateway) => (plan(observed, gateway, &options()), gateway.clone()),
        None => (plan_delete(observed, &options()), Gateway::default()),
    }
}

pub(crate) async fn converge(
    client: &Client,
    certificates: &Certificates,
    wish: &Wish,
) -> Result<Execution, Unfinished> {
    let mut observed = observe(client, &ownership(), None).await?;
    advance(client, certificates, wish, &mut observed).await
}

/// One plan from what is known; what is known follows.
pub(crate) async fn advance(
    client: &Client,
    certificates: &Certificates,
    wish: &Wish,
    observed: &mut Observed,
) -> Result<Execution, Unfinished> {
    let planned = planned(observed, wish);
    attempt(
        client,
        certificates,
        &planned,
        observed,
        &CancellationToken::new(),
    )
    .await
}

/// Makes a plan, as its gateway is wanted, true.
pub(crate) async fn attempt(
    client: &Client,
    certificates: &Certificates,
    (plan, desired): &(Plan, Gateway),
    observed: &mut Observed,
    cancel: &CancellationToken,
) -> Result<Execution, Unfinished> {
    execute(client, plan, desired, observed, certificates, POLL, cancel).await
}

/// Tries again, as the scheduler does.
pub(crate) async fn arrive(client: &Client, certificates: &Certificates, wish: &Wish) {
    let mut last = None;
    for _ in 0..8 {
        match converge(client, certificates, wish).await {
            Ok(_) => return,
            Err(error) => last = Some(error),
        }
    }
    panic!("does not arrive: {last:?}");
}

/// That the cloud is as wished, by what a fresh look says: nothing to do, nothing twice, nothing left over.
pub(crate) async fn assert_arrived(sim: &AlbSim, client: &Client, wish: &Wish, what: &str) {
    let observed = observe(client, &ownership(), None).await.unwrap();
    let (rest, _) = planned(&observed, wish);
    let lines: Vec<String> = rest.steps.iter().map(Step::describe).collect();
    assert!(rest.is_empty(), "{what}: {lines:#?}");
    let world = sim.world();
    let state = sim.state();
    let count = |what: &str| state[what].as_object().map_or(0, serde_json::Map::len);
    let empty = Gateway::default();
    let wanted = wish.as_ref().unwrap_or(&empty);
    assert_eq!(
        world.load_balancers.len(),
        usize::from(wish.is_some()),
        "{what}: load balancers"
    );
    assert_eq!(
        observed.server_groups.len(),
        wanted.server_groups.len(),
        "{what}: server groups"
    );
    assert_eq!(
        count("server_groups"),
        wanted.server_groups.len(),
        "{what}: server groups of anybody"
    );
    assert_eq!(
        world.certificates.len(),
        wanted.certificates.len(),
        "{what}: certificates"
    );
    assert_eq!(count("acls"), wanted.acls.len(), "{what}: access control lists");
    let servers: usize = wanted.server_groups.values().map(|g| g.servers.len()).sum();
    let there: u32 = observed
        .server_groups
        .values()
        .filter_map(|g| g.server_count)
        .sum();
    assert_eq!(there as usize, servers, "{what}: servers");
}

pub(crate) const REQUESTS: [(&str, &str); 6] = [
    ("shop.example.com", "/"),
    ("shop.example.com", "/cart/1"),
    ("shop.example.com", "/api/1"),
    ("blog.example.com", "/"),
    ("news.example.com", "/"),
    ("other.example.com", "/"),
];

/// What requests get from what is in effect, groups by name.
pub(crate) fn answers(gateway: Option<&Gateway>) -> Vec<String> {
    let Some(gateway) = gateway else { return Vec::new() };
    let name = |group: &ServerGroupRef| {
        let found = gateway.server_groups.iter().find(|(key, g)| match group {
            ServerGroupRef::Managed(wanted) => *key == wanted,
            ServerGroupRef::Id(id) => g.id.as_ref() == Some(id) || key.0 == *id,
        });
        found.map_or_else(|| group.to_string(), |(_, g)| g.name.to_string())
    };
    let mut out = Vec::new();
    for (port, protocol, scheme) in [
        (80, ListenerProtocol::Http, Scheme::Http),
        (443, ListenerProtocol::Https, Scheme::Https),
    ] {
        for (host, path) in REQUESTS {
            let request = Request {
                method: "GET",
                scheme,
                host,
                port,
                path,
                query: "",
                headers: &[],
                source_ip: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
            };
            out.push(match alb_model::route(gateway, (port, protocol), &request) {
                None => "no listener".to_owned(),
                Some(decision) => match decision.outcome {
                    Outcome::Forward { targets, .. } => {
                        let targets: Vec<String> = targets
                            .iter()
                            .map(|t| format!("{} {}", name(&t.group), t.weight))
                            .collect();
                        targets.join(", ")
                    }
                    other => format!("{other:?}"),
                },
            });
        }
    }
    out
}
