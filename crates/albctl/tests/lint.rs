//! `albctl lint` and how files are read.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod common;

use common::{command, ingress, run, run_with};

#[test]
fn a_lone_ingress_is_right_and_says_what_was_not_checked() {
    let file = ingress("web", "shop.example.com", &[("/", "web"), ("/news", "news")]);
    let ran = run_with(&["lint", "-f", "-"], file.as_bytes());
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    for says in [
        "Service shop/web",
        "info[ServiceNotFound] is not among the files and taken to exist, with the ports asked for, 80",
        "AlbConfig default",
        "with listeners 80/HTTP",
        "IngressClass alb",
        "0 error(s), 0 warning(s), 4 note(s)",
    ] {
        assert!(ran.out.contains(says), "{says:?} is missing:\n{}", ran.out);
    }
    let denied = run_with(&["lint", "--deny-warnings", "-f", "-"], file.as_bytes());
    assert_eq!(denied.code, 0, "notes are no warnings");

    let ran = run_with(&["lint", "-f", "-", "--missing", "report"], file.as_bytes());
    assert_eq!(ran.code, 1);
    assert!(ran.out.contains("error[IngressClassNotFound]"), "{}", ran.out);
}

#[test]
fn a_service_is_missing_when_others_are_there() {
    let service = "apiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: shop}\nspec: {ports: [{port: 80}]}\n";
    let file = ingress("web", "shop.example.com", &[("/", "web"), ("/news", "news")]) + service;
    let ran = run_with(&["lint", "-f", "-"], file.as_bytes());
    assert_eq!(ran.code, 1);
    assert!(
        ran.out
            .contains("error[ServiceNotFound] spec.rules[0].http.paths[1].backend.service.name"),
        "{}",
        ran.out
    );
    let ran = run_with(&["lint", "-f", "-", "--missing", "assume"], file.as_bytes());
    assert_eq!(ran.code, 0, "{}", ran.out);
}

#[test]
fn exit_codes() {
    let warning = ingress("web", "shop.example.com", &[("/", "web")]).replace(
        "namespace: shop}",
        "namespace: shop, annotations: {alb.ingress.kubernetes.io/ordr: '1'}}",
    );
    for (args, input, code) in [
        (&["lint", "-f", "-"][..], warning.as_str(), 0),
        (&["lint", "-f", "-", "--deny-warnings"], &warning, 1),
        (&["lint", "-f", "-"], "kind: [", 1),
        (&["lint", "-f", "-"], "", 0),
        (&["lint", "-f", "no-such-file.yaml"], "", 2),
        (&["lint"], "", 2),
        (&["lint", "-f", "-", "--albconfig", "nobody"], &warning, 2),
        (&["nonsense"], "", 2),
        (&["route", "-f", "-", "not a request"], &warning, 2),
        (&["route", "-f", "-"], &warning, 2),
        (&["route", "-f", "-", "GET http://a.com/"], "", 1),
        (
            &["route", "-f", "-", "--requests", "no-such-file.json"],
            &warning,
            2,
        ),
        (&["plan", "--to", "-"], &warning, 2),
        (&["translate", "-f", "-"], &warning, 0),
    ] {
        let ran = run_with(args, input.as_bytes());
        assert_eq!(ran.code, code, "{args:?}: {}{}", ran.out, ran.err);
        assert!(code != 2 || ran.err.contains("error: "), "{args:?}: {}", ran.err);
    }
    assert!(
        run(&["lint", "-f", "no-such-file.yaml"])
            .err
            .contains("-f takes YAML or JSON files")
    );
}

#[test]
fn lists_streams_and_other_kinds() {
    let one = ingress("a", "a.example.com", &[("/", "web")]).replace("---\n", "");
    let item = format!("  {}", one.trim_end().replace('\n', "\n  ")) + "\n";
    let list = format!(
        "apiVersion: v1\nkind: List\nitems:\n-{}---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: web}}\n---\n{}",
        &item[1..],
        one.replace("name: a,", "name: b,")
            .replace("a.example.com", "b..example.com")
    );
    let ran = run_with(&["lint", "-f", "-", "-o", "json"], list.as_bytes());
    assert!(ran.err.contains("1 Deployment"), "{}", ran.err);
    let findings = ran.json()["findings"].as_array().unwrap().clone();
    let errors: Vec<_> = findings.iter().filter(|f| f["severity"] == "error").collect();
    assert_eq!(errors.len(), 1, "{errors:#?}");
    assert_eq!(errors[0]["object"]["name"], "b");
    assert_eq!(errors[0]["code"], "HostInvalid");
    let line = usize::try_from(errors[0]["line"].as_u64().unwrap()).unwrap();
    assert!(list.lines().nth(line - 1).unwrap().contains("b..example.com"));
}

#[test]
fn namespaces_by_default_and_by_flag() {
    let file = ingress("a", "a.example.com", &[("/", "web")]).replace(", namespace: shop", "");
    let named = |args: &[&str]| run_with(args, file.as_bytes()).out;
    assert!(named(&["lint", "-f", "-"]).contains("Service default/web"));
    assert!(named(&["lint", "-n", "other", "-f", "-"]).contains("Service other/web"));
}

