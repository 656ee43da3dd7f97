//! The API takes `CoverEnabled` and does not tell it: the name of the rule does, so that a change is seen and made.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, unreachable_pub)]

#[allow(dead_code, reason = "each test file uses a part of it")]
mod common;

use alb_api::alb;
use alb_model::{Action, Condition, InsertHeader, Rule, ServerGroupRef};
use alb_plan::{Observed, Request, observe, plan, rule_name};
use common::{Cloud, gateway, options};

fn with_header(keeps_existing: bool) -> Rule {
    Rule {
        conditions: vec![Condition::path(["/a"])],
        actions: vec![
            Action::InsertHeader(InsertHeader {
                key: "x-a".into(),
                value: "b".into(),
                keeps_existing,
                ..InsertHeader::default()
            }),
            Action::forward_to(ServerGroupRef::managed("one")),
        ],
        ..Rule::default()
    }
}

#[test]
fn whether_a_header_is_kept_follows_and_reads_back() {
    let (mut cloud, mut observed) = (Cloud::default(), Observed::default());
    cloud.converge(&mut observed, &gateway(Vec::new(), "none"), &options());
    for keeps in [false, true, false] {
        let wanted = gateway(vec![with_header(keeps)], "none");
        let made = cloud.converge(&mut observed, &wanted, &options());
        let call = made.steps.last().unwrap().request(&made.ids);
        let (name, config) = match call {
            Ok(Request::CreateRules(call)) => {
                let rule = call.rules[0].clone();
                (
                    Some(rule.rule_name),
                    rule.rule_actions[0].insert_header_config.clone(),
                )
            }
            Ok(Request::UpdateRulesAttribute(call)) => {
                let rule = call.rules[0].clone();
                (rule.rule_name, rule.rule_actions[0].insert_header_config.clone())
            }
            other => panic!("{other:?}"),
        };
        assert_eq!(name, Some(rule_name(&with_header(keeps))));
        assert_eq!(config.unwrap().cover_enabled, Some(!keeps));
        assert!(plan(&observed, &wanted, &options()).is_empty());
        let other = gateway(vec![with_header(!keeps)], "none");
        assert_eq!(plan(&observed, &other, &options()).steps.len(), 1);
    }
}

#[test]
fn it_is_read_from_the_name() {
    for keeps in [false, true] {
        let answer = alb::Rule {
            rule_name: rule_name(&with_header(keeps)),
            listener_id: "lsn-1".into(),
            rule_actions: vec![alb::RuleAction {
                kind: "InsertHeader".into(),
                insert_header_config: Some(alb::InsertHeaderConfig {
                    key: "x-a".into(),
                    value: "b".into(),
                    value_type: Some("UserDefined".into()),
                    cover_enabled: None,
                }),
                ..Default::default()
            }],
            ..Default::default()
        };
        let listener = alb::Listener {
            listener_id: "lsn-1".into(),
            ..Default::default()
        };
        let read = observe::listener(&listener, &[], &[answer], None);
        assert_eq!(read.rules[0].rule.actions[0], with_header(keeps).actions[0]);
    }
}
