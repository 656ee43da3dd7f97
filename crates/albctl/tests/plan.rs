//! `albctl plan`, offline and against the simulator.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod common;

use std::collections::BTreeSet;

use alb_sim::{AccessKey, AlbSim, Config};
use common::{command, ingress, run, run_with};
use serde_json::{Value, json};

fn steps(plan: &Value) -> Vec<&str> {
    let steps = plan["steps"].as_array().unwrap();
    steps
        .iter()
        .map(|step| step["action"].as_str().unwrap())
        .collect()
}

#[test]
fn nothing_changed_is_no_call() {
    let plan = run(&[
        "plan",
        "--from",
        "examples/albctl/before",
        "--to",
        "examples/albctl/before",
        "-o",
        "json",
    ]);
    assert_eq!(plan.code, 0, "{}", plan.err);
    assert_eq!(
        plan.json(),
        json!({"calls": 0, "steps": [], "rules": {"before": 3, "after": 3, "limit": 100}, "diagnostics": []})
    );
}

#[test]
fn the_form_for_programs() {
    let plan = run(&[
        "plan",
        "--from",
        "examples/albctl/before",
        "--to",
        "examples/albctl/after",
        "-o",
        "json",
    ])
    .json();
    let keys: BTreeSet<&str> = plan.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, ["calls", "diagnostics", "rules", "steps"].into());
    let steps = plan["steps"].as_array().unwrap();
    assert_eq!(plan["calls"], steps.len());
    for (at, step) in steps.iter().enumerate() {
        let keys: BTreeSet<&str> = step.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(keys, ["action", "hitless", "n", "params", "waits_for"].into());
        assert_eq!(step["n"], at + 1);
        assert_eq!(step["hitless"], true);
        for waited in step["waits_for"].as_array().unwrap() {
            assert!(waited.as_u64().unwrap() <= at as u64);
        }
    }
    // What a step makes is named by the step, also inside the parameters of later ones.
    let create = steps
        .iter()
        .find(|step| step["action"] == "CreateServerGroup")
        .unwrap();
    let id = format!("<id of step {}>", create["n"]);
    let rules = steps.iter().find(|step| step["action"] == "CreateRules").unwrap();
    assert!(rules["params"].to_string().contains(&id), "{rules:#}");
    assert!(rules["waits_for"].as_array().unwrap().contains(&create["n"]));
    assert!(rules["params"]["ClientToken"].is_null());
    assert_eq!(plan["rules"], json!({"before": 3, "after": 4, "limit": 100}));
}

#[test]
fn the_first_plan_makes_everything_and_shows_no_key() {
    let plan = run_with(
        &["plan", "--from", "-", "--to", "examples/manifests", "-o", "json"],
        b"",
    );
    assert_eq!(plan.code, 0, "{}", plan.err);
    let json = plan.json();
    let made = steps(&json);
    for action in [
        "CreateLoadBalancer",
        "UploadUserCertificate",
        "CreateListener",
        "CreateRules",
    ] {
        assert!(made.contains(&action), "{made:?}");
    }
    for secret in ["PRIVATE KEY", "BEGIN CERTIFICATE"] {
        assert!(!plan.out.contains(secret));
    }
    let names = ["LoadBalancerName", "ListenerPort", "Rules", "ServerGroupName"];
    assert!(names.iter().all(|name| plan.out.contains(name)), "{}", plan.out);
}

#[test]
fn a_changed_path_is_a_readable_difference() {
    let new = std::env::temp_dir().join(format!("albctl-plan-{}", std::process::id()));
    std::fs::create_dir_all(&new).unwrap();
    for entry in std::fs::read_dir(common::root().join("examples/manifests")).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let text = text.replace("path: /news, pathType", "path: /blog, pathType");
        std::fs::write(new.join(path.file_name().unwrap()), text).unwrap();
    }
    let ran = run(&[
        "plan",
        "--from",
        "examples/manifests",
        "--to",
        new.to_str().unwrap(),
    ]);
    std::fs::remove_dir_all(&new).unwrap();
    assert_eq!(ran.code, 0, "{}", ran.err);
    for line in [
        "AlbConfig demo: 1 call(s), no request notices; rules ",
        "  listener 80/HTTP",
        "    + shop.example.com /blog|/blog/* -> demo/blog:8000  (Ingress demo/shop spec.rules[0].http.paths[1])",
        "    - shop.example.com /news|/news/* -> demo/blog:8000",
        "  1 added, 0 changed, 1 removed, 0 moved",
    ] {
        assert!(ran.out.contains(line), "{line:?} is missing:\n{}", ran.out);
    }
}

