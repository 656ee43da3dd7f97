//! Fuzzing of what people write: annotation JSON and manifests, from text to a gateway.
//!
//! As tests, each target runs for `FUZZ_SECONDS` (5 unless said otherwise) with random inputs; a failure prints the input,
//! made as small as it gets, and `BOLERO_RANDOM_SEED`, which repeats it. Optimized, until it is stopped:
//! `cargo bolero test -p ingress-translate manifests_of_any_form_give_a_gateway --engine random --sanitizer NONE`.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod common;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use alb_model::Severity;
use bolero::generator::{TypeGenerator, ValueGenerator, produce};
use common::World;
use ingress_translate::{ANNOTATIONS, Compaction, assemble, compile, generated_albconfig, target};
use k8s_openapi::api::core::v1::{Secret, Service};
use k8s_openapi::api::networking::v1::{Ingress, IngressClass};
use serde_json::Value;

/// How long each target runs.
fn time() -> Duration {
    let seconds = std::env::var("FUZZ_SECONDS").map_or(5, |text| text.parse().expect("a number"));
    Duration::from_secs(seconds)
}

/// Counts inputs that are understood: input that never is tests the parser's first line alone.
#[derive(Default)]
struct Understood {
    inputs: AtomicU64,
    read: AtomicU64,
}

impl Understood {
    fn note(&self, read: bool) {
        self.inputs.fetch_add(1, Ordering::Relaxed);
        self.read.fetch_add(u64::from(read), Ordering::Relaxed);
    }

    /// At least a twentieth.
    fn check(self) {
        let (inputs, read) = (self.inputs.into_inner(), self.read.into_inner());
        assert!(read * 20 > inputs, "{read} of {inputs} were read");
    }
}

/// A place in a list, whose length is known only when it is looked up.
#[derive(Clone, Copy, Debug, TypeGenerator)]
struct Pick(u16);

impl Pick {
    fn of<T: Copy>(self, from: &[T]) -> T {
        from[usize::from(self.0) % from.len()]
    }
}

/// A change of a text, in a part of at most eleven characters.
#[derive(Clone, Debug, TypeGenerator)]
struct Edit {
    from: u16,
    #[generator(0..12_usize)]
    length: usize,
    change: Change,
}

