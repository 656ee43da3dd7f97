//! The whole system, disturbed: every write call of every scenario meets every class of error, answers are lost, jobs are
//! slow or fail, the API throttles, somebody else changes things. The controller arrives, or says why not; it never calls
//! without end, and never takes what is not its own.
//!
//! By default one code of each class; `FAULT_CODES=all` takes all codes that are known.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use alb_api::alb;
use alb_sim::{Fault, Rate, Throttle};
use anyhow::{Context, Result, ensure};
use e2e::course::{QUIET, arrive, begin, system, turned};
use e2e::prefill;
use e2e::probe::Prober;
use e2e::refusals::Refused;
use e2e::scenario::{Certificates, Scenario};
use e2e::snapshot::snapshot;
use e2e::{LIMIT, Stack};
use examples::stack;
use futures::{StreamExt, TryStreamExt, stream as streams};
use k8s_openapi::api::events::v1::Event;
use kube::Api;
use kube::api::{ListParams, Patch, PatchParams};
use serde_json::{Value, json};

/// Systems at the same time.
const PARALLEL: usize = 6;

/// What a class of errors leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leads {
    /// It passes: the controller arrives by itself.
    On,
    /// It is told, and tried again when something changes.
    ToReport,
}

/// A class of errors: HTTP status, codes (the first stands for all), what they lead to.
struct Class {
    name: &'static str,
    status: u16,
    codes: &'static [&'static str],
    leads: Leads,
}

const CLASSES: &[Class] = &[
    Class {
        name: "busy",
        status: 409,
        codes: &[
            "IncorrectStatus.LoadBalancer",
            "IncorrectStatus.Listener",
            "IncorrectStatus.Rule",
            "IncorrectStatus.ServerGroup",
            "IncorrectStatus.Acl",
            "IncorrectStatus.SecurityPolicy",
            "IncorrectBusinessStatus.LoadBalancer",
            "VipStatusNotSupport",
            "LockFailed",
        ],
        leads: Leads::On,
    },
    Class {
        name: "configuring",
        status: 400,
        codes: &[
            "ResourceInConfiguring.Listener",
            "ResourceInConfiguring.ServerGroup",
            "ResourceInConfiguring",
        ],
        leads: Leads::On,
    },
    Class {
        name: "still referred to",
        status: 400,
        codes: &["ResourceInUse.ServerGroup", "ResourceInUse.Acl", "Conflict.Acl"],
        leads: Leads::On,
    },
    Class {
        name: "equal call in progress",
        status: 400,
        codes: &["IdempotenceProcessing"],
        leads: Leads::On,
    },
    Class {
        name: "passing",
        status: 503,
        codes: &["ServiceUnavailable", "SystemBusy", "InternalError"],
        leads: Leads::On,
    },
    Class {
        name: "numeric",
        status: 400,
        codes: &["-21013", "-21020", "-22001", "-22031", "-735"],
        leads: Leads::On,
    },
    Class {
        name: "late resource group",
        status: 400,
        codes: &[
            "NotExist.ResourceGroup",
            "OperationFailed.ResourceGroupStatusCheckFail",
        ],
        leads: Leads::On,
    },
    Class {
        name: "throttled",
        status: 400,
        codes: &[
            "Throttling.User",
            "Throttling.Api",
            "Throttling",
            "Rejected.Throttling",
        ],
        leads: Leads::On,
    },
    Class {
        name: "gone",
        status: 404,
        codes: &[
            "ResourceNotFound.LoadBalancer",
            "ResourceNotFound.Rule",
            "ResourceNotFound.loadBalancer",
        ],
        leads: Leads::On,
    },
    Class {
        name: "there already",
        status: 400,
        codes: &["ResourceAlreadyExist.Listener", "Conflict.Priority"],
        leads: Leads::On,
    },
    Class {
        name: "quota",
        status: 400,
        codes: &[
            "QuotaExceeded.AclsNum",
            "ResourceQuotaExceeded.Any",
            "QuotaExceeded.ServerGroupsNum",
        ],
        leads: Leads::ToReport,
    },
    Class {
        name: "wrong parameter",
        status: 400,
        codes: &["IllegalParam.Order", "IllegalParam.Rules"],
        leads: Leads::ToReport,
    },
    Class {
        name: "denied",
        status: 403,
        codes: &["OperationDenied.ServiceManagedResource", "Forbidden.RAM"],
        leads: Leads::ToReport,
    },
];

