//! Drives a real kubectl against the sandbox.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod support;

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use kube_sandbox::{Config, Sandbox};

/// A sandbox, its kubeconfig, and kubectl.
struct Cluster {
    sandbox: Sandbox,
    kubeconfig: PathBuf,
    /// Discovery cache of this cluster alone: ports come round again.
    cache: PathBuf,
}

/// What kubectl said.
#[derive(Debug)]
struct Said {
    ok: bool,
    out: String,
    err: String,
}

impl Said {
    #[track_caller]
    fn good(self) -> String {
        assert!(self.ok, "kubectl failed: {}", self.err);
        self.out
    }

    #[track_caller]
    fn bad(self) -> String {
        assert!(!self.ok, "kubectl should have failed but said: {}", self.out);
        self.err
    }
}

impl Cluster {
    async fn start(name: &str) -> Self {
        let sandbox = Sandbox::start(Config::default()).await.unwrap();
        let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
        let kubeconfig = directory.join(format!("{name}.kubeconfig"));
        sandbox.write_kubeconfig(&kubeconfig).unwrap();
        let cache = directory.join(format!("{name}.cache"));
        if cache.exists() {
            std::fs::remove_dir_all(&cache).unwrap();
        }
        Self {
            sandbox,
            kubeconfig,
            cache,
        }
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::new(support::kubectl());
        command
            .env("KUBECONFIG", &self.kubeconfig)
            .arg("--cache-dir")
            .arg(&self.cache)
            .args(words(line));
        command
    }

    fn run(&self, line: &str) -> Said {
        self.feed(line, "")
    }

    /// Runs kubectl with text on standard input.
    fn feed(&self, line: &str, input: &str) -> Said {
        let mut child = self
            .command(line)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Said {
            ok: output.status.success(),
            out: text(output.stdout),
            err: text(output.stderr),
        }
    }
}

/// Splits at spaces outside single quotes.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quoted = false;
    for c in line.chars() {
        match c {
            '\'' => quoted = !quoted,
            ' ' if !quoted => words.push(String::new()),
            c => words.last_mut().unwrap().push(c),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[track_caller]
fn has(text: &str, parts: &[&str]) {
    let squeezed = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for part in parts {
        assert!(squeezed.contains(part), "{part:?} is missing in:\n{text}");
    }
}

const WEB: &str = r"
apiVersion: v1
kind: Service
metadata: {name: web, labels: {app: web}}
spec: {selector: {app: web}, ports: [{name: http, port: 80, targetPort: 8080}]}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web, labels: {app: web}}
spec:
  ingressClassName: alb
  tls: [{hosts: [a.example.com], secretName: cert}]
  rules:
  - host: a.example.com
    http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}
";

const CRD: &str = r"
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: albconfigs.alibabacloud.com}
spec:
  group: alibabacloud.com
  scope: Cluster
  names: {plural: albconfigs, kind: AlbConfig, shortNames: [albc]}
  versions:
  - name: v1
    served: true
    storage: true
    subresources: {status: {}}
    additionalPrinterColumns:
    - {name: ALBID, type: string, jsonPath: .status.loadBalancer.id}
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            properties:
              config:
                type: object
                properties:
                  name: {type: string, description: Name of the load balancer}
                  addressType: {type: string, enum: [Internet, Intranet], default: Internet}
              listeners:
                type: array
                items:
                  type: object
                  required: [port]
                  properties: {port: {type: integer, minimum: 1, maximum: 65535}}
          status: {type: object, x-kubernetes-preserve-unknown-fields: true}
";

const ALB: &str = "
apiVersion: alibabacloud.com/v1
kind: AlbConfig
metadata: {name: alb}
spec: {config: {name: demo}, listeners: [{port: 80}]}
";

