//! Random canaries against a naive router: header before cookie before weight, oldest canary first.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod common;

use common::World;
use proptest::prelude::*;
use proptest::test_runner::Config;

/// How a canary is selected; `None` is an ordinary Ingress.
#[derive(Clone, Debug)]
enum By {
    Header(&'static str),
    HeaderValue(&'static str, &'static str),
    Cookie(&'static str),
    HeaderAndCookie(&'static str, &'static str),
    Weight(u16),
}

#[derive(Clone, Debug)]
struct Made {
    minute: u32,
    by: Option<By>,
    paths: Vec<&'static str>,
}

fn ingresses() -> impl Strategy<Value = Vec<Made>> {
    let names = || prop::sample::select(vec!["x", "y"]);
    let by = prop_oneof![
        names().prop_map(By::Header),
        (names(), prop::sample::select(vec!["always", "v"])).prop_map(|(n, v)| By::HeaderValue(n, v)),
        names().prop_map(By::Cookie),
        (names(), names()).prop_map(|(h, c)| By::HeaderAndCookie(h, c)),
        prop::sample::select(vec![0, 10, 40, 60, 100]).prop_map(By::Weight),
    ];
    let made = (
        0..3_u32,
        prop::option::weighted(0.7, by),
        prop::collection::vec(prop::sample::select(vec!["/", "/a"]), 1..3),
    )
        .prop_map(|(minute, by, paths)| Made { minute, by, paths });
    prop::collection::vec(made, 1..7)
}

fn name(index: usize) -> String {
    char::from(b'a' + u8::try_from(index).unwrap()).to_string()
}

/// Who answers, as `common` writes it.
fn expected(all: &[Made], path: &str, headers: &[(&str, &str)]) -> String {
    let mut by_age: Vec<usize> = (0..all.len()).collect();
    by_age.sort_by_key(|i| (all[*i].minute, *i));
    let wanted = if path == "/" { vec!["/"] } else { vec!["/a", "/"] };
    let owner = wanted.into_iter().find_map(|path| {
        by_age
            .iter()
            .find(|i| all[**i].by.is_none() && all[**i].paths.contains(&path))
            .map(|i| (*i, path))
    });
    let Some((base, path)) = owner else {
        return "404".into();
    };
    let canaries: Vec<(usize, &By)> = by_age
        .iter()
        .filter(|i| all[**i].paths.contains(&path))
        .filter_map(|i| Some((*i, all[*i].by.as_ref()?)))
        .collect();
    let value = |name: &str| headers.iter().find(|(n, _)| *n == name).map(|(_, v)| *v);
    let cookie = |name: &str| value("cookie").and_then(|c| c.strip_prefix(&format!("{name}=")));
    for (index, by) in &canaries {
        match by {
            By::Header(header) | By::HeaderAndCookie(header, _) => match value(header) {
                Some("always") => return name(*index),
                Some("never") => return name(base),
                _ => {}
            },
            By::HeaderValue(header, wanted) if value(header) == Some(wanted) => return name(*index),
            _ => {}
        }
    }
    for (index, by) in &canaries {
        if let By::Cookie(wanted) | By::HeaderAndCookie(_, wanted) = by {
            match cookie(wanted) {
                Some("always") => return name(*index),
                Some("never") => break,
                _ => {}
            }
        }
    }
    let refused = canaries.iter().any(|(_, by)| {
        matches!(by, By::Cookie(wanted) | By::HeaderAndCookie(_, wanted) if cookie(wanted) == Some("never"))
    });
    let mut sum = 0;
    let mut shares = Vec::new();
    for (index, by) in &canaries {
        match by {
            By::Weight(weight)
                if !refused
                    && *weight > 0
                    && sum + weight <= 100
                    && (shares.len() < 4 || sum + weight == 100) =>
            {
                sum += weight;
                shares.push((name(*index), *weight));
            }
            _ => {}
        }
    }
    if sum < 100 {
        shares.insert(0, (name(base), 100 - sum));
    }
    match shares.as_slice() {
        [(only, _)] => only.clone(),
        all => all
            .iter()
            .map(|(name, share)| format!("{name}:{share}"))
            .collect::<Vec<_>>()
            .join(" "),
    }
}

proptest! {
    #![proptest_config(Config { cases: 400, failure_persistence: None, ..Config::default() })]

    #[test]
    fn canaries_are_selected_as_documented(all in ingresses()) {
        let mut world = World::new();
        world.listeners(&["80/HTTP"]);
        for (index, made) in all.iter().enumerate() {
            let lines: Vec<String> = made.paths.iter().map(|path| format!("h.com prefix {path} {}", name(index))).collect();
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            let weight;
            let mut annotations = vec![];
            if made.by.is_some() {
                annotations.push(("canary", "true"));
            }
            match &made.by {
                None => {}
                Some(By::Header(header)) => annotations.push(("canary-by-header", *header)),
                Some(By::HeaderValue(header, value)) => {
                    annotations.extend([("canary-by-header", *header), ("canary-by-header-value", *value)]);
                }
                Some(By::Cookie(cookie)) => annotations.push(("canary-by-cookie", *cookie)),
                Some(By::HeaderAndCookie(header, cookie)) => {
                    annotations.extend([("canary-by-header", *header), ("canary-by-cookie", *cookie)]);
                }
                Some(By::Weight(percent)) => {
                    weight = percent.to_string();
                    annotations.push(("canary-weight", &weight));
                }
            }
            world.ingress_made(&name(index), made.minute, &annotations, &lines);
        }
        let translated = world.translate();
        for path in ["/", "/a", "/a/b"] {
            for headers in [
                vec![],
                vec![("x", "always")],
                vec![("x", "never")],
                vec![("x", "v"), ("y", "always")],
                vec![("y", "never"), ("cookie", "x=always")],
                vec![("cookie", "x=always")],
                vec![("cookie", "y=never")],
                vec![("x", "other"), ("cookie", "y=always")],
            ] {
                let got = translated.get_with(&format!("http://h.com{path}"), &headers);
                prop_assert_eq!(got, expected(&all, path, &headers), "{} {:?}", path, headers);
            }
        }
    }
}
