//! Random Ingresses and requests against a naive router written from the Kubernetes Ingress contract and the annotations'
//! documentation alone.
//!
//! `ORACLE_PAIRS=N` sets how many pairs of an Ingress set and a request are tried (100,000 unless said otherwise); a
//! disagreement prints its seed, `ORACLE_SEED=S` runs that set alone.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod common;
mod contract;

use std::collections::BTreeMap;

use alb_model::{ListenerProtocol, Request, Scheme, route};
use common::World;
use contract::{Asked, By, Kind, Line, Made, expected, name};
use ingress_translate::Compaction;

const HOSTS: [&str; 9] = [
    "",
    "a.x.com",
    "b.x.com",
    "p.a.x.com",
    "*.x.com",
    "*.a.x.com",
    "*.p.a.x.com",
    "*.com",
    "A.x.com",
];
const ASKED_HOSTS: [&str; 10] = [
    "x.com",
    "a.x.com",
    "A.X.com",
    "c.x.com",
    "p.a.x.com",
    "q.a.x.com",
    "r.p.a.x.com",
    "s.r.p.a.x.com",
    "other.org",
    "b.x.com",
];
const PATHS: [&str; 6] = ["/", "/a", "/a/", "/a/b", "/ab", "/a/b/c"];
const ASKED_PATHS: [&str; 10] = [
    "/", "/a", "/a/", "/a/b", "/a/b/", "/ab", "/abc", "/a/b/c/d", "/z", "/a/bc",
];
const REQUESTS_PER_SET: usize = 50;

/// `SplitMix64`: the same numbers on every machine.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((z ^ (z >> 31)) % bound as u64).unwrap()
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn line(&mut self) -> Line {
        let kind = self.pick(&[Kind::Exact, Kind::Prefix, Kind::Prefix, Kind::Pattern]);
        let path = match kind {
            Kind::Pattern => self.pick(&["/a", "/a/*", "/a*", "/*", "/a/?", "/ab"]),
            Kind::Exact | Kind::Prefix => self.pick(&PATHS),
        };
        Line {
            host: self.pick(&HOSTS),
            kind,
            path,
        }
    }

    fn by(&mut self) -> Option<By> {
        let name = |this: &mut Self| this.pick(&["x", "y"]);
        Some(match self.below(12) {
            0 => By::Header(name(self)),
            1 => By::HeaderValue(name(self), self.pick(&["always", "v"])),
            2 => By::Cookie(name(self)),
            3 => By::HeaderAndCookie(name(self), name(self)),
            4 | 5 => By::Weight(self.pick(&[0, 10, 40, 60, 100])),
            _ => return None,
        })
    }

    fn set(&mut self) -> Vec<Made> {
        let few = self.one_in(2);
        (0..=self.below(6))
            .map(|_| {
                // Few hosts and paths make conflicts and canaries likely.
                let narrow = Line {
                    host: "a.x.com",
                    kind: Kind::Prefix,
                    path: self.pick(&["/", "/a"]),
                };
                let by = self.by();
                Made {
                    minute: self.below(3),
                    order: if self.one_in(5) {
                        self.pick(&[8, 9, 11, 12])
                    } else {
                        10
                    },
                    default_backend: by.is_none() && self.one_in(5),
                    by,
                    lines: (0..=self.below(5))
                        .map(|_| if few { narrow } else { self.line() })
                        .collect(),
                }
            })
            .collect()
    }

    fn request(&mut self) -> Asked {
        let header = self.pick(&[
            None,
            None,
            Some(("x", "always")),
            Some(("x", "never")),
            Some(("x", "v")),
            Some(("y", "always")),
            Some(("y", "never")),
            Some(("y", "other")),
        ]);
        let cookie = self.pick(&[
            None,
            None,
            None,
            Some(("x", "always")),
            Some(("x", "never")),
            Some(("y", "always")),
            Some(("y", "never")),
        ]);
        Asked {
            host: if self.one_in(2) {
                "a.x.com"
            } else {
                self.pick(&ASKED_HOSTS)
            },
            path: self.pick(&ASKED_PATHS),
            header,
            cookie,
        }
    }
}

