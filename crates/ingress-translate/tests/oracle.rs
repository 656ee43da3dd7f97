//! Random Ingresses and requests against a naive router written from the Kubernetes Ingress contract alone.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod common;

use common::World;
use ingress_translate::Compaction;
use proptest::prelude::*;
use proptest::test_runner::Config;

const HOSTS: [&str; 8] = [
    "-",
    "a.x.com",
    "b.x.com",
    "p.a.x.com",
    "*.x.com",
    "*.a.x.com",
    "*.p.a.x.com",
    "*.com",
];
const ASKED: [&str; 9] = [
    "x.com",
    "a.x.com",
    "c.x.com",
    "p.a.x.com",
    "q.a.x.com",
    "r.p.a.x.com",
    "s.r.p.a.x.com",
    "other.org",
    "b.x.com",
];
const TYPES: [&str; 2] = ["exact", "prefix"];
const PATHS: [&str; 6] = ["/", "/a", "/a/", "/a/b", "/ab", "/a/b/c"];

/// One line of an Ingress.
#[derive(Clone, Debug)]
struct Line {
    host: &'static str,
    exact: bool,
    path: &'static str,
}

#[derive(Clone, Debug)]
struct Made {
    minute: u32,
    order: u16,
    lines: Vec<Line>,
}

fn ingresses() -> impl Strategy<Value = Vec<Made>> {
    let line = (0..HOSTS.len(), any::<bool>(), 0..PATHS.len()).prop_map(|(host, exact, path)| Line {
        host: HOSTS[host],
        exact,
        path: PATHS[path],
    });
    let made = (
        0..4_u32,
        prop_oneof![4 => Just(10_u16), 1 => 8..13_u16],
        prop::collection::vec(line, 1..6),
    )
        .prop_map(|(minute, order, lines)| Made { minute, order, lines });
    prop::collection::vec(made, 1..5)
}

fn host_matches(pattern: &str, host: &str) -> bool {
    match pattern.strip_prefix("*.") {
        _ if pattern == "-" => true,
        Some(suffix) => host.split_once('.').is_some_and(|(_, rest)| rest == suffix),
        None => pattern == host,
    }
}

fn path_matches(line: &Line, path: &str) -> bool {
    let elements = |text: &str| {
        text.split('/')
            .filter(|e| !e.is_empty())
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    if line.exact {
        line.path == path
    } else {
        elements(path).starts_with(&elements(line.path))
    }
}

/// Whether two lines contend for the same requests: same host, path type and path.
fn same(a: &Line, b: &Line) -> bool {
    let plain = |line: &Line| {
        if line.exact {
            line.path.to_owned()
        } else {
            line.path.trim_end_matches('/').to_owned()
        }
    };
    a.host == b.host && a.exact == b.exact && plain(a) == plain(b)
}

/// The ingress that serves a request, by the contract.
fn expected(all: &[Made], host: &str, path: &str) -> Option<usize> {
    let mut lines: Vec<(usize, usize, &Line)> = all
        .iter()
        .enumerate()
        .flat_map(|(i, made)| made.lines.iter().enumerate().map(move |(j, line)| (i, j, line)))
        .collect();
    // Age decides who owns; the names are in the order of the index.
    lines.sort_by_key(|(i, j, _)| (all[*i].minute, *i, *j));
    let mut owners: Vec<(usize, usize, &Line)> = Vec::new();
    for line in lines {
        if !owners.iter().any(|(_, _, owner)| same(owner, line.2)) {
            owners.push(line);
        }
    }
    let specific = |line: &Line| {
        let host_rank = match line.host {
            "-" => 2,
            host if host.starts_with('*') => 1,
            _ => 0,
        };
        let labels = line.host.split('.').count();
        let length = line.path.trim_end_matches('/').len();
        (host_rank, usize::MAX - labels, !line.exact, usize::MAX - length)
    };
    owners
        .into_iter()
        .filter(|(_, _, line)| host_matches(line.host, host) && path_matches(line, path))
        .min_by_key(|(i, _, line)| (all[*i].order, specific(line)))
        .map(|(i, _, _)| i)
}

fn world(all: &[Made]) -> World {
    let mut world = World::new();
    world.listeners(&["80/HTTP"]);
    for (index, made) in all.iter().enumerate() {
        let name = char::from(b'a' + u8::try_from(index).unwrap()).to_string();
        let lines: Vec<String> = made
            .lines
            .iter()
            .map(|l| format!("{} {} {} {name}", l.host, TYPES[usize::from(!l.exact)], l.path))
            .collect();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let order = made.order.to_string();
        world.ingress_made(&name, made.minute, &[("order", &order)], &lines);
    }
    world
}

proptest! {
    #![proptest_config(Config { cases: 1400, failure_persistence: None, ..Config::default() })]

    #[test]
    fn random_requests_are_answered_as_the_contract_says(all in ingresses()) {
        let translated = world(&all).translate();
        for host in ASKED {
            for path in ["/", "/a", "/a/", "/a/b", "/a/b/", "/ab", "/a/b/c/d", "/z"] {
                let want = expected(&all, host, path)
                    .map_or("404".to_owned(), |i| char::from(b'a' + u8::try_from(i).unwrap()).to_string());
                let got = translated.get(&format!("http://{host}{path}"));
                prop_assert_eq!(got, want, "{}{}", host, path);
            }
        }
    }

}

proptest! {
    #![proptest_config(Config { cases: 200, failure_persistence: None, ..Config::default() })]

    #[test]
    fn compaction_changes_no_answer(all in ingresses()) {
        let mut world = world(&all);
        let plain = world.translate();
        world.settings.compaction = Compaction::Always;
        let compact = world.translate();
        let key = (80, alb_model::ListenerProtocol::Http);
        prop_assert!(compact.rules(key).len() <= plain.rules(key).len());
        for host in ASKED {
            for path in ["/", "/a", "/a/", "/a/b", "/ab", "/a/b/c/d", "/z"] {
                let url = format!("http://{host}{path}");
                prop_assert_eq!(compact.get(&url), plain.get(&url), "{}", url);
            }
        }
    }
}

proptest! {
    #![proptest_config(Config { cases: 100, failure_persistence: None, ..Config::default() })]

    #[test]
    fn the_order_of_input_does_not_matter(all in ingresses(), seed in any::<u64>()) {
        let mut world = world(&all);
        let one = serde_json::to_string(&world.translate().assembled.gateway).unwrap();
        let count = world.ingresses.len() as u64;
        for at in 0..world.ingresses.len() {
            world.ingresses.swap(at, usize::try_from((seed >> at) % count).unwrap());
        }
        prop_assert_eq!(one, serde_json::to_string(&world.translate().assembled.gateway).unwrap());
    }
}