/// What happens to a call, by name.
fn disturbances() -> Vec<(String, Fault, Leads)> {
    let all = std::env::var("FAULT_CODES").is_ok_and(|codes| codes == "all");
    let mut out: Vec<(String, Fault, Leads)> = CLASSES
        .iter()
        .flat_map(|class| {
            let codes = if all { class.codes } else { &class.codes[..1] };
            codes.iter().map(|code| {
                let name = format!("{} ({code})", class.name);
                (name, Fault::error(class.status, *code), class.leads)
            })
        })
        .collect();
    let others = [
        ("lost answer", Fault::lost_response()),
        ("no connection", Fault::disconnect()),
        (
            "error after the effect",
            Fault::error(500, "InternalError").after_effect(),
        ),
        ("slow job", Fault::slow_job(Duration::from_millis(80))),
        ("failed job", Fault::failed_job("SystemBusy")),
    ];
    out.extend(others.map(|(name, fault)| (name.to_owned(), fault, Leads::On)));
    out
}

/// What an undisturbed run is like.
struct Undisturbed {
    before: Value,
    after: Value,
    /// Write operations, with how often each is called.
    writes: Vec<(String, u32)>,
    calls: usize,
}

async fn undisturbed(scenario: Scenario, certificates: &Certificates) -> Result<Undisturbed> {
    let mut stack = begin(scenario, certificates, None).await?;
    let before = snapshot(&stack.sim);
    stack.sim.clear_calls();
    scenario.act(&mut stack, certificates).await?;
    stack::until("a first call", LIMIT, || async {
        Ok((!stack.sim.calls().is_empty()).then_some(()))
    })
    .await?;
    stack.quiet(QUIET).await?;
    let calls = stack.sim.calls();
    let mut writes: Vec<(String, u32)> = Vec::new();
    for call in calls.iter().filter(|call| call.is_write() && call.is_ok()) {
        match writes.iter_mut().find(|(action, _)| *action == call.action) {
            Some((_, count)) => *count += 1,
            None => writes.push((call.action.clone(), 1)),
        }
    }
    let after = snapshot(&stack.sim);
    stack.stop_controller().await?;
    Ok(Undisturbed {
        before,
        after,
        writes,
        calls: calls.len(),
    })
}

/// Changes something that makes the controller look again.
async fn poke(stack: &Stack, round: usize) -> Result<()> {
    let patch = json!({ "metadata": { "annotations": { "poked": round.to_string() } } });
    let params = PatchParams::default();
    let ingresses =
        Api::<k8s_openapi::api::networking::v1::Ingress>::namespaced(stack.kube.clone(), &stack.name);
    for ingress in ingresses.list(&ListParams::default()).await? {
        let name = ingress.metadata.name.unwrap_or_default();
        ingresses.patch(&name, &params, &Patch::Merge(&patch)).await?;
    }
    // Where no Ingress is left, the AlbConfig goes, and what stopped it is tried again by the resync.
    Ok(())
}

