//! A second evaluator, written from ALB's documentation alone and as plainly as possible, agrees with
//! `alb_model::route` on random gateways and requests.
//!
//! `ROUTE_SEEDS=N` sets how many gateways are tried; a disagreement prints its seed, `ROUTE_SEED=S` runs that one alone.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod expression;
mod generate;
mod naive;

use std::collections::BTreeMap;

use alb_model::{HeaderEdit, Outcome, Router, Scheme, explain, route};

use crate::generate::Random;

const REQUESTS_PER_GATEWAY: usize = 40;

/// How often each kind of answer was seen, so that the test cannot pass by comparing nothing.
type Coverage = BTreeMap<&'static str, usize>;

#[test]
fn both_evaluators_agree() {
    let number = |name: &str| {
        std::env::var(name)
            .ok()
            .map(|text| text.parse::<u64>().expect("a number"))
    };
    let seeds = match number("ROUTE_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("ROUTE_SEEDS").unwrap_or(500),
    };
    let mut coverage = Coverage::new();
    for seed in seeds.clone() {
        run(seed, &mut coverage);
    }
    println!(
        "{} gateways, {REQUESTS_PER_GATEWAY} requests each: {coverage:#?}",
        seeds.end - seeds.start
    );
    if seeds.end - seeds.start >= 500 {
        for what in [
            "default action",
            "edited response",
            "fixed",
            "forward",
            "groups of an expression",
            "header edits",
            "later than the first rule",
            "limit",
            "mirror",
            "redirect",
            "rewrite",
            "untouched response",
        ] {
            assert!(
                coverage.get(what).is_some_and(|n| *n >= 100),
                "{what:?} was hardly met: {coverage:#?}"
            );
        }
    }
}

fn run(seed: u64, coverage: &mut Coverage) {
    let mut random = Random::new(seed);
    let gateway = random.gateway();
    let router = Router::new(&gateway);
    for number in 0..REQUESTS_PER_GATEWAY {
        let listener = random.pick(&gateway.listeners);
        let owned = random.request(listener);
        let headers = owned.headers();
        let request = owned.request(listener, &headers);
        let context = || format!("ROUTE_SEED={seed}, request {number}: {request:#?}\n{listener:#?}");

        let decision = router
            .listener(listener.key())
            .expect("it was compiled")
            .decide(&request);
        let expected = naive::decide(listener, &request);
        assert_eq!(decision, expected, "{}", context());
        // These compile the listener anew each time.
        if number < 4 {
            let explanation = explain(listener, &request);
            assert_eq!(explanation.decision, expected, "{}", context());
            let taken = explanation.trials.iter().position(|trial| trial.unmet.is_empty());
            assert_eq!(
                taken.map(|at| explanation.trials[at].rule),
                expected.rule,
                "{}",
                context()
            );
            // Nothing is tried after the rule that takes the request.
            assert!(
                taken.is_none_or(|at| at + 1 == explanation.trials.len()),
                "{}",
                context()
            );
        }
        if number == 0 {
            assert_eq!(
                route(&gateway, listener.key(), &request),
                Some(expected),
                "{}",
                context()
            );
        }

        let (status, response_headers) = random.response();
        let response_headers: Vec<(&str, &str)> = response_headers
            .iter()
            .map(|(k, v)| (k.as_str(), v.as_str()))
            .collect();
        let response = router
            .listener(listener.key())
            .expect("it was compiled")
            .decide_response(&request, status, &response_headers);
        let expected = naive::decide_response(listener, &request, status, &response_headers);
        assert_eq!(
            response,
            expected,
            "status {status}, headers {response_headers:?}, {}",
            context()
        );

        let mut count = |what, is: bool| *coverage.entry(what).or_default() += usize::from(is);
        count("default action", decision.rule.is_none());
        count(
            "later than the first rule",
            decision.rule.is_some_and(|rule| rule > 0),
        );
        count("limit", decision.limit.is_some());
        count("mirror", !decision.mirror.is_empty());
        count("edited response", response.rule.is_some());
        count("untouched response", response.rule.is_none());
        count("https", request.scheme == Scheme::Https);
        match &decision.outcome {
            Outcome::Redirect { .. } => count("redirect", true),
            Outcome::Fixed { .. } => count("fixed", true),
            Outcome::Forward { edits, .. } => {
                count("forward", decision.rule.is_some());
                count(
                    "rewrite",
                    edits.host.is_some() || edits.path.is_some() || edits.query.is_some(),
                );
                count(
                    "header edits",
                    edits.headers.iter().any(|e| matches!(e, HeaderEdit::Set { .. })),
                );
                let grouped = edits
                    .path
                    .as_ref()
                    .is_some_and(|path| path.starts_with("/g/") && !path.contains("${1}"));
                count("groups of an expression", grouped);
            }
        }
    }
}
