//! Every row of the annotation table, end to end: what it does, in traffic or in the ALB's state; what holds without
//! it; and what a wrong value costs.
//!
//! One Kubernetes API, one controller and one ALB simulator serve all cases at once, so that a case costs little. The
//! table itself (`ingress_translate::ANNOTATIONS`) says which cases there must be.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod bad;
mod cases;
mod lab;
mod stories;

use std::collections::BTreeSet;

use anyhow::Result;
use ingress_translate::{ANNOTATIONS, Scope, Status};

use cases::Effect;
use lab::Lab;

#[tokio::test(flavor = "multi_thread")]
async fn every_annotation_does_what_the_table_says_and_nothing_without_it() -> Result<()> {
    let mut lab = Lab::new().await?;
    let cases = cases::all();
    lab.apply(&cases).await?;
    let mut failed = lab.warnings().await?;
    let effects = cases
        .iter()
        .flat_map(|case| case.effects.iter().map(move |effect| (case, effect)));
    for (case, (keys, effect)) in effects {
        let result = match effect {
            Effect::Group {
                pointer,
                with,
                without,
            } => lab.check_group(case, pointer, with, without),
            Effect::Balancer {
                pointer,
                with,
                without,
            } => lab.check_balancer(case, pointer, with, without),
            Effect::Story(story) => story(&lab).await,
        };
        if let Err(error) = result {
            failed.push(format!("{} (Ingress {}): {error:#}", keys.join(", "), case.name));
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
    lab.stack.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_value_is_told_and_costs_nobody_else() -> Result<()> {
    let mut lab = Lab::new().await?;
    bad::check(&mut lab).await?;
    lab.stack.finish().await
}

#[test]
fn every_supported_row_of_the_table_has_a_case() {
    let rows: BTreeSet<&str> = ANNOTATIONS
        .iter()
        .filter(|row| row.status == Status::Supported)
        .map(|row| row.key)
        .collect();
    let cases = cases::all();
    let shown: BTreeSet<&str> = cases
        .iter()
        .flat_map(|case| case.effects.iter().flat_map(|(keys, _)| keys))
        .copied()
        .collect();
    assert_eq!(
        rows.difference(&shown).collect::<Vec<_>>(),
        Vec::<&&str>::new(),
        "no effect is shown"
    );
    assert_eq!(
        shown.difference(&rows).collect::<Vec<_>>(),
        Vec::<&&str>::new(),
        "not in the table"
    );

    let wrong = bad::cases();
    let wrong: BTreeSet<&str> = wrong.iter().map(|case| case.key).collect();
    let left: Vec<_> = rows.difference(&wrong).collect();
    assert_eq!(left, Vec::<&&str>::new(), "no wrong value is tried");
}

/// Keys that are read with the prefix of ingress-nginx, too, are tried with both.
#[test]
fn every_row_that_nginx_shares_is_tried_with_both_prefixes() {
    let cases = cases::all();
    for row in ANNOTATIONS
        .iter()
        .filter(|row| row.nginx && row.scope != Scope::Service)
    {
        for prefix in ["alb.ingress.kubernetes.io/", "nginx.ingress.kubernetes.io/"] {
            let full = format!("{prefix}{}", row.key);
            let tried = cases
                .iter()
                .flat_map(|case| &case.ingresses)
                .any(|ingress| ingress.annotations.iter().any(|(key, _)| *key == full));
            assert!(tried, "{full}");
        }
    }
}
