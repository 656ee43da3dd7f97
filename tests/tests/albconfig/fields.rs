//! Each field by itself: it reaches the API, reads back without a difference, and follows or is told.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::Duration;

use alb_api::{Client as AlbClient, Sensitive, alb, cas};
use albconfig_crd::{FIELDS, Reading, Update, condition_type};
use anyhow::{Context, Result};
use e2e::{LIMIT, Stack};
use examples::stack;
use k8s_openapi::api::events::v1::Event;
use kube::api::{DeleteParams, ListParams};
use kube::{Api, ResourceExt};
use serde_json::Value;

use crate::cases::{Case, listener_cases, load_balancer_cases};
use crate::{Names, apply, load_balancer_of, named, reported, shown, spec};

/// Well above every pause of the test controller.
const QUIET: Duration = Duration::from_millis(400);

const C: &str = "spec.config.";

/// Waits until the API holds what a case says.
async fn holds(
    stack: &Stack,
    case: &Case,
    id: &str,
    values: &[(&'static str, Value)],
    names: &Names,
) -> Result<()> {
    let differences = Mutex::new(Vec::new());
    let what = format!("what case {} asks for", case.name);
    stack::until(&what, LIMIT, || async {
        let shown = shown(stack, id);
        let differs = |(path, wanted): &(&str, Value)| {
            let (found, wanted) = (shown.pointer(path).unwrap_or(&Value::Null), named(wanted, names));
            (*found != wanted).then(|| format!("{path} is {found}, not {wanted}"))
        };
        let now: Vec<String> = values.iter().filter_map(differs).collect();
        let done = now.is_empty().then_some(());
        *differences.lock().unwrap() = now;
        Ok(done)
    })
    .await
    .with_context(|| differences.lock().unwrap().join("; "))
}

async fn upload(client: &AlbClient, name: &str) -> Result<String> {
    let made = rcgen::generate_simple_self_signed(vec![format!("{name}.example.com")])?;
    let answer = client
        .send(&cas::UploadUserCertificate {
            name: name.to_owned(),
            cert: Some(made.cert.pem()),
            key: Some(Sensitive::new(made.signing_key.serialize_pem())),
            ..Default::default()
        })
        .await?;
    Ok(format!("{}-cn-hangzhou", answer.cert_id))
}

/// Restarts the controller, which reads everything anew, and checks that it finds nothing to change.
async fn reads_back_without_a_difference(stack: &mut Stack, when: &str) -> Result<()> {
    stack.quiet(QUIET).await?;
    stack.stop_controller().await?;
    let (reads, writes) = (stack.sim.calls().len(), stack.writes().len());
    stack.start_controller().await?;
    stack::until("the new controller to read", LIMIT, || async {
        Ok((stack.sim.calls().len() > reads).then_some(()))
    })
    .await?;
    stack.quiet(QUIET).await?;
    let needless: Vec<_> = stack
        .writes()
        .into_iter()
        .skip(writes)
        .map(|call| (call.action, call.params))
        .collect();
    assert!(needless.is_empty(), "after everything was {when}: {needless:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_field_reaches_the_api_reads_back_and_follows_or_is_told() -> Result<()> {
    let config = alb_sim::Config {
        vswitches: vec![
            alb_sim::VSwitch::new("vsw-sim-a", "cn-hangzhou-h", "vpc-sim"),
            alb_sim::VSwitch::new("vsw-sim-b", "cn-hangzhou-i", "vpc-sim"),
            alb_sim::VSwitch::new("vsw-sim-c", "cn-hangzhou-j", "vpc-sim"),
            alb_sim::VSwitch::new("vsw-sim-d", "cn-hangzhou-j", "vpc-sim"),
        ],
        security_policies: ["scp-custom".to_owned()].into(),
        quotas: alb_sim::Quotas {
            load_balancers: 200,
            ..alb_sim::Quotas::default()
        },
        ..alb_sim::Config::default()
    };
    let mut stack = Stack::without_controller(config).await?;
    stack.options().lb.rate_per_s = 1000.0;
    stack.options().lb.burst = 100;
    stack.options().lb.max_concurrent = 40;
    let client = stack::alb_client(&stack.sim)?;
    let mut names = Names::new();
    for (name, file) in [("$CERT1", "one"), ("$CERT2", "two"), ("$CERT3", "three")] {
        names.insert(name, upload(&client, file).await?);
    }
    for (name, list) in [("$ACL1", "first-list"), ("$ACL2", "second-list")] {
        let answer = client
            .send(&alb::CreateAcl {
                acl_name: Some(list.into()),
                ..Default::default()
            })
            .await?;
        names.insert(name, answer.acl_id);
    }
    stack.start_controller().await?;

    let cases: Vec<Case> = load_balancer_cases()
        .into_iter()
        .chain(listener_cases())
        .collect();
    let covered: BTreeSet<String> = cases
        .iter()
        .flat_map(|case| {
            let head = if case.create.get("listeners").is_some() {
                "spec.listeners[]."
            } else {
                C
            };
            case.fields.iter().map(move |field| format!("{head}{field}"))
        })
        // Reuse, and Secrets, have tests of their own.
        .chain(
            [
                "spec.config.id",
                "spec.listeners[].defaultCertificate.namespace",
                "spec.listeners[].defaultCertificate.name",
            ]
            .map(String::from),
        )
        .collect();
    let all: BTreeSet<String> = FIELDS.iter().map(|field| field.path.to_owned()).collect();
    assert_eq!(covered, all, "each field has a case");

    let name_of = |stack: &Stack, case: &Case| format!("{}-{}", stack.name, case.name.replace('.', "-"));
    for case in &cases {
        apply(&stack, &name_of(&stack, case), &spec(&case.create, &names)).await?;
    }
    let mut ids = BTreeMap::new();
    for case in &cases {
        let found = reported(&stack, &name_of(&stack, case)).await?;
        let id = load_balancer_of(&found.albconfig)
            .with_context(|| format!("{}: {:?}", case.name, found.albconfig.status))?;
        holds(&stack, case, &id, &case.created, &names).await?;
        ids.insert(case.name, id);
    }
    reads_back_without_a_difference(&mut stack, "created").await?;

    for case in &cases {
        apply(&stack, &name_of(&stack, case), &spec(&case.change, &names)).await?;
    }
    for case in &cases {
        let found = reported(&stack, &name_of(&stack, case)).await?;
        holds(&stack, case, &ids[case.name], &case.changed, &names).await?;
        assert_eq!(
            load_balancer_of(&found.albconfig).as_ref(),
            Some(&ids[case.name]),
            "{}",
            case.name
        );
        check_told(&stack, case, &found).await?;
    }
    reads_back_without_a_difference(&mut stack, "changed").await?;
    println!("{} cases cover {} fields", cases.len(), all.len());
    for case in &cases {
        Api::<Reading>::all(stack.kube.clone())
            .delete(&name_of(&stack, case), &DeleteParams::default())
            .await?;
    }
    stack::until("all load balancers to go", LIMIT, || async {
        Ok(stack::load_balancers(&stack.sim).is_empty().then_some(()))
    })
    .await?;
    stack::until("all lists but those that are not ours to go", LIMIT, || async {
        let state = stack.sim.state();
        let lists = state["acls"].as_object().map_or(0, serde_json::Map::len);
        Ok((lists == 2).then_some(()))
    })
    .await?;
    stack.finish().await
}

/// What an AlbConfig is told: its conditions and Events.
async fn check_told(stack: &Stack, case: &Case, found: &Reading) -> Result<()> {
    let status = found.albconfig.status.clone().unwrap_or_default();
    let text: Vec<String> = status
        .conditions
        .iter()
        .map(|c| format!("{} {:?} {}: {}", c.type_, c.status, c.reason, c.message))
        .collect();
    let text = text.join("\n");
    let accepted = status.condition(condition_type::ACCEPTED).context("Accepted")?;
    let Some((code, words)) = case.told else {
        assert_eq!(accepted.status.as_str(), "True", "{}: {text}", case.name);
        return Ok(());
    };
    if !matches!(code, "ListenerReplaced" | "AclGap") {
        // These are about a moment that is over once the conditions are written anew.
        assert!(text.contains(words), "{}: {words:?} is not in\n{text}", case.name);
    }
    let name = found.albconfig.name_any();
    let events = Api::<Event>::all(stack.kube.clone());
    let seen = Mutex::new(String::new());
    stack::until(&format!("an Event {code} for {name}"), LIMIT, || async {
        let all = events.list(&ListParams::default()).await?;
        let ours = all
            .items
            .into_iter()
            .filter(|e| e.regarding.as_ref().and_then(|r| r.name.as_deref()) == Some(name.as_str()));
        let ours: Vec<(String, String)> = ours
            .map(|e| (e.reason.unwrap_or_default(), e.note.unwrap_or_default()))
            .collect();
        *seen.lock().unwrap() = format!("{ours:?}");
        let plain = words.split_once(": ").map_or(words, |(_, rest)| rest);
        Ok(ours
            .iter()
            .any(|(reason, note)| reason == code && note.contains(plain))
            .then_some(()))
    })
    .await
    .with_context(|| seen.lock().unwrap().clone())
}

#[test]
fn the_table_says_of_each_field_how_it_changes() {
    assert!(FIELDS.iter().any(|field| field.update == Update::CreateOnly));
    assert!(FIELDS.iter().all(|field| field.update == Update::Controller
        || field.update == Update::NoEffect
        || !field.calls.is_empty()));
}