#[derive(Clone, Debug, TypeGenerator)]
enum Change {
    Drop,
    Double,
    Reverse,
    /// A word of the language instead.
    Word(Pick),
    /// One more character.
    Insert(#[generator(0..0x300_u32)] u32),
    /// A number of any length instead: so many bits of it.
    Number(u64, #[generator(0..64_u32)] u32),
}

fn any_edits() -> impl ValueGenerator<Output = Vec<Edit>> {
    produce::<Vec<Edit>>().with().len(0..6_usize)
}

/// A text with changes here and there.
fn mutated(text: &str, edits: &[Edit], words: &[&str]) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    for Edit { from, length, change } in edits {
        let from = usize::from(*from) % (chars.len() + 1);
        let to = (from + length).min(chars.len());
        match change {
            Change::Drop => drop(chars.drain(from..to)),
            Change::Double => {
                let part: Vec<char> = chars[from..to].to_vec();
                chars.splice(from..from, part);
            }
            Change::Reverse => chars[from..to].reverse(),
            Change::Word(word) => drop(chars.splice(from..to, word.of(words).chars())),
            Change::Insert(code) => chars.insert(from, char::from_u32(*code).unwrap_or('\u{fffd}')),
            Change::Number(number, bits) => {
                drop(chars.splice(from..to, (number >> bits).to_string().chars()));
            }
        }
    }
    chars.into_iter().collect()
}

/// Services and listeners to start from.
fn base() -> World {
    let mut world = World::new();
    world.certified();
    world
}

const JSON: &[(&str, &str)] = &[
    (
        "conditions.a",
        r#"[{"type":"Host","hostConfig":{"values":["b.com","*.c.com"]}},{"type":"Path","pathConfig":{"values":["/q*","~*/r[0-9]"]}}]"#,
    ),
    (
        "conditions.a",
        r#"[{"type":"Header","headerConfig":{"key":"x-a","values":["1","2*"]}},{"type":"Method","methodConfig":{"values":["GET"]}}]"#,
    ),
    (
        "conditions.a",
        r#"[{"type":"QueryString","queryStringConfig":{"values":[{"key":"k","value":"v"}]}},{"type":"Cookie","cookieConfig":{"values":[{"key":"k","value":"v"}]}}]"#,
    ),
    (
        "conditions.a",
        r#"[{"type":"SourceIp","sourceIpConfig":{"values":["10.0.0.0/8","::1"]}}]"#,
    ),
    (
        "conditions.a",
        r#"[{"type":"ResponseHeader","responseHeaderConfig":{"key":"x","values":["1"]}},{"type":"ResponseStatusCode","responseStatusCodeConfig":{"values":["5*"]}}]"#,
    ),
    (
        "actions.a",
        r#"[{"type":"ForwardGroup","ForwardConfig":{"ServerGroups":[{"ServiceName":"x","ServicePort":80,"Weight":20},{"ServerGroupID":"sgp-1","Weight":80}],"ServerGroupStickySession":{"Enabled":true,"Timeout":60}}}]"#,
    ),
    (
        "actions.a",
        r#"[{"type":"TrafficLimit","TrafficLimitConfig":{"QPS":"100","QPSPerIp":"10"}},{"type":"Redirect","RedirectConfig":{"host":"o.com","port":"8443","httpCode":"307"}}]"#,
    ),
    (
        "actions.a",
        r#"[{"type":"FixedResponse","FixedResponseConfig":{"contentType":"text/html","httpCode":"503","content":"later"}}]"#,
    ),
    (
        "actions.a",
        r#"[{"type":"Rewrite","RewriteConfig":{"Host":"o.com","Path":"/n/${1}","Query":"a=1"}},{"type":"InsertHeader","InsertHeaderConfig":{"key":"x-a","value":"ClientSrcIp","valueType":"SystemDefined"}}]"#,
    ),
    (
        "actions.a",
        r#"[{"type":"RemoveHeader","RemoveHeaderConfig":{"key":"x-a"}},{"type":"TrafficMirror","TrafficMirrorConfig":{"MirrorGroupConfig":{"ServerGroupTuples":[{"ServerGroupID":"sgp-1"}]}}}]"#,
    ),
    (
        "actions.a",
        r#"[{"type":"Cors","CorsConfig":{"allowOrigin":["*"],"allowMethods":["GET"],"allowCredentials":"on","maxAge":5}}]"#,
    ),
    ("listen-ports", r#"[{"HTTP":80},{"HTTPS":443},{"QUIC":"443"}]"#),
    ("access-log", r#"{"logProject":"p","logStore":"s"}"#),
];
const JSON_WORDS: &[&str] = &[
    "null",
    "true",
    "[]",
    "{}",
    "\"\"",
    "[[[[[[[[",
    "1e999",
    "-0",
    "\\u0000",
    "\"type\":\"Path\"",
    "~*(",
    "*",
    "?",
    "${9}",
    "\u{e4}",
    "0",
    "100",
    "65536",
    "4294967296",
    "\"Weight\":0",
    "::/0",
    "5*",
    "GET",
    "\"values\":[]",
];

#[test]
fn annotation_json_never_costs_more_than_its_own_ingress() {
    const LINES: &[&str] = &[
        "h.com prefix /p a",
        "h.com prefix /p a:use-annotation",
        "*.h.com impl ~*/(.*) a",
    ];
    let (base, understood) = (base(), Understood::default());
    bolero::check!()
        .with_test_time(time())
        .with_generator((
            produce::<Pick>(),
            any_edits(),
            produce::<Pick>(),
            produce::<bool>(),
        ))
        .for_each(|(json, edits, line, response)| {
            let (key, text) = json.of(JSON);
            let value = mutated(text, edits, JSON_WORDS);
            let mut world = base.clone();
            let mut annotations = vec![(key, value.as_str()), ("albconfig.name", "made")];
            if *response {
                annotations.push(("rule-direction.a", "Response"));
            }
            world.ingress("fuzzed", &annotations, &[line.of(LINES)]).ingress(
                "good",
                &[],
                &["good.com prefix / b"],
            );
            check(&world);
            understood.note(serde_json::from_str::<Value>(&value).is_ok());
        });
    understood.check();
}

/// A key of the table with a value that fits some key, or nearly so.
#[derive(Clone, Debug, TypeGenerator)]
struct Annotation {
    key: Pick,
    text: Pick,
    #[generator(0..3_u8)]
    changed: u8,
    #[generator(any_edits())]
    edits: Vec<Edit>,
}

impl Annotation {
    fn key(&self) -> String {
        let key = self.key.of(ANNOTATIONS).key;
        if key.ends_with('.') {
            format!("{key}a")
        } else {
            key.to_owned()
        }
    }

    /// One of three is changed.
    fn value(&self, texts: &[&str]) -> String {
        let edits = if self.changed == 0 { &*self.edits } else { &[] };
        mutated(self.text.of(texts), edits, JSON_WORDS)
    }
}

#[test]
fn any_annotation_may_hold_any_text() {
    const TEXTS: &[&str] = &[
        "true",
        "10",
        "http_2xx,http_3xx",
        "/a${1}",
        "grpc",
        "uch",
        "https://*.a.com",
        "x-header",
        "vsw-1,vsw-2",
        "Server",
    ];
    let base = base();
    let annotations = produce::<Vec<Annotation>>().with().len(1..9_usize);
    bolero::check!()
        .with_test_time(time())
        .with_generator((annotations, produce::<bool>()))
        .for_each(|(annotations, canary)| {
            let mut world = base.clone();
            let mut annotations: Vec<_> = annotations.iter().map(|a| (a.key(), a.value(TEXTS))).collect();
            annotations.push(("canary".to_owned(), canary.to_string()));
            let annotations: Vec<(&str, &str)> = annotations
                .iter()
                .map(|(k, v)| (k.as_str(), v.as_str()))
                .collect();
            world
                .ingress("good", &[], &["good.com prefix / b", "h.com prefix /p c"])
                .ingress(
                    "fuzzed",
                    &annotations,
                    &["h.com prefix /p a", "h.com exact /q(.*) a"],
                );
            check(&world);
        });
}

const MANIFEST: &str = "kind: Ingress
metadata:
  namespace: default
  name: fuzzed
  creationTimestamp: 2026-01-01T00:00:00Z
  annotations:
    alb.ingress.kubernetes.io/listen-ports: '[{\"HTTP\": 80}, {\"HTTPS\": 443}]'
    alb.ingress.kubernetes.io/order: \"5\"
    alb.ingress.kubernetes.io/use-regex: \"true\"
    alb.ingress.kubernetes.io/rewrite-target: /${1}
spec:
  ingressClassName: alb
  defaultBackend: { service: { name: b, port: { number: 80 } } }
  tls:
  - hosts: [h.com, '*.h.com']
    secretName: cert
  rules:
  - host: '*.h.com'
    http:
      paths:
      - { path: '/v1/(.*)', pathType: Prefix, backend: { service: { name: a, port: { name: http } } } }
      - { path: /x, pathType: Exact, backend: { service: { name: missing, port: { number: 81 } } } }
  - http: { paths: [{ pathType: ImplementationSpecific, backend: { resource: { kind: Bucket, name: x } } }] }
---
kind: Service
metadata: { namespace: default, name: a, annotations: { alb.ingress.kubernetes.io/server-group-id: sgp-1 } }
spec: { type: ClusterIP, ports: [{ name: http, port: 80, protocol: TCP }, { name: alt, port: 8080 }] }
---
kind: Secret
metadata: { namespace: default, name: cert }
type: kubernetes.io/tls
data: { tls.crt: LS0tLS1CRUdJTg==, tls.key: AAAA }
---
kind: IngressClass
metadata: { name: alb }
spec: { controller: ingress.k8s.alibabacloud/alb, parameters: { apiGroup: alibabacloud.com, kind: AlbConfig, name: public } }
---
kind: AlbConfig
metadata: { name: public }
spec:
  config: { addressType: Internet, zoneMappings: [{ vSwitchId: vsw-1 }, { vSwitchId: vsw-2 }] }
  listeners:
  - { port: 80, protocol: HTTP, aclConfig: { aclEntries: [10.0.0.0/8], aclType: White } }
  - { port: 443, protocol: HTTPS, certificates: [{ CertificateId: 1-cn }], idleTimeout: 60 }
";
const YAML_WORDS: &[&str] = &[
    "null",
    "~",
    "\"true\"",
    "-1",
    "65536",
    "[]",
    "{}",
    "*a",
    "&a ",
    "<<: ",
    "!!binary ",
    "|\n",
    ">-\n",
    "\t",
    "'",
    "\"",
    "*.",
    "..",
    "a.b.c.d",
    "Exact",
    "Prefix",
    "spec:\n",
    "  - ",
    "use-annotation",
    "ExternalName",
    "QUIC",
    "0x10",
    "1e3",
    "\u{e4}",
    "---\n",
    "# ",
];

#[test]
fn manifests_of_any_form_give_a_gateway() {
    let (base, understood) = (base(), Understood::default());
    bolero::check!()
        .with_test_time(time())
        .with_generator((any_edits(), produce::<bool>()))
        .for_each(|(edits, compact)| {
            let text = mutated(MANIFEST, edits, YAML_WORDS);
            let mut world = base.clone();
            let read: usize = text
                .split("\n---")
                .map(|document| add(&mut world, document))
                .sum();
            if *compact {
                world.settings.compaction = Compaction::Always;
            }
            let (first, second) = (assembled(&world), assembled(&world));
            assert_eq!(first, second, "the same input, another gateway");
            assert_eq!(errors(&first.gateway), Vec::<String>::new(), "{text}");
            understood.note(read >= 4);
        });
    understood.check();
}

/// Adds the object of a document; how many were read.
fn add(world: &mut World, document: &str) -> usize {
    let kind = document.lines().find_map(|line| line.strip_prefix("kind: "));
    match kind.map(str::trim) {
        Some("Service") => take(document, |object: Service| world.lookups.add_service(object)),
        Some("Secret") => take(document, |object: Secret| world.lookups.add_secret(&object)),
        Some("IngressClass") => take(document, |object: IngressClass| {
            world.lookups.add_ingress_class(object);
        }),
        Some("AlbConfig") => take(document, |object| world.albconfig = object),
        _ => take(document, |object: Ingress| world.ingresses.push(object)),
    }
}

fn take<T: serde::de::DeserializeOwned>(document: &str, keep: impl FnOnce(T)) -> usize {
    match serde_saphyr::from_str(document) {
        Ok(object) => {
            keep(object);
            1
        }
        Err(problem) => {
            assert!(!problem.to_string().is_empty());
            0
        }
    }
}

fn assembled(world: &World) -> ingress_translate::Assembled {
    let compiled: Vec<_> = world
        .ingresses
        .iter()
        .map(|ingress| compile(ingress, &world.lookups, &world.settings))
        .collect();
    for ingress in &world.ingresses {
        let _ = target(ingress, &world.lookups, &world.settings);
        let _ = generated_albconfig(ingress, &world.lookups, &world.settings);
    }
    for diagnostic in compiled.iter().flat_map(|compiled| &compiled.diagnostics) {
        assert!(!diagnostic.message.is_empty() && !diagnostic.code.is_empty());
    }
    assemble(&world.albconfig, &compiled, &world.settings)
}

/// What the API would refuse about rules and server groups; an AlbConfig can be wrong in itself, which is reported.
fn errors(gateway: &alb_model::Gateway) -> Vec<String> {
    alb_model::validate(gateway)
        .into_iter()
        .filter(|d| d.severity == Severity::Error && d.object.kind == "Ingress")
        .map(|d| d.to_string())
        .collect()
}

/// The neighbour is served, and nothing is asked that the API would refuse.
fn check(world: &World) {
    let translated = world.translate();
    assert_eq!(translated.get("http://good.com/x"), "b");
    let found = errors(&translated.assembled.gateway);
    assert_eq!(found, Vec::<String>::new(), "{:#?}", world.ingresses);
    let _ = assembled(world);
}
