//! Reading and changing the cloud, against the simulator: every call of a scenario is cut off, before and after its
//! effect, and every call meets every class of passing error.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use alb_api::{Client, Credentials, ErrorClass, Sensitive, StaticCredentials, alb};
use alb_controller::cloud::{
    CertificateSource, ExecError, Execution, Pem, SourceError, Unfinished, execute, observe,
};
use alb_model::{
    Acl, AclBinding, AclType, Action, Certificate, CertificateKey, CertificateRef, Condition, Edition,
    Gateway, Listener, ListenerProtocol, LoadBalancer, ObjectRef, Origin, Outcome, Request, Rule, Scheme,
    Server, ServerGroup, ServerGroupKey, ServerGroupRef, ServerGroupType, ServerType, Target, ZoneMapping,
};
use alb_plan::{Observed, Options, Ownership, Plan, Step, plan, plan_delete};
use alb_sim::{
    AlbSim, Config, DEFAULT_ACCESS_KEY_ID, DEFAULT_ACCESS_KEY_SECRET, Fault, FaultKind, JobLatency, When,
};
use futures::{StreamExt, stream};
use tokio_util::sync::CancellationToken;

const POLL: Duration = Duration::from_millis(4);

fn ownership() -> Ownership {
    Ownership::new("c1", "kube-system/alb")
}

fn options() -> Options {
    Options {
        ownership: ownership(),
        region: "cn-hangzhou".into(),
        ..Options::default()
    }
}

async fn start() -> AlbSim {
    let config = Config {
        job_latency: JobLatency::uniform(Duration::from_millis(1)),
        ..Config::default()
    };
    AlbSim::start(config).await.unwrap()
}

