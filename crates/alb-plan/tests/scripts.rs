//! Scripts of listeners follow by name; those of others are left alone.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, unreachable_pub)]

#[allow(dead_code, reason = "each test file uses a part of it")]
mod common;

use alb_model::{Gateway, Script};
use alb_plan::{Observed, Plan, Request, Step, plan};
use common::{Cloud, gateway, options};

fn with_scripts(scripts: &[(&str, &str)]) -> Gateway {
    let mut gateway = gateway(Vec::new(), "none");
    gateway.listeners[0].scripts = scripts
        .iter()
        .map(|(name, content)| Script {
            name: (*name).into(),
            content: (*content).into(),
            enabled: true,
            ..Script::default()
        })
        .collect();
    gateway
}

fn lines(made: &Plan) -> Vec<String> {
    made.steps.iter().map(Step::describe).collect()
}

fn names(observed: &Observed) -> Vec<&str> {
    let scripts = observed.listeners[0].scripts.iter().flatten();
    scripts.map(|script| script.name.as_str()).collect()
}

#[test]
fn scripts_follow_by_name_and_those_of_others_stay() {
    let (mut cloud, mut observed) = (Cloud::default(), Observed::default());
    cloud.converge(
        &mut observed,
        &with_scripts(&[("a", "1"), ("b", "1")]),
        &options(),
    );
    assert_eq!(names(&observed), ["k8s-a", "k8s-b"]);
    let by_hand = alb_plan::ObservedScript {
        id: "as-hand".into(),
        name: "b".into(),
        content: "theirs".into(),
        enabled: true,
    };
    observed.listeners[0]
        .scripts
        .as_mut()
        .unwrap()
        .push(by_hand.clone());

    let wanted = with_scripts(&[("a", "2"), ("c", "1")]);
    let made = cloud.converge(&mut observed, &wanted, &options());
    assert_eq!(
        lines(&made),
        [
            "change script k8s-a on listener 80/HTTP",
            "create script k8s-c on listener 80/HTTP",
            "delete 1 script(s) from listener 80/HTTP",
        ]
    );
    assert_eq!(names(&observed), ["k8s-a", "b", "k8s-c"]);
    assert!(observed.listeners[0].scripts.as_ref().unwrap().contains(&by_hand));

    let made = cloud.converge(&mut observed, &with_scripts(&[]), &options());
    assert_eq!(lines(&made), ["delete 2 script(s) from listener 80/HTTP"]);
    assert_eq!(names(&observed), ["b"]);
}

#[test]
fn a_call_carries_all_that_a_script_is() {
    let (mut cloud, mut observed) = (Cloud::default(), Observed::default());
    cloud.converge(&mut observed, &with_scripts(&[]), &options());
    let mut wanted = with_scripts(&[("a", "1")]);
    let script = &mut wanted.listeners[0].scripts[0];
    script.position = alb_model::ScriptPosition::ResponseHead;
    script.attributes.insert("EsDebug".into(), "x".into());
    let made = plan(&observed, &wanted, &options());
    let Ok(Request::CreateAScripts(call)) = made.steps[0].request(&made.ids) else {
        panic!("{:?}", lines(&made));
    };
    let sent = &call.a_scripts[0];
    assert_eq!(
        (
            sent.a_script_name.as_str(),
            sent.enabled,
            sent.position.as_deref()
        ),
        ("k8s-a", Some(true), Some("ResponseHead"))
    );
    assert_eq!(sent.ext_attributes[0].attribute_key.as_deref(), Some("EsDebug"));
}

/// Scripts that are there unseen are not made again.
#[test]
fn what_cannot_be_listed_is_not_changed_but_told() {
    let (mut cloud, mut observed) = (Cloud::default(), Observed::default());
    cloud.converge(&mut observed, &with_scripts(&[("a", "1")]), &options());
    observed.listeners[0].scripts = None;
    assert_eq!(plan(&observed, &with_scripts(&[]), &options()).diagnostics, []);
    let made = plan(&observed, &with_scripts(&[("a", "2")]), &options());
    assert!(made.is_empty(), "{:?}", lines(&made));
    assert_eq!(made.diagnostics[0].code, "ScriptsUnknown");
    assert!(made.diagnostics[0].message.contains("allow alb:ListAScripts"));
}

/// A listener whose settings have mistakes, and one of which nothing is known, keep their scripts.
#[test]
fn scripts_of_a_frozen_or_held_listener_stay() {
    let (mut cloud, mut observed) = (Cloud::default(), Observed::default());
    cloud.converge(&mut observed, &with_scripts(&[("a", "1")]), &options());
    let key = observed.listeners[0].key();
    let wanted = with_scripts(&[("b", "2")]);
    assert_eq!(plan(&observed, &wanted, &options()).steps.len(), 2);
    let mut frozen = options();
    frozen.frozen_listeners.insert(key);
    assert_eq!(lines(&plan(&observed, &wanted, &frozen)), Vec::<String>::new());
    let mut held = options();
    held.held.insert(key);
    let mut nothing = wanted;
    nothing.listeners.clear();
    assert_eq!(lines(&plan(&observed, &nothing, &held)), Vec::<String>::new());
    held.held_rules.insert(key, Vec::new());
    assert_eq!(lines(&plan(&observed, &nothing, &held)), Vec::<String>::new());
}

#[test]
fn no_call_deletes_more_scripts_than_one_takes() {
    let (mut cloud, mut observed) = (Cloud::default(), Observed::default());
    let scripts: Vec<String> = (0..21).map(|n| format!("s{n}")).collect();
    let many: Vec<(&str, &str)> = scripts.iter().map(|name| (name.as_str(), "1")).collect();
    cloud.converge(&mut observed, &with_scripts(&many), &options());
    let made = cloud.converge(&mut observed, &with_scripts(&[]), &options());
    assert_eq!(made.steps.len(), 2);
    assert!(names(&observed).is_empty());
}