#[test]
fn anything_at_all_is_no_panic() {
    let mut seed = 7_u64;
    let mut random = |n: usize| -> Vec<u8> {
        (0..n)
            .map(|_| {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (seed >> 56) as u8
            })
            .collect()
    };
    let mut inputs = vec![
        random(20_000),
        random(20_000).into_iter().map(|byte| byte % 128).collect(),
        "[".repeat(100_000).into_bytes(),
        "{a: ".repeat(100_000).into_bytes(),
        "- ".repeat(50_000).into_bytes(),
        "&a [*a]".as_bytes().to_vec(),
        "a: &a [1,1]\nb: &b [*a,*a]\nc: &c [*b,*b]\nd: &d [*c,*c]\n"
            .as_bytes()
            .to_vec(),
        "kind: Ingress\napiVersion: networking.k8s.io/v1\nmetadata: 5\n"
            .as_bytes()
            .to_vec(),
        "kind: List\nitems: {a: 1}\n".as_bytes().to_vec(),
        "kind: List\nitems: [1, null, [], {kind: Ingress}]\n"
            .as_bytes()
            .to_vec(),
        "---\n".repeat(100_000).into_bytes(),
        vec![0xFF; 100],
        b"\xEF\xBB\xBFkind: Nothing\n".to_vec(),
    ];
    // A right file with each of its bytes exchanged once in a while.
    let right = ingress("a", "a.example.com", &[("/", "web")]).into_bytes();
    for at in (0..right.len()).step_by(9) {
        let mut bytes = right.clone();
        bytes[at] = random(1)[0];
        inputs.push(bytes);
    }
    for input in inputs {
        let ran = run_with(&["lint", "-f", "-"], &input);
        let start = String::from_utf8_lossy(&input[..input.len().min(40)]).into_owned();
        assert!(matches!(ran.code, 0 | 1), "{start:?}: {}", ran.err);
        assert!(!ran.err.contains("panicked"), "{start:?}: {}", ran.err);
    }
}

#[test]
fn a_long_file_is_read() {
    let lines = 30_000;
    let mut file = String::from("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: long}\ndata:\n");
    let members: Vec<String> = (0..lines).map(|n| format!("  k{n}: v\n")).collect();
    file.push_str(&members.concat());
    file.push_str("---\n");
    file.push_str(&ingress("a", "a..b", &[("/", "web")]));
    let ran = run_with(&["lint", "-f", "-", "-o", "json"], file.as_bytes());
    let host = ran.json()["findings"]
        .as_array()
        .unwrap()
        .iter()
        .find(|f| f["code"] == "HostInvalid")
        .cloned()
        .expect("the Ingress after the long object is read");
    assert!(host["line"].as_u64().unwrap() > lines);
}

#[test]
fn colours_are_for_terminals_and_for_who_asks() {
    let file = ingress("a", "a..b", &[("/", "web")]);
    assert!(
        !run_with(&["lint", "-f", "-"], file.as_bytes())
            .out
            .contains('\u{1b}')
    );
    assert!(
        run_with(&["lint", "-f", "-", "--color", "always"], file.as_bytes())
            .out
            .contains('\u{1b}')
    );
}

#[cfg(unix)]
#[test]
fn a_reader_that_leaves_early_is_no_error() {
    use std::process::Stdio;
    let mut child = command(&["translate", "-f", "examples/broken", "-o", "json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{err}");
    assert!(!err.contains("panicked"), "{err}");
}

#[test]
fn help_teaches_by_example() {
    for command in ["translate", "lint", "route", "explain", "plan"] {
        let ran = run(&[command, "--help"]);
        assert_eq!(ran.code, 0);
        assert!(ran.out.contains(&format!("albctl {command} -")), "{}", ran.out);
        assert!(ran.out.contains("Example"), "{}", ran.out);
    }
    let plugin = std::process::Command::new(env!("CARGO_BIN_EXE_kubectl-alb"))
        .arg("--version")
        .output()
        .unwrap();
    assert!(plugin.status.success());
}

/// As the controller reads one: in any letter case, each field for itself.
#[test]
fn an_albconfig_is_read_as_the_controller_reads_it() {
    let albconfig = "apiVersion: alibabacloud.com/v1
kind: AlbConfig
metadata: {name: public}
spec:
  config: {AddressType: Intranet}
  listeners:
  - {port: 80, protocol: HTTP, idleTimeout: 15s}
  - {port: 443, protocol: HTTPS, defaultCertificate: {kind: Secret, namespace: shop, name: wildcard}}
---
";
    let file = ingress("web", "shop.example.com", &[("/", "web")]).replace(
        "namespace: shop}",
        "namespace: shop, annotations: {alb.ingress.kubernetes.io/listen-ports: '[{\"HTTP\": 80}, {\"HTTPS\": 443}]'}}",
    );
    let file = format!("{albconfig}{file}");
    let ran = run_with(&["lint", "-f", "-"], file.as_bytes());
    assert_eq!(ran.code, 1, "{}{}", ran.out, ran.err);
    for says in [
        "warning[FieldUnknown] spec.config.AddressType",
        "error[AlbConfigInvalid] spec.listeners[0].idleTimeout",
        "Secret shop/wildcard",
        "info[TlsSecretNotFound] is not among the files and taken to exist",
        "1 error(s), 1 warning(s)",
    ] {
        assert!(ran.out.contains(says), "{says:?} is missing:\n{}", ran.out);
    }
    let routed = run_with(
        &["route", "-f", "-", "GET https://shop.example.com/"],
        file.as_bytes(),
    );
    assert!(
        routed.out.contains("forward to Service shop/web"),
        "{}",
        routed.out
    );

    let ran = run_with(&["lint", "-f", "-", "--missing", "report"], file.as_bytes());
    let missing = "error[TlsSecretNotFound] spec.listeners[1].defaultCertificate";
    assert!(ran.out.contains(missing), "{}", ran.out);
}