/// Every write of a scenario fails once in the same way. Gives the number of calls that were struck.
async fn disturbed(
    scenario: Scenario,
    certificates: &Certificates,
    expected: &Undisturbed,
    (name, fault, leads): &(String, Fault, Leads),
) -> Result<usize> {
    let what = format!("{scenario:?}, {name}");
    let mut stack = begin(scenario, certificates, Some(&expected.before))
        .await
        .context(what.clone())?;
    stack.options().resync_interval = 1;
    if scenario.starts_converged() {
        // The resync is what heals a report without an object to change.
        stack.stop_controller().await?;
        stack.start_controller().await?;
        stack.quiet(Duration::from_millis(150)).await?;
    }
    let probes = scenario.probes(certificates);
    let prober = Prober::start(stack.sim.clone(), probes.clone());
    for (operation, count) in &expected.writes {
        let fault = fault.clone().on(operation).times(*count);
        // What is gone is what a deletion wants; an API that says so of what is still there could not be helped.
        let removes = ["Delete", "Dissociate", "Remove", "UnTag"];
        let gone = name.starts_with("gone") && removes.iter().any(|verb| operation.starts_with(verb));
        stack.sim.inject(if gone { fault.after_effect() } else { fault });
    }
    stack.sim.clear_calls();
    scenario.act(&mut stack, certificates).await?;
    if *leads == Leads::ToReport {
        let started = Instant::now();
        let mut round = 0;
        while snapshot(&stack.sim) != expected.after || !stack.sim.is_settled() {
            ensure!(started.elapsed() < LIMIT, "{what}: does not heal");
            round += 1;
            poke(&stack, round).await?;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    arrive(&stack, &expected.after, &what).await?;
    turned(&prober, &probes, &what).await?;
    let (_, mut wrong) = prober.stop().await;
    let calls = stack.sim.calls();
    // What is denied is denied to the caller: no rule is refused alone then. Where there was no gateway before, the
    // requests of a refused rule, and no others, get what the next rule says.
    if *leads == Leads::ToReport && !name.starts_with("denied") && scenario == Scenario::CreateAll {
        let refused = Refused::of(&calls);
        wrong.retain(|wrong| !refused.explain(wrong));
    }
    ensure!(wrong.is_empty(), "{what}: {wrong:#?}");
    let struck = calls.iter().filter(|call| call.fault).count();
    let bound = 12 * (expected.calls + struck) + 400;
    ensure!(
        calls.len() < bound,
        "{what}: {} calls, more than {bound}",
        calls.len()
    );
    if *leads == Leads::ToReport && struck > 0 && scenario != Scenario::DeleteAll {
        let events = Api::<Event>::all(stack.kube.clone())
            .list(&ListParams::default())
            .await?;
        let told = events.iter().any(|event| {
            ["QuotaExceeded", "CallRefused", "RuleRefused", "ScriptRefused"]
                .contains(&event.reason.as_deref().unwrap_or_default())
        });
        ensure!(told, "{what}: nobody was told");
    }
    stack.kill_controller();
    Ok(struck)
}

fn on_a_cluster() -> bool {
    let cluster = std::env::var_os("E2E_KUBECONFIG").is_some();
    if cluster {
        println!("skipped: it needs a Kubernetes API of its own for each run");
    }
    cluster
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_write_survives_every_class_of_error() -> Result<()> {
    if on_a_cluster() {
        return Ok(());
    }
    let certificates = Certificates::new()?;
    let disturbances = disturbances();
    let started = Instant::now();
    let (mut combinations, mut struck) = (0, 0);
    for scenario in Scenario::chosen() {
        let expected = undisturbed(scenario, &certificates).await?;
        let calls: u32 = expected.writes.iter().map(|(_, count)| count).sum();
        combinations += calls as usize * disturbances.len();
        let (certificates, expected) = (&certificates, &expected);
        let counts: Vec<usize> = streams::iter(&disturbances)
            .map(|disturbance| disturbed(scenario, certificates, expected, disturbance))
            .buffer_unordered(PARALLEL)
            .try_collect()
            .await?;
        struck += counts.iter().sum::<usize>();
        println!(
            "{scenario:?}: {calls} writes, each met {} disturbances",
            disturbances.len()
        );
    }
    println!(
        "{combinations} combinations of call and disturbance, {struck} calls struck, {:?}",
        started.elapsed()
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_error_that_never_ends_is_not_met_with_calls_that_never_end() -> Result<()> {
    if on_a_cluster() {
        return Ok(());
    }
    let certificates = Certificates::new()?;
    let expected = undisturbed(Scenario::AddInTheMiddle, &certificates).await?;
    let (certificates, expected) = (&certificates, &expected);
    let window = Duration::from_secs(3);
    streams::iter(disturbances())
        .map(|(name, fault, leads)| async move {
            let scenario = Scenario::AddInTheMiddle;
            let mut stack = begin(scenario, certificates, Some(&expected.before)).await?;
            let fault = fault.on("CreateRules").forever();
            // Only the end of it counts here, not how long each lasts.
            let harmless = matches!(fault.kind, alb_sim::FaultKind::SlowJob { .. });
            stack.sim.inject(fault);
            scenario.act(&mut stack, certificates).await?;
            stack::until("the first call that fails", LIMIT, || async {
                Ok(stack.sim.calls().iter().any(|call| call.fault).then_some(()))
            })
            .await
            .context(name.clone())?;
            let before = stack.sim.calls().len();
            tokio::time::sleep(window).await;
            let calls = stack.sim.calls().len() - before;
            // Retries of the class pause for 0.1 s at first in these systems, and each reads the ALB again at worst.
            let most = if leads == Leads::ToReport { 40 } else { 600 };
            ensure!(
                calls <= most,
                "{name}: {calls} calls in {window:?}, more than {most}"
            );
            println!("{name}: {calls} calls in {window:?}");
            stack.sim.clear_faults();
            if leads == Leads::On && !harmless {
                arrive(&stack, &expected.after, &name).await?;
            }
            stack.kill_controller();
            anyhow::Ok(())
        })
        .buffer_unordered(PARALLEL)
        .try_collect()
        .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_throttling_storm_slows_it_down_and_does_not_stop_it() -> Result<()> {
    if on_a_cluster() {
        return Ok(());
    }
    let certificates = Certificates::new()?;
    let scenario = Scenario::CreateAll;
    let expected = undisturbed(scenario, &certificates).await?;
    let config = alb_sim::Config {
        throttle: Some(Throttle {
            per_user: Some(Rate {
                per_second: 25.0,
                burst: 5,
            }),
            ..Throttle::default()
        }),
        ..e2e::course::config()
    };
    let mut stack = e2e::course::system_with(config).await?;
    scenario.prepare(&mut stack, &certificates).await?;
    let started = Instant::now();
    scenario.act(&mut stack, &certificates).await?;
    arrive(&stack, &expected.after, "throttled").await?;
    let took = started.elapsed();
    let calls = stack.sim.calls();
    let refused = calls
        .iter()
        .filter(|call| call.code.starts_with("Throttling"))
        .count();
    println!(
        "{} calls at 25 per second took {took:?}; {refused} were throttled",
        calls.len()
    );
    ensure!(refused > 0, "the storm was none");
    // Calls of one plan run side by side, so the first refusals come together.
    ensure!(
        refused < calls.len() * 4 / 5,
        "{refused} of {} calls were throttled",
        calls.len()
    );
    stack.stop_controller().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_others_change_is_repaired_and_what_others_own_stays() -> Result<()> {
    if on_a_cluster() {
        return Ok(());
    }
    let certificates = Certificates::new()?;
    let scenario = Scenario::CreateAll;
    let mut stack = system().await?;
    stack.options().resync_interval = 1;
    scenario.prepare(&mut stack, &certificates).await?;
    scenario.act(&mut stack, &certificates).await?;
    let probes = scenario.probes(&certificates);
    let prober = Prober::start(stack.sim.clone(), probes.clone());
    turned(&prober, &probes, "the beginning").await?;
    prober.stop().await;
    stack.quiet(Duration::from_millis(300)).await?;
    let whole = snapshot(&stack.sim);
    let client = stack::alb_client(&stack.sim)?;
    let rules = || async { anyhow::Ok(client.send(&alb::ListRules::default()).await?.rules) };

    // A rule is deleted, another one is moved to where it shadows the others.
    let there = rules().await?;
    let delete = alb::DeleteRules {
        rule_ids: vec![there[0].rule_id.clone()],
        ..Default::default()
    };
    prefill::change(&client, &delete, |answer| answer.job_id).await?;
    arrive(&stack, &whole, "a deleted rule").await?;
    let there = rules().await?;
    let last = there
        .iter()
        .filter(|rule| rule.listener_id == there[0].listener_id)
        .max_by_key(|rule| rule.priority)
        .context("a rule")?;
    let shadow = alb::UpdateRulesAttribute {
        rules: vec![alb::UpdateRulesRule {
            rule_id: last.rule_id.clone(),
            priority: Some(1),
            ..Default::default()
        }],
        ..Default::default()
    };
    prefill::change(&client, &shadow, |answer| answer.job_id).await?;
    ensure!(snapshot(&stack.sim) != whole, "the order has changed");
    arrive(&stack, &whole, "a rule that was moved").await?;

    // A group loses its servers.
    let groups = client
        .send(&alb::ListServerGroups::default())
        .await?
        .server_groups;
    let filled = groups
        .iter()
        .find(|group| group.server_count.unwrap_or_default() == 2)
        .context("the group of two servers")?;
    let servers = client
        .send(&alb::ListServerGroupServers {
            server_group_id: Some(filled.server_group_id.clone()),
            ..Default::default()
        })
        .await?
        .servers;
    let empty = alb::RemoveServersFromServerGroup {
        server_group_id: filled.server_group_id.clone(),
        servers: servers
            .iter()
            .map(|server| alb::RemovedServer {
                server_id: server.server_id.clone(),
                server_type: server.server_type.clone(),
                server_ip: Some(server.server_ip.clone()),
                port: server.port,
            })
            .collect(),
        ..Default::default()
    };
    prefill::change(&client, &empty, |answer| answer.job_id).await?;
    arrive(&stack, &whole, "a group without its servers").await?;

    // A listener, a rule on one of ours, and a group that are somebody else's.
    let lb = stack.load_balancer().context("a load balancer")?;
    let theirs = prefill::server_group(&client, "theirs", Vec::new(), &["10.0.1.1"]).await?;
    prefill::listener(&client, &lb, 8080, "by hand", &theirs).await?;
    let ours = &there[0].listener_id;
    let rule = prefill::rule(9_999, "by-hand", "hand.example.com", &["/*"], &theirs);
    prefill::rules(&client, ours, vec![rule]).await?;
    let both = snapshot(&stack.sim);
    stack.sim.clear_calls();
    let started = Instant::now();
    stack::until("three looks at it", LIMIT, || async {
        let looks = stack.sim.calls();
        let looks = looks.iter().filter(|call| call.action == "ListListeners").count();
        Ok((looks >= 3).then_some(()))
    })
    .await?;
    ensure!(
        snapshot(&stack.sim) == both,
        "what is somebody else's was changed"
    );
    let writes: BTreeSet<String> = stack.writes().into_iter().map(|call| call.action).collect();
    ensure!(
        writes.is_empty(),
        "a quiet system writes: {writes:?} in {:?}",
        started.elapsed()
    );
    stack.stop_controller().await
}

/// The world moves while a plan is under way: somebody takes the priority that a rule was to get.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_priority_that_somebody_took_meanwhile_is_not_fought_over() -> Result<()> {
    if on_a_cluster() {
        return Ok(());
    }
    let certificates = Certificates::new()?;
    let scenario = Scenario::AddInTheMiddle;
    let expected = undisturbed(scenario, &certificates).await?;
    let mut stack = begin(scenario, &certificates, Some(&expected.before)).await?;
    stack.quiet(Duration::from_millis(200)).await?;
    let client = stack::alb_client(&stack.sim)?;
    // Every free priority between the rules that the new one goes between.
    let there = client.send(&alb::ListRules::default()).await?.rules;
    let mut listeners: Vec<&String> = there.iter().map(|rule| &rule.listener_id).collect();
    listeners.sort_unstable();
    listeners.dedup();
    let theirs = prefill::server_group(&client, "theirs", Vec::new(), &["10.0.1.1"]).await?;
    for listener in listeners {
        let mut taken: Vec<i32> = there
            .iter()
            .filter(|rule| rule.listener_id == *listener)
            .map(|rule| rule.priority)
            .collect();
        taken.sort_unstable();
        // The middle of each gap: where a planner puts a single rule.
        let rules = taken.windows(2).filter(|pair| pair[1] - pair[0] > 1).enumerate();
        let rules = rules.map(|(at, pair)| {
            let middle = pair[0] + (pair[1] - pair[0]) / 2;
            prefill::rule(
                middle,
                &format!("by-hand-{at}"),
                "hand.example.com",
                &["/*"],
                &theirs,
            )
        });
        prefill::rules(&client, listener, rules.collect()).await?;
    }
    let probes = scenario.probes(&certificates);
    let prober = Prober::start(stack.sim.clone(), probes.clone());
    stack.sim.clear_calls();
    scenario.act(&mut stack, &certificates).await?;
    turned(&prober, &probes, "a taken priority").await?;
    let (_, wrong) = prober.stop().await;
    ensure!(wrong.is_empty(), "{wrong:#?}");
    let calls = stack.sim.calls();
    let conflicts = calls
        .iter()
        .filter(|call| call.code.starts_with("Conflict"))
        .count();
    println!("{conflicts} conflicts, then planned anew; {} calls", calls.len());
    let hands = client.send(&alb::ListRules::default()).await?.rules;
    let hands = hands
        .iter()
        .filter(|rule| rule.rule_name.starts_with("by-hand"))
        .count();
    ensure!(hands > 0, "the rules of somebody else are still there");
    stack.stop_controller().await
}
