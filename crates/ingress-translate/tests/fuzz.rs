//! Fuzzing of what people write: annotation JSON and manifests, from text to a gateway.
//!
//! Each target runs for `FUZZ_SECONDS` (5 unless said otherwise) with a random seed, which a failure prints;
//! `FUZZ_SEED=S` starts from that one.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod common;

use std::time::{Duration, Instant, SystemTime};

use alb_model::Severity;
use common::World;
use ingress_translate::{ANNOTATIONS, Compaction, assemble, compile, generated_albconfig, target};
use k8s_openapi::api::core::v1::{Secret, Service};
use k8s_openapi::api::networking::v1::{Ingress, IngressClass};
use serde_json::Value;

/// `SplitMix64`.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((z ^ (z >> 31)) % bound.max(1) as u64).unwrap()
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

/// Runs a target until its time is over; the seed of a failing run is printed.
fn fuzz(what: &str, mut run: impl FnMut(&mut Random) -> bool) {
    let number = |name: &str| {
        std::env::var(name)
            .ok()
            .map(|text| text.parse::<u64>().expect("a number"))
    };
    let time = Duration::from_secs(number("FUZZ_SECONDS").unwrap_or(5));
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let fixed = number("FUZZ_SEED");
    let mut seed = fixed.unwrap_or(now.as_micros() as u64);
    let (start, mut runs, mut accepted) = (Instant::now(), 0_u64, 0_u64);
    while runs == 0 || start.elapsed() < time {
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| run(&mut Random(seed))));
        match outcome {
            Ok(was_accepted) => accepted += u64::from(was_accepted),
            Err(panic) => {
                eprintln!("FUZZ_SEED={seed} fails in {what}");
                std::panic::resume_unwind(panic);
            }
        }
        runs += 1;
        seed = seed.wrapping_add(1);
    }
    println!(
        "{what}: {runs} inputs in {:?}, {accepted} of them read",
        start.elapsed()
    );
    // Input that is never understood tests the parser's first line alone.
    assert!(
        fixed.is_some() || accepted * 20 > runs,
        "{what}: {accepted} of {runs} were read"
    );
}

/// Services and listeners to start from.
fn base() -> World {
    let mut world = World::new();
    world.certified();
    world
}

/// Changes a text here and there: drops, doubles or swaps parts, puts in words of the language.
fn mutated(random: &mut Random, text: &str, words: &[&str]) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    for _ in 0..random.below(6) {
        let from = random.below(chars.len() + 1);
        let to = (from + random.below(12)).min(chars.len());
        match random.below(6) {
            0 => drop(chars.drain(from..to)),
            1 => {
                let part: Vec<char> = chars[from..to].to_vec();
                chars.splice(from..from, part);
            }
            2 => {
                let word = *random.pick(words);
                chars.splice(from..to, word.chars());
            }
            3 => {
                let c = char::from_u32(random.below(0x300) as u32).unwrap_or('\u{fffd}');
                chars.insert(from, c);
            }
            4 => {
                let digits = (random.below(usize::MAX) >> random.below(64)).to_string();
                chars.splice(from..to, digits.chars());
            }
            _ => chars[from..to].reverse(),
        }
    }
    chars.into_iter().collect()
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
    let base = base();
    fuzz("annotation JSON", |random| {
        let (key, text) = *random.pick(JSON);
        let value = mutated(random, text, JSON_WORDS);
        let line = *random.pick(&[
            "h.com prefix /p a",
            "h.com prefix /p a:use-annotation",
            "*.h.com impl ~*/(.*) a",
        ]);
        let mut world = base.clone();
        let mut annotations = vec![(key, value.as_str()), ("albconfig.name", "made")];
        if *random.pick(&[true, false]) {
            annotations.push(("rule-direction.a", "Response"));
        }
        world
            .ingress("fuzzed", &annotations, &[line])
            .ingress("good", &[], &["good.com prefix / b"]);
        check(&world);
        serde_json::from_str::<Value>(&value).is_ok()
    });
}

#[test]
fn any_annotation_may_hold_any_text() {
    let texts = [
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
    fuzz("annotation values", |random| {
        let mut world = base.clone();
        let mut annotations = Vec::new();
        for _ in 0..=random.below(8) {
            let spec = random.pick(ANNOTATIONS);
            let key = if spec.key.ends_with('.') {
                format!("{}a", spec.key)
            } else {
                spec.key.to_owned()
            };
            let text = *random.pick(&texts);
            annotations.push((
                key,
                if random.below(3) == 0 {
                    mutated(random, text, JSON_WORDS)
                } else {
                    text.to_owned()
                },
            ));
        }
        annotations.push(("canary".to_owned(), random.pick(&["true", "false"]).to_string()));
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
        true
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
    let base = base();
    fuzz("manifests", |random| {
        let text = mutated(random, MANIFEST, YAML_WORDS);
        let mut world = base.clone();
        let mut read = 0;
        for document in text.split("\n---") {
            let kind = document.lines().find_map(|line| line.strip_prefix("kind: "));
            match kind.map(str::trim) {
                Some("Service") => {
                    read += take(document, |object: Service| world.lookups.add_service(object));
                }
                Some("Secret") => read += take(document, |object: Secret| world.lookups.add_secret(&object)),
                Some("IngressClass") => {
                    read += take(document, |object: IngressClass| {
                        world.lookups.add_ingress_class(object);
                    });
                }
                Some("AlbConfig") => read += take(document, |object| world.albconfig = object),
                _ => read += take(document, |object: Ingress| world.ingresses.push(object)),
            }
        }
        if *random.pick(&[true, false]) {
            world.settings.compaction = Compaction::Always;
        }
        let (first, second) = (assembled(&world), assembled(&world));
        assert_eq!(first, second, "the same input, another gateway");
        assert_eq!(errors(&first.gateway), Vec::<String>::new(), "{text}");
        read >= 4
    });
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