fn client(sim: &AlbSim) -> Client {
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
struct Certificates(BTreeMap<CertificateKey, (String, String)>);

impl Certificates {
    fn new() -> Self {
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

fn group(name: &str, servers: u8) -> (ServerGroupKey, Arc<ServerGroup>) {
    let server = |n: u8| {
        let ip = format!("10.0.0.{n}");
        Server {
            id: ip.clone(),
            ip,
            port: 8080,
            server_type: ServerType::Ip,
            weight: 100,
            ..Server::default()
        }
    };
    let group = ServerGroup {
        name: name.into(),
        server_type: ServerGroupType::Ip,
        vpc_id: "vpc-sim".into(),
        servers: (1..=servers).map(server).collect(),
        ..ServerGroup::default()
    };
    (
        ServerGroupKey(format!("default/{name}/80").into()),
        Arc::new(group),
    )
}

fn to(group: &str) -> ServerGroupRef {
    ServerGroupRef::managed(format!("default/{group}/80"))
}

fn rule(host: &str, path: &str, group: &str) -> Rule {
    Rule {
        conditions: vec![Condition::host([host]), Condition::path([path])],
        actions: vec![Action::forward_to(to(group))],
        ..Rule::default()
    }
}

fn certificate(name: &str) -> (CertificateKey, Certificate) {
    let certificate = Certificate {
        secret: ObjectRef::new("Secret", "default", name),
        domains: vec![format!("{name}.example.com")],
        not_after_s: 0,
        fingerprint: name.into(),
    };
    (CertificateKey(format!("default-{name}")), certificate)
}

fn managed(name: &str) -> CertificateRef {
    CertificateRef::Managed(CertificateKey(format!("default-{name}")))
}

fn shop() -> Gateway {
    let zone = |switch: &str| ZoneMapping {
        vswitch_id: switch.into(),
        ..ZoneMapping::default()
    };
    let http = Listener {
        port: 80,
        default_group: to("none"),
        rules: vec![
            rule("shop.example.com", "/cart/*", "cart").into(),
            rule("shop.example.com", "/*", "shop").into(),
            rule("blog.example.com", "/*", "blog").into(),
        ],
        ..Listener::default()
    };
    Gateway {
        load_balancer: LoadBalancer {
            name: "shop".into(),
            vpc_id: "vpc-sim".into(),
            edition: Edition::Standard,
            zone_mappings: vec![zone("vsw-sim-a"), zone("vsw-sim-b")],
            deletion_protection: true,
            ..LoadBalancer::default()
        },
        listeners: vec![
            http.clone(),
            Listener {
                port: 443,
                protocol: ListenerProtocol::Https,
                certificates: vec![managed("shop"), managed("blog")],
                acl: Some(AclBinding {
                    acl_type: AclType::White,
                    names: vec!["office".into()],
                    ..AclBinding::default()
                }),
                ..http
            },
        ],
        server_groups: [
            group("none", 0),
            group("cart", 1),
            group("shop", 3),
            group("blog", 2),
        ]
        .into(),
        certificates: [certificate("shop"), certificate("blog")].into(),
        acls: BTreeMap::from([(
            "office".to_owned(),
            Acl {
                id: None,
                entries: BTreeMap::from([("192.0.2.0/24".to_owned(), "office".to_owned())]),
            },
        )]),
    }
}

/// What a scenario wants; `None` is that all goes.
type Wish = Option<Gateway>;

fn scenarios() -> Vec<(&'static str, Wish, Wish)> {
    let edited = |edit: &dyn Fn(&mut Gateway)| {
        let mut gateway = shop();
        edit(&mut gateway);
        Some(gateway)
    };
    vec![
        ("create all", None, Some(shop())),
        (
            "add in the middle",
            Some(shop()),
            edited(&|g| {
                let (key, api) = group("api", 2);
                g.server_groups.insert(key, api);
                for listener in &mut g.listeners {
                    listener
                        .rules
                        .insert(1, rule("shop.example.com", "/api/*", "api").into());
                }
            }),
        ),
        (
            "weight shift",
            Some(shop()),
            edited(&|g| {
                let target = |group: &str, weight| Target {
                    group: to(group),
                    weight,
                };
                for listener in &mut g.listeners {
                    Arc::make_mut(&mut listener.rules[1]).actions =
                        vec![Action::Forward(alb_model::Forward {
                            targets: vec![target("shop", 90), target("cart", 10)].into(),
                            sticky_timeout_s: None,
                        })];
                }
            }),
        ),
        (
            "certificate change",
            Some(shop()),
            edited(&|g| {
                let (key, value) = certificate("blog2");
                g.certificates.remove(&CertificateKey("default-blog".into()));
                g.certificates.insert(key, value);
                g.listeners[1].certificates[1] = managed("blog2");
            }),
        ),
        (
            "reorder, rename and remove",
            Some(shop()),
            edited(&|g| {
                for listener in &mut g.listeners {
                    listener.rules[2] = rule("news.example.com", "/*", "blog").into();
                    listener.rules.remove(0);
                    listener.rules.reverse();
                }
                g.server_groups.remove(&ServerGroupKey("default/cart/80".into()));
            }),
        ),
        (
            "listener removal",
            Some(shop()),
            edited(&|g| {
                g.listeners.remove(1);
                g.certificates.clear();
                g.acls.clear();
            }),
        ),
        ("delete all", Some(shop()), None),
    ]
}

fn planned(observed: &Observed, wish: &Wish) -> (Plan, Gateway) {
    match wish {
        Some(gateway) => (plan(observed, gateway, &options()), gateway.clone()),
        None => (plan_delete(observed, &options()), Gateway::default()),
    }
}

async fn converge(
    client: &Client,
    certificates: &Certificates,
    wish: &Wish,
) -> Result<Execution, Unfinished> {
    let mut observed = observe(client, &ownership(), None).await?;
    advance(client, certificates, wish, &mut observed).await
}

/// One plan from what is known; what is known follows.
async fn advance(
    client: &Client,
    certificates: &Certificates,
    wish: &Wish,
    observed: &mut Observed,
) -> Result<Execution, Unfinished> {
    let (plan, desired) = planned(observed, wish);
    let cancel = CancellationToken::new();
    execute(client, &plan, &desired, observed, certificates, POLL, &cancel).await
}

type MakeFault = fn() -> Fault;

/// Tries again, as the scheduler does.
async fn arrive(client: &Client, certificates: &Certificates, wish: &Wish) {
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
async fn assert_arrived(sim: &AlbSim, client: &Client, wish: &Wish, what: &str) {
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

const REQUESTS: [(&str, &str); 6] = [
    ("shop.example.com", "/"),
    ("shop.example.com", "/cart/1"),
    ("shop.example.com", "/api/1"),
    ("blog.example.com", "/"),
    ("news.example.com", "/"),
    ("other.example.com", "/"),
];

/// What requests get from what is in effect, groups by name.
fn answers(gateway: Option<&Gateway>) -> Vec<String> {
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

/// Looks at every answer that is in effect at this moment.
fn assert_old_or_new(sim: &AlbSim, before: &[String], after: &[String], what: &str) {
    let world = sim.world();
    let now = answers(world.load_balancers.values().next().map(|g| &**g));
    if before.is_empty() || after.is_empty() || now.is_empty() {
        return;
    }
    for (i, answer) in now.iter().enumerate() {
        assert!(
            *answer == before[i] || *answer == after[i],
            "{what}: request {i} gets {answer}, before {}, after {}",
            before[i],
            after[i]
        );
    }
}

/// The writes of a scenario, as (operation, how many of its kind came before).
async fn writes(certificates: &Certificates, from: &Wish, wish: &Wish) -> Vec<(String, u32)> {
    let sim = start().await;
    let client = client(&sim);
    arrive(&client, certificates, from).await;
    sim.clear_calls();
    converge(&client, certificates, wish).await.unwrap();
    assert_arrived(&sim, &client, wish, "undisturbed").await;
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    let calls = sim.calls();
    let writes = calls.iter().filter(|call| call.is_write());
    let writes = writes
        .map(|call| {
            let n = seen.entry(call.action.clone()).or_default();
            *n += 1;
            (call.action.clone(), *n - 1)
        })
        .collect();
    sim.shutdown().await;
    writes
}

/// Runs a scenario that ends abruptly when a fault strikes, then starts anew.
async fn cut(certificates: &Certificates, from: &Wish, wish: &Wish, fault: Fault, what: &str) {
    let sim = start().await;
    let client = client(&sim);
    arrive(&client, certificates, from).await;
    let old = sim.world();
    let before = answers(old.load_balancers.values().next().map(|g| &**g));
    let after = answers(wish.as_ref());
    sim.inject(fault);
    let struck = async {
        while !sim.faults().is_empty() {
            assert_old_or_new(&sim, &before, &after, what);
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    // The process ends at the moment the call is cut off.
    tokio::select! {
        biased;
        () = struck => {}
        result = converge(&client, certificates, wish) => {
            assert!(sim.faults().is_empty(), "{what}: the fault did not strike: {result:?}");
        }
    }
    assert_old_or_new(&sim, &before, &after, what);
    arrive(&client, certificates, wish).await;
    assert_old_or_new(&sim, &before, &after, what);
    assert_arrived(&sim, &client, wish, what).await;
    sim.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_scenario_survives_a_crash_at_every_call() {
    let certificates = Certificates::new();
    let mut points = 0;
    for (name, from, wish) in scenarios() {
        let writes = writes(&certificates, &from, &wish).await;
        let cuts: Vec<(Fault, String)> = writes
            .iter()
            .flat_map(|(operation, nth)| {
                [When::Before, When::After].map(|when| {
                    let fault = Fault::new(FaultKind::Disconnect { when })
                        .on(operation)
                        .skip(*nth);
                    (fault, format!("{name}, {operation} {nth}, {when:?}"))
                })
            })
            .collect();
        points += cuts.len();
        let (certificates, from, wish) = (&certificates, &from, &wish);
        stream::iter(cuts)
            .for_each_concurrent(6, |(fault, what)| async move {
                cut(certificates, from, wish, fault, &what).await;
            })
            .await;
    }
    println!("{points} cut points");
    assert!(points > 80, "{points}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_call_survives_every_passing_error() {
    let certificates = Certificates::new();
    let faults: [(&str, MakeFault); 8] = [
        ("lost answer", Fault::lost_response),
        ("no connection", Fault::disconnect),
        ("busy", || Fault::error(409, "IncorrectStatus.LoadBalancer")),
        ("configuring", || {
            Fault::error(400, "ResourceInConfiguring.Listener")
        }),
        ("throttled", || Fault::error(400, "Throttling.User")),
        ("system busy", || Fault::error(503, "SystemBusy")),
        ("in progress", || Fault::error(400, "IdempotenceProcessing")),
        ("slow job", || Fault::slow_job(Duration::from_millis(30))),
    ];
    let mut combinations = 0;
    for (name, from, wish) in scenarios() {
        let writes = writes(&certificates, &from, &wish).await;
        let operations: BTreeSet<&String> = writes.iter().map(|(operation, _)| operation).collect();
        let all: Vec<(Fault, String)> = operations
            .iter()
            .flat_map(|operation| {
                faults.map(|(fault, make)| {
                    (
                        make().on(operation.as_str()),
                        format!("{name}, {operation}, {fault}"),
                    )
                })
            })
            .collect();
        combinations += all.len();
        let (certificates, from, wish) = (&certificates, &from, &wish);
        stream::iter(all)
            .for_each_concurrent(6, |(fault, what)| async move {
                let sim = start().await;
                let client = client(&sim);
                arrive(&client, certificates, from).await;
                sim.inject(fault);
                arrive(&client, certificates, wish).await;
                assert_arrived(&sim, &client, wish, &what).await;
                sim.shutdown().await;
            })
            .await;
    }
    println!("{combinations} combinations of call and error");
}

#[tokio::test]
async fn a_refused_rule_costs_only_itself() {
    let certificates = Certificates::new();
    let sim = start().await;
    let client = client(&sim);
    let mut wanted = shop();
    // A path with a character that ALB refuses.
    let mut bad = rule("shop.example.com", "/bad%path", "shop");
    bad.origins.push(origin("bad"));
    wanted.listeners[0].rules.insert(0, bad.into());
    let done = converge(&client, &certificates, &Some(wanted)).await.unwrap();
    assert_eq!(done.refused.len(), 1, "{done:?}");
    assert_eq!(done.refused[0].origins, [origin("bad")].into());
    let world = sim.world();
    let there = world.load_balancers.values().next().unwrap();
    assert_eq!(there.listeners[0].rules.len(), 3);
    assert_eq!(there.listeners[1].rules.len(), 3);
    sim.shutdown().await;
}

fn origin(ingress: &str) -> Origin {
    Origin {
        object: ObjectRef::new("Ingress", "default", ingress).into(),
        field: "spec.rules[0]".into(),
    }
}

#[tokio::test]
async fn a_quota_is_reported_with_the_objects_it_hurts_and_not_retried() {
    let certificates = Certificates::new();
    let sim = start().await;
    let client = client(&sim);
    arrive(&client, &certificates, &Some(shop())).await;
    sim.inject(
        Fault::error(400, "QuotaExceeded.LoadBalancerRulesNum")
            .on("CreateRules")
            .forever(),
    );
    let mut wanted = shop();
    let mut late = rule("late.example.com", "/*", "shop");
    late.origins.push(origin("late"));
    wanted.listeners[0].rules.push(late.into());
    sim.clear_calls();
    let stopped = converge(&client, &certificates, &Some(wanted)).await.unwrap_err();
    assert_eq!(stopped.error.class(), Some(ErrorClass::Quota));
    assert_eq!(
        stopped.missing,
        BTreeSet::from([ObjectRef::clone(&origin("late").object)])
    );
    assert_eq!(stopped.too_many_rules, Some(1));
    assert_eq!(sim.calls().iter().filter(|c| c.is_write()).count(), 1);
    sim.shutdown().await;
}

/// A group that cannot be had leaves out the rules that need it, in calls of many rules, too.
#[tokio::test]
async fn a_refused_server_group_costs_only_the_rules_that_need_it() {
    for operation in ["CreateServerGroup", "AddServersToServerGroup"] {
        let certificates = Certificates::new();
        let sim = start().await;
        let client = client(&sim);
        arrive(&client, &certificates, &Some(shop())).await;
        let mut wanted = shop();
        let (key, api) = group("api", 2);
        wanted.server_groups.insert(key, api);
        for listener in &mut wanted.listeners {
            let mut needs = rule("shop.example.com", "/api/*", "api");
            needs.origins.push(origin("api"));
            let mut late = rule("late.example.com", "/*", "cart");
            late.origins.push(origin("late"));
            // What goes to cart goes to api from now on, and nothing to the blog any more.
            let first = Arc::make_mut(&mut listener.rules[0]);
            first.actions = needs.actions.clone();
            first.origins.push(origin("cart"));
            let later = [needs, rule("shop.example.com", "/*", "shop"), late];
            listener.rules.splice(1.., later.map(Arc::new));
        }
        let wish = Some(wanted);
        let mut observed = observe(&client, &ownership(), None).await.unwrap();
        sim.inject(Fault::error(400, "QuotaExceeded.ServerGroupsNum").on(operation));
        sim.clear_calls();
        let stopped = advance(&client, &certificates, &wish, &mut observed)
            .await
            .unwrap_err();
        assert_eq!(stopped.error.class(), Some(ErrorClass::Quota), "{operation}");
        let hurt = ["api", "cart"]
            .map(|name| ObjectRef::clone(&origin(name).object))
            .into();
        assert_eq!(stopped.missing, hurt, "{operation}");
        assert!(stopped.is_known);
        let world = sim.world();
        let there = world.load_balancers.values().next().unwrap();
        let names = |listener: &Listener| -> Vec<String> {
            let hosts = listener.rules.iter().map(|rule| format!("{:?}", rule.conditions));
            hosts.collect()
        };
        for listener in &there.listeners {
            let names = names(listener);
            let has = |text: &str| names.iter().any(|name| name.contains(text));
            assert!(has("late") && !has("/api"), "{operation}: {names:?}");
            assert!(
                has("/cart"),
                "{operation}: an old version stays while the new one cannot be made"
            );
        }
        let read = observe(&client, &ownership(), None).await.unwrap();
        let rest = |observed| planned(observed, &wish).0.steps;
        assert_eq!(rest(&observed), rest(&read), "{operation}: what is known is so");
        // The next attempt makes the rest.
        advance(&client, &certificates, &wish, &mut observed)
            .await
            .unwrap();
        assert_arrived(&sim, &client, &wish, operation).await;
        sim.shutdown().await;
    }
}

/// Two rules become one that the API refuses: both stay, and the group that they need; what has nothing to do with it
/// changes all the same.
#[tokio::test]
async fn an_old_rule_stays_while_its_successor_is_refused() {
    let certificates = Certificates::new();
    let sim = start().await;
    let client = client(&sim);
    let mut before = shop();
    for listener in &mut before.listeners {
        listener.rules.push(rule("news.example.com", "/*", "blog").into());
    }
    arrive(&client, &certificates, &Some(before)).await;
    let there = |sim: &AlbSim| {
        let world = sim.world();
        answers(world.load_balancers.values().next().map(|g| &**g))
    };
    let old = there(&sim);

    let mut wanted = shop();
    for listener in &mut wanted.listeners {
        let mut both = rule("blog.example.com", "/*", "shop");
        both.conditions[0] = Condition::host(["blog.example.com", "news.example.com"]);
        both.origins.push(origin("both"));
        // The cart goes, too.
        listener.rules = vec![both.into(), listener.rules[1].clone()];
    }
    for name in ["blog", "cart"] {
        let key = ServerGroupKey(format!("default/{name}/80").into());
        wanted.server_groups.remove(&key);
    }
    let wish = Some(wanted);
    for operation in ["CreateRules", "UpdateRulesAttribute"] {
        sim.inject(Fault::error(400, "IllegalParam.Values").on(operation).forever());
    }
    let mut observed = observe(&client, &ownership(), None).await.unwrap();
    sim.clear_calls();
    let done = advance(&client, &certificates, &wish, &mut observed)
        .await
        .unwrap();
    let origins: Vec<&[Origin]> = done.refused.iter().map(|r| r.origins.as_slice()).collect();
    assert_eq!(origins, [[origin("both")], [origin("both")]], "{done:?}");
    let calls = sim.calls();
    let failed: Vec<_> = calls.iter().filter(|call| !call.is_ok() && !call.fault).collect();
    assert!(failed.is_empty(), "{failed:?}");
    let new = answers(wish.as_ref());
    let expected: Vec<&String> = old
        .iter()
        .zip(&new)
        .zip(REQUESTS.iter().cycle())
        .map(|((old, new), (host, _))| match *host {
            "blog.example.com" | "news.example.com" => old,
            _ => new,
        })
        .collect();
    assert_eq!(there(&sim).iter().collect::<Vec<_>>(), expected);

    sim.clear_faults();
    advance(&client, &certificates, &wish, &mut observed)
        .await
        .unwrap();
    assert_arrived(&sim, &client, &wish, "taken").await;
    assert_eq!(there(&sim), new);
    sim.shutdown().await;
}

/// After every failure that leaves no doubt, what is known goes on from there: nothing is read again, nothing made twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_known_after_a_failure_is_what_there_is() {
    let certificates = Certificates::new();
    let mut known = 0;
    for (name, from, wish) in scenarios() {
        let writes = writes(&certificates, &from, &wish).await;
        known += writes.len();
        let (certificates, from, wish) = (&certificates, &from, &wish);
        stream::iter(writes)
            .for_each_concurrent(6, |(operation, nth)| async move {
                let what = format!("{name}, {operation} {nth}");
                let fault = Fault::error(400, "Throttling.User").on(operation).skip(nth);
                go_on(certificates, from, wish, fault, &what).await;
            })
            .await;
    }
    println!("{known} calls refused once, and gone on from what was known");
}

async fn go_on(certificates: &Certificates, from: &Wish, wish: &Wish, throttled: Fault, what: &str) {
    let sim = start().await;
    let client = client(&sim);
    arrive(&client, certificates, from).await;
    sim.inject(throttled);
    let mut observed = observe(&client, &ownership(), None).await.unwrap();
    let stopped = advance(&client, certificates, wish, &mut observed).await;
    let Err(stopped) = stopped else {
        panic!("{what}: throttling is for the scheduler to hear of")
    };
    let class = stopped.error.class();
    assert!(
        matches!(class, Some(ErrorClass::Throttled { .. })),
        "{what}: {stopped}"
    );
    assert!(stopped.is_known, "{what}: {stopped}");
    let read = observe(&client, &ownership(), None).await.unwrap();
    let rest = |observed| planned(observed, wish).0.steps;
    assert_eq!(rest(&observed), rest(&read), "{what}");
    advance(&client, certificates, wish, &mut observed).await.unwrap();
    assert_arrived(&sim, &client, wish, what).await;
    sim.shutdown().await;
}

#[tokio::test]
async fn a_lost_answer_leaves_doubt_even_if_the_next_one_is_a_refusal() {
    let certificates = Certificates::new();
    let sim = start().await;
    let client = client(&sim);
    arrive(&client, &certificates, &Some(shop())).await;
    sim.inject(Fault::lost_response().on("CreateRules"));
    sim.inject(Fault::error(400, "Throttling.User").on("CreateRules").skip(1));
    let mut wanted = shop();
    wanted.listeners[0]
        .rules
        .push(rule("late.example.com", "/*", "shop").into());
    let stopped = converge(&client, &certificates, &Some(wanted)).await.unwrap_err();
    assert!(!stopped.is_known, "{stopped}");
    sim.shutdown().await;
}

#[tokio::test]
async fn a_plan_that_the_world_has_overtaken_stops() {
    let certificates = Certificates::new();
    let sim = start().await;
    let client = client(&sim);
    arrive(&client, &certificates, &Some(shop())).await;
    let mut observed = observe(&client, &ownership(), None).await.unwrap();
    let mut wanted = shop();
    Arc::make_mut(&mut wanted.listeners[0].rules[1]).actions = vec![Action::forward_to(to("cart"))];
    let wish = Some(wanted);
    let (overtaken, desired) = planned(&observed, &wish);
    let gone = alb::DeleteRules {
        rule_ids: observed.listeners[0]
            .rules
            .iter()
            .map(|r| r.id().to_owned())
            .collect(),
        ..Default::default()
    };
    let job = client.send(&gone).await.unwrap().job_id.unwrap();
    client.wait_job(&job, POLL, Duration::from_secs(5)).await.unwrap();

    let cancel = CancellationToken::new();
    let error = execute(
        &client,
        &overtaken,
        &desired,
        &mut observed,
        &certificates,
        POLL,
        &cancel,
    )
    .await
    .unwrap_err();
    assert!(matches!(*error.error, ExecError::Stale { .. }), "{error}");
    assert!(!error.is_known);
    arrive(&client, &certificates, &wish).await;
    assert_arrived(&sim, &client, &wish, "overtaken").await;
    sim.shutdown().await;
}

#[tokio::test]
async fn nothing_starts_after_cancellation() {
    let certificates = Certificates::new();
    let sim = start().await;
    let client = client(&sim);
    let mut observed = observe(&client, &ownership(), None).await.unwrap();
    let (plan, desired) = planned(&observed, &Some(shop()));
    let cancel = CancellationToken::new();
    cancel.cancel();
    sim.clear_calls();
    let error = execute(
        &client,
        &plan,
        &desired,
        &mut observed,
        &certificates,
        POLL,
        &cancel,
    )
    .await
    .unwrap_err();
    assert!(
        matches!(*error.error, ExecError::Cancelled { done: 0, .. }),
        "{error}"
    );
    assert!(sim.calls().is_empty());
    sim.shutdown().await;
}