#[tokio::test(flavor = "multi_thread")]
async fn discovery_lists_kinds_with_short_names_and_scope() {
    let cluster = Cluster::start("discovery").await;
    let kinds = cluster.run("api-resources").good();
    has(
        &kinds,
        &[
            "ingresses ing networking.k8s.io/v1 true Ingress",
            "nodes no v1 false Node",
        ],
    );
    has(
        &cluster.run("api-versions").good(),
        &["discovery.k8s.io/v1", "apiextensions.k8s.io/v1"],
    );
    has(&cluster.run("version").good(), &["Server Version: v1.36"]);
    has(&cluster.run("auth can-i delete pods").good(), &["yes"]);
    has(
        &cluster.run("explain ingress.spec.rules.host").good(),
        &["KIND: Ingress", "FIELD: host <string>"],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn create_from_flags_sends_protobuf_and_works() {
    let cluster = Cluster::start("create").await;
    for (line, said) in [
        ("create namespace demo", "namespace/demo created"),
        (
            "-n demo create deployment web --image=nginx:1.27 --replicas=0 --port=80",
            "deployment.apps/web created",
        ),
        ("-n demo expose deployment web --port=80", "service/web exposed"),
        (
            "-n demo create secret generic s --from-literal=k=v",
            "secret/s created",
        ),
        (
            "-n demo create configmap c --from-literal=k=v",
            "configmap/c created",
        ),
        (
            "-n demo create ingress i --class=alb --rule='a.example.com/*=web:80'",
            "ingress.networking.k8s.io/i created",
        ),
        ("-n demo create serviceaccount sa", "serviceaccount/sa created"),
        (
            "-n demo create role r --verb=get --resource=pods",
            "role.rbac.authorization.k8s.io/r created",
        ),
        ("-n demo run p --image=nginx", "pod/p created"),
    ] {
        has(&cluster.run(line).good(), &[said]);
    }
    has(&cluster.run("-n demo get deployment web").good(), &["web 0/0"]);
    has(
        &cluster.run("-n demo get secret s -o jsonpath='{.data.k}'").good(),
        &["dg=="],
    );
    has(&cluster.run("-n demo get pods").good(), &["p 0/1 Pending 0"]);
    has(
        &cluster.run("-n demo get ingress").good(),
        &["i alb a.example.com 80"],
    );
    has(
        &cluster.run("-n demo scale deployment web --replicas=3").good(),
        &["scaled"],
    );
    has(
        &cluster
            .run("-n demo get deployment web -o jsonpath='{.spec.replicas}'")
            .good(),
        &["3"],
    );
    cluster.run("delete namespace demo").good();
    has(
        &cluster.run("get namespace demo").bad(),
        &["namespaces \"demo\" not found"],
    );
    has(
        &cluster.run("-n demo create configmap c").bad(),
        &["namespaces \"demo\" not found"],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn apply_get_and_describe() {
    let cluster = Cluster::start("apply").await;
    has(
        &cluster.feed("apply -f -", WEB).good(),
        &["service/web created", "ingress.networking.k8s.io/web created"],
    );
    let unchanged = cluster.feed("apply -f -", WEB).good();
    has(
        &unchanged,
        &["service/web unchanged", "ingress.networking.k8s.io/web unchanged"],
    );
    let changed = cluster.feed("apply -f -", &WEB.replace("8080", "9090")).good();
    has(
        &changed,
        &[
            "service/web configured",
            "ingress.networking.k8s.io/web unchanged",
        ],
    );
    has(
        &cluster
            .run("get svc web -o jsonpath='{.spec.ports[0].targetPort}'")
            .good(),
        &["9090"],
    );

    has(
        &cluster.run("get ing").good(),
        &[
            "NAME CLASS HOSTS ADDRESS PORTS AGE",
            "web alb a.example.com 80, 443",
        ],
    );
    has(
        &cluster.run("get svc web -o wide").good(),
        &["web ClusterIP 10.96.", "80/TCP", "app=web"],
    );
    has(
        &cluster.run("get ing,svc -A -l app=web").good(),
        &["default ingress.networking.k8s.io/web", "service/web"],
    );
    has(
        &cluster.run("get ing -l 'app notin (web)'").err,
        &["No resources found"],
    );
    has(
        &cluster.run("get ing web -o yaml").good(),
        &["pathType: Prefix", "generation: 1"],
    );
    let described = cluster.run("describe ingress web").good();
    has(
        &described,
        &["Ingress Class: alb", "cert terminates a.example.com", "/ web:80"],
    );
    has(
        &cluster.run("describe svc web").good(),
        &["Type: ClusterIP", "TargetPort: 9090/TCP"],
    );
    cluster
        .run("create secret generic s --from-literal=k=value")
        .good();
    has(
        &cluster.run("describe secret s").good(),
        &["Type: Opaque", "k: 5 bytes"],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn server_side_apply_names_the_owner_of_a_contested_field() {
    let cluster = Cluster::start("ssa").await;
    has(
        &cluster
            .feed("apply --server-side --field-manager=one -f -", WEB)
            .good(),
        &["serverside-applied"],
    );
    let other = WEB.replace("8080", "9090");
    let refused = cluster
        .feed("apply --server-side --field-manager=two -f -", &other)
        .bad();
    has(
        &refused,
        &[
            "conflict with \"one\"",
            ".spec.ports[port=80,protocol=\"TCP\"].targetPort",
        ],
    );
    cluster
        .feed(
            "apply --server-side --field-manager=two --force-conflicts -f -",
            &other,
        )
        .good();
    has(
        &cluster
            .run("get svc web -o jsonpath='{.spec.ports[0].targetPort}'")
            .good(),
        &["9090"],
    );
    // From client-side to server-side apply: kubectl moves its fields over.
    cluster
        .feed(
            "apply -f -",
            r#"{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a": "1", "b": "2"}}"#,
        )
        .good();
    let next = r#"{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a": "1"}}"#;
    cluster.feed("apply --server-side -f -", next).good();
    assert_eq!(
        cluster.run("get cm c -o jsonpath='{.data}'").good(),
        "{\"a\":\"1\"}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_input_is_refused_with_field_and_reason() {
    let cluster = Cluster::start("wrong").await;
    let cases = [
        (
            WEB.replace("a.example.com\n", "A_b\n"),
            "spec.rules[0].host: Invalid value: \"A_b\"",
        ),
        (
            WEB.replace("pathType: Prefix", "pathType: Regex"),
            "Unsupported value: \"Regex\"",
        ),
        (
            WEB.replace("path: /,", "path: x,"),
            "spec.rules[0].http.paths[0].path: Invalid value: \"x\": must be an absolute path",
        ),
        (
            WEB.replace("ingressClassName", "ingressClasName"),
            "unknown field \"spec.ingressClasName\"",
        ),
        (
            WEB.replace("port: 80, target", "port: 99999, target"),
            "must be between 1 and 65535, inclusive",
        ),
        (
            WEB.replace("number: 80", "number: eighty"),
            "cannot unmarshal string",
        ),
    ];
    for (manifest, message) in cases {
        has(&cluster.feed("apply -f -", &manifest).bad(), &[message]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn custom_resources_from_definition_to_deletion() {
    let cluster = Cluster::start("crd").await;
    cluster.feed("apply -f -", CRD).good();
    cluster
        .run("wait --for=condition=Established crd/albconfigs.alibabacloud.com --timeout=10s")
        .good();
    has(
        &cluster.feed("apply -f -", ALB).good(),
        &["albconfig.alibabacloud.com/alb created"],
    );
    has(
        &cluster.run("get albc alb -o yaml").good(),
        &["addressType: Internet", "generation: 1"],
    );
    has(
        &cluster.run("explain albconfig.spec.config").good(),
        &["name <string>", "Name of the load balancer"],
    );

    let typo = cluster
        .feed("apply -f -", &ALB.replace("listeners", "listners"))
        .bad();
    has(&typo, &["unknown field \"spec.listners\""]);
    let range = cluster
        .feed("apply -f -", &ALB.replace("port: 80", "port: 0"))
        .bad();
    has(
        &range,
        &["spec.listeners[0].port in body should be greater than or equal to 1"],
    );

    let status = r#"patch albc alb --subresource=status --type=merge -p '{"status":{"loadBalancer":{"id":"alb-1"},"conditions":[{"type":"Ready","status":"True"}]}}'"#;
    cluster.run(status).good();
    cluster
        .run("wait --for=condition=Ready albc/alb --timeout=10s")
        .good();
    cluster
        .run("wait --for=jsonpath='{.status.loadBalancer.id}'=alb-1 albc/alb --timeout=10s")
        .good();
    has(&cluster.run("get albc").good(), &["NAME ALBID", "alb alb-1"]);
    has(
        &cluster.run("describe albc alb").good(),
        &["Load Balancer: Id: alb-1", "Port: 80"],
    );

    cluster.run("delete crd albconfigs.alibabacloud.com").good();
    has(
        &cluster.run("get albc").bad(),
        // Depending on what its discovery cache still holds.
        &["the server"],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_patch() {
    let cluster = Cluster::start("patch").await;
    cluster.feed("apply -f -", WEB).good();
    cluster.run("label svc web tier=front").good();
    cluster.run("annotate svc web note='a b'").good();
    cluster
        .run(r#"patch svc web -p '{"spec":{"ports":[{"port":443,"name":"https"}]}}'"#)
        .good();
    has(
        &cluster
            .run("get svc web -o jsonpath='{.spec.ports[*].port}'")
            .good(),
        &["443 80"],
    );
    cluster
        .run(r#"patch svc web --type=merge -p '{"spec":{"ports":[{"port":81}]}}'"#)
        .good();
    has(
        &cluster
            .run("get svc web -o jsonpath='{.spec.ports[*].port}'")
            .good(),
        &["81"],
    );
    cluster
        .run(r#"patch svc web --type=json -p '[{"op":"replace","path":"/spec/ports/0/port","value":82}]'"#)
        .good();
    let labels = cluster
        .run("get svc web -o jsonpath='{.spec.ports[0].port} {.metadata.labels.tier}'")
        .good();
    assert_eq!(labels, "82 front");
    has(
        &cluster.run("label svc web tier=back").bad(),
        &["'tier' already has a value (front)"],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn watch_prints_each_change_and_wait_sees_a_deletion() {
    let cluster = Cluster::start("watch").await;
    cluster.feed("apply -f -", WEB).good();
    let mut watch = cluster
        .command("get ing -w --no-headers")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(watch.stdout.take().unwrap()).lines();
    has(&lines.next().unwrap().unwrap(), &["web alb a.example.com"]);
    cluster.run(r#"patch ing web --subresource=status --type=merge -p '{"status":{"loadBalancer":{"ingress":[{"hostname":"alb.example.net"}]}}}'"#).good();
    has(
        &lines.next().unwrap().unwrap(),
        &["web alb a.example.com alb.example.net"],
    );
    cluster
        .run("patch ing web --type=merge -p '{\"metadata\":{\"finalizers\":[\"example.com/hold\"]}}'")
        .good();
    cluster.run("delete ing web --wait=false").good();
    has(
        &cluster.run("wait --for=delete ing/web --timeout=1s").bad(),
        &["timed out"],
    );
    cluster
        .run("patch ing web --type=merge -p '{\"metadata\":{\"finalizers\":null}}'")
        .good();
    cluster.run("wait --for=delete ing/web --timeout=10s").good();
    watch.kill().unwrap();
    watch.wait().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn events_show_in_describe_and_events() {
    let cluster = Cluster::start("events").await;
    cluster.feed("apply -f -", WEB).good();
    let uid = cluster.run("get ing web -o jsonpath='{.metadata.uid}'").good();
    let event = format!(
        r#"{{"apiVersion":"events.k8s.io/v1","kind":"Event","metadata":{{"name":"web.1","namespace":"default"}},
        "eventTime":"2026-01-01T00:00:00.000000Z","type":"Warning","reason":"BadHost","action":"Sync",
        "note":"spec.rules[0].host is taken","reportingController":"alb","reportingInstance":"alb-0",
        "regarding":{{"apiVersion":"networking.k8s.io/v1","kind":"Ingress","namespace":"default","name":"web","uid":"{uid}"}}}}"#
    );
    cluster.feed("create -f -", &event).good();
    has(
        &cluster.run("describe ing web").good(),
        &["Warning BadHost", "spec.rules[0].host is taken"],
    );
    has(
        &cluster.run("events --for=ingress/web").good(),
        &["Warning BadHost Ingress/web spec.rules[0].host is taken"],
    );
    has(
        &cluster.run("get events").good(),
        &["Warning BadHost ingress/web spec.rules[0].host is taken"],
    );
    assert!(
        cluster
            .sandbox
            .requests()
            .iter()
            .any(|one| one.user_agent.starts_with("kubectl"))
    );
}

#[test]
fn the_program_writes_a_kubeconfig_and_serves() {
    let kubeconfig = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("program.kubeconfig");
    let program = || Command::new(env!("CARGO_BIN_EXE_kube-sandbox"));
    let mut server = program()
        .args(["--listen", "127.0.0.1:0", "--kubeconfig"])
        .arg(&kubeconfig)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
    has(
        &lines.next().unwrap().unwrap(),
        &["Kubernetes API https://127.0.0.1:"],
    );
    let output = Command::new(support::kubectl())
        .arg("--kubeconfig")
        .arg(&kubeconfig)
        .args(["get", "ns"])
        .output()
        .unwrap();
    server.kill().unwrap();
    server.wait().unwrap();
    has(
        &String::from_utf8(output.stdout).unwrap(),
        &["default Active", "kube-system Active"],
    );

    let refused = program().args(["--listen", "0.0.0.0:0"]).output().unwrap();
    assert!(!refused.status.success());
    has(
        &String::from_utf8(refused.stderr).unwrap(),
        &["refusing to listen on 0.0.0.0:0: not a loopback address"],
    );
}