fn world(all: &[Made]) -> World {
    let mut world = World::new();
    world.listeners(&["80/HTTP"]);
    for (index, made) in all.iter().enumerate() {
        let name = name(index);
        let lines: Vec<String> = made
            .lines
            .iter()
            .map(|line| {
                let host = if line.host.is_empty() { "-" } else { line.host };
                let kind = match line.kind {
                    Kind::Exact => "exact",
                    Kind::Prefix => "prefix",
                    Kind::Pattern => "impl",
                };
                format!("{host} {kind} {} {name}", line.path)
            })
            .collect();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let (order, weight) = (made.order.to_string(), made.weight().to_string());
        let mut annotations = vec![("order", order.as_str())];
        if made.by.is_some() {
            annotations.push(("canary", "true"));
        }
        match made.by {
            None => {}
            Some(By::Header(header)) => annotations.push(("canary-by-header", header)),
            Some(By::HeaderValue(header, value)) => {
                annotations.extend([("canary-by-header", header), ("canary-by-header-value", value)]);
            }
            Some(By::Cookie(cookie)) => annotations.push(("canary-by-cookie", cookie)),
            Some(By::HeaderAndCookie(header, cookie)) => {
                annotations.extend([("canary-by-header", header), ("canary-by-cookie", cookie)]);
            }
            Some(By::Weight(_)) => annotations.push(("canary-weight", &weight)),
        }
        world.ingress_made(&name, u32::try_from(made.minute).unwrap(), &annotations, &lines);
        if made.default_backend {
            let backend = serde_json::json!({"service": {"name": name, "port": {"number": 80}}});
            let spec = world.ingresses.last_mut().unwrap().spec.as_mut().unwrap();
            spec.default_backend = Some(serde_json::from_value(backend).unwrap());
        }
    }
    world
}

#[test]
fn random_requests_are_answered_as_the_contract_says() {
    let number = |name: &str| {
        std::env::var(name)
            .ok()
            .map(|text| text.parse::<u64>().expect("a number"))
    };
    let pairs = number("ORACLE_PAIRS").unwrap_or(100_000);
    let seeds = match number("ORACLE_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..pairs.div_ceil(REQUESTS_PER_SET as u64),
    };
    let mut covered: BTreeMap<String, usize> = BTreeMap::new();
    for seed in seeds.clone() {
        let mut random = Random(seed);
        let all = random.set();
        let mut world = world(&all);
        let plain = world.translate();
        world.settings.compaction = Compaction::Always;
        let compact = world.translate();
        let key = (80, ListenerProtocol::Http);
        assert!(compact.rules(key).len() <= plain.rules(key).len());
        for number in 0..REQUESTS_PER_SET {
            let asked = random.request();
            let want = expected(&all, &asked);
            let url = format!("http://{}{}", asked.host, asked.path);
            let headers = asked.headers();
            let headers: Vec<(&str, &str)> = headers.iter().map(|(k, v)| (*k, v.as_str())).collect();
            let context = || format!("ORACLE_SEED={seed}, request {number}: {asked:?}\n{all:#?}");
            assert_eq!(plain.get_with(&url, &headers), want.answer, "{}", context());
            assert_eq!(
                compact.get_with(&url, &headers),
                want.answer,
                "compacted, {}",
                context()
            );
            if number == 0 {
                // The router is compiled once for a set; `route` compiles anew and must not differ.
                let request = Request {
                    method: "GET",
                    scheme: Scheme::Http,
                    host: asked.host,
                    port: 80,
                    path: asked.path,
                    query: "",
                    headers: &headers,
                    source_ip: [192, 0, 2, 1].into(),
                };
                let routed = route(&plain.assembled.gateway, key, &request);
                assert_eq!(routed, Some(plain.decide("GET", &url, &headers)), "{}", context());
            }
            for what in want.by {
                *covered.entry(what.to_owned()).or_default() += 1;
            }
        }
    }
    let sets = seeds.end - seeds.start;
    println!(
        "{sets} sets of Ingresses, {} pairs with a request, each with and without compaction: {covered:#?}",
        sets * REQUESTS_PER_SET as u64
    );
    if sets >= 2000 {
        for what in [
            "404",
            "canary by cookie",
            "canary by header",
            "canary by weight",
            "contested path",
            "default backend",
            "exact host",
            "exact path",
            "no host",
            "order",
            "pattern",
            "prefix path",
            "refused by cookie",
            "refused by header",
            "wildcard host",
        ] {
            let count = covered.get(what).copied().unwrap_or_default();
            assert!(count >= 500, "{what:?} was hardly met: {covered:#?}");
        }
    }
}

#[test]
fn the_order_of_input_does_not_matter() {
    for seed in 0..100 {
        let mut random = Random(seed);
        let mut world = world(&random.set());
        let one = serde_json::to_string(&world.translate().assembled.gateway).unwrap();
        for at in 0..world.ingresses.len() {
            let other = random.below(world.ingresses.len());
            world.ingresses.swap(at, other);
        }
        let other = serde_json::to_string(&world.translate().assembled.gateway).unwrap();
        assert_eq!(one, other, "seed {seed}");
    }
}