#[test]
fn weights_change_in_place_and_order_moves() {
    let base = ingress("base", "shop.example.com", &[("/", "web")]);
    let canary = |weight: &str| {
        let annotations = format!(
            "namespace: shop, annotations: {{alb.ingress.kubernetes.io/canary: 'true', \
             alb.ingress.kubernetes.io/canary-weight: '{weight}'}}}}"
        );
        base.clone()
            + &ingress("tenth", "shop.example.com", &[("/", "next")])
                .replace("namespace: shop}", &annotations)
    };
    let old = std::env::temp_dir().join(format!("albctl-weights-{}.yaml", std::process::id()));
    std::fs::write(&old, canary("10")).unwrap();
    let ran = run_with(
        &["plan", "--from", old.to_str().unwrap(), "--to", "-"],
        canary("20").as_bytes(),
    );
    std::fs::remove_file(&old).unwrap();
    assert!(
        ran.out.contains("~ shop.example.com /* -> shop/web:80 (80), shop/next:80 (20) (was shop/web:80 (90), shop/next:80 (10))"),
        "{}",
        ran.out
    );
    assert!(ran.out.contains("1 call(s)"), "{}", ran.out);
}

#[test]
fn an_albconfig_that_goes_takes_its_alb_along() {
    let plan = run_with(&["plan", "--from", "examples/albctl/before", "--to", "-"], b"");
    assert!(
        plan.out.contains("- the listener, with its rules"),
        "{}",
        plan.out
    );
    assert!(plan.out.contains("DeleteLoadBalancer"), "{}", plan.out);
    assert!(plan.out.contains("rules 3 -> 0"), "{}", plan.out);
}

#[test]
fn files_that_are_half_readable_are_not_planned_from() {
    let ran = run(&[
        "plan",
        "--from",
        "examples/albctl/before",
        "--to",
        "examples/broken",
    ]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("can't be read as a whole"), "{}", ran.err);
    assert!(ran.err.contains("60-syntax.yaml:5"), "{}", ran.err);
    assert!(ran.out.is_empty());
}

#[test]
fn against_a_running_alb() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let config = Config {
        access_keys: vec![AccessKey::new("key", "secret")],
        ..Config::default()
    };
    let sim = runtime.block_on(AlbSim::start(config)).unwrap();
    let endpoint = sim.endpoint();
    let args = [
        "plan",
        "--to",
        "examples/albctl/before",
        "--endpoint",
        &endpoint,
        "--cluster-id",
        "c1",
        "--vpc-id",
        "vpc-sim",
        "-o",
        "json",
    ];
    let with_keys = |id: &str| {
        let mut command = command(&args);
        command
            .env("ALIBABA_CLOUD_ACCESS_KEY_ID", id)
            .env("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "secret");
        common::Ran::from(command.output().unwrap())
    };
    let live = with_keys("key");
    assert_eq!(live.code, 0, "{}", live.err);
    assert_eq!(live.json()["rules"]["before"], 0);
    let offline = [
        "plan",
        "--from",
        "-",
        "--to",
        "examples/albctl/before",
        "--cluster-id",
        "c1",
        "--vpc-id",
        "vpc-sim",
        "-o",
        "json",
    ];
    // An empty ALB account is what nothing is.
    assert_eq!(live.json()["steps"], run_with(&offline, b"").json()["steps"]);
    assert!(sim.world().load_balancers.is_empty(), "a plan changes nothing");

    let refused = with_keys("nobody");
    assert_eq!(refused.code, 1);
    assert!(
        refused.err.contains("reading the ALB of AlbConfig shop"),
        "{}",
        refused.err
    );
    assert!(!refused.err.contains("secret\""), "{}", refused.err);
}
