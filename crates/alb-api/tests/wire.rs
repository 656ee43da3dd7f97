//! Encoding and flattening: what goes out comes back, and nonsense is refused, never a panic.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use alb_api::alb::{CreateRules, GetLoadBalancerAttributeResponse, ListRulesResponse, Tag, TagResources};
use alb_api::flatten::{
    MAX_DEPTH, MAX_INDEX, decode, decode_pairs, encode, encode_pairs, flatten, parameters, read_request,
    unflatten,
};
use alb_api::lenient;
use alb_api::sign::{CanonicalRequest, EMPTY_PAYLOAD_HASH};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use serde_json::{Value, json};

/// Nested structures as parameters are: names of letters, lists without gaps, texts at the leaves, nothing empty.
fn nested() -> impl Strategy<Value = Value> {
    let leaf = any::<String>().prop_map(Value::String);
    let tree = leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 1..12).prop_map(Value::Array),
            btree_map("[A-Za-z]{1,6}", inner, 1..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    });
    btree_map("[A-Za-z]{1,6}", tree, 1..4).prop_map(|members| Value::Object(members.into_iter().collect()))
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    let name = prop_oneof![
        "Rules",
        "Priority",
        "RuleConditions",
        "Tags",
        "RequestId",
        "ZoneMappings",
        "[A-Z][a-z]{1,3}"
    ];
    leaf.prop_recursive(4, 32, 4, move |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::Array),
            btree_map(name.clone(), inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn decoding_undoes_encoding(text in any::<String>()) {
        let encoded = encode(&text);
        prop_assert!(encoded.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.~%".contains(&b)));
        prop_assert_eq!(decode(&encoded), Some(text));
    }

    #[test]
    fn splitting_undoes_joining(pairs in vec((any::<String>(), any::<String>()), 0..8)) {
        // A pair of two empty texts has no form of its own.
        let pairs: Vec<_> = pairs.into_iter().filter(|(name, _)| !name.is_empty()).collect();
        prop_assert_eq!(decode_pairs(&encode_pairs(&pairs)), Some(pairs));
    }

    #[test]
    fn decoding_never_panics(text in any::<String>()) {
        let _ = decode(&text);
        let _ = decode_pairs(&text);
    }

    #[test]
    fn the_order_of_parameters_does_not_change_the_signature(
        pairs in btree_map("[A-Za-z.0-9]{1,8}", any::<String>(), 0..8),
        seed in any::<u64>(),
    ) {
        let sorted: Vec<(&str, &str)> = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let mut mixed = sorted.clone();
        mixed.sort_by_key(|(name, _)| name.bytes().fold(seed, |hash, b| hash.wrapping_mul(31).wrapping_add(b.into())));
        let sign = |query| {
            let request = CanonicalRequest {
                method: "POST", path: "/", query, headers: &[], payload_hash: EMPTY_PAYLOAD_HASH,
            };
            request.signature("secret")
        };
        prop_assert_eq!(sign(&sorted), sign(&mixed));
    }

    #[test]
    fn unflattening_undoes_flattening(value in nested()) {
        prop_assert_eq!(unflatten(flatten(&value).unwrap()), Ok(value));
    }

    #[test]
    fn unflattening_never_panics(pairs in vec(("[A-C0-2.]{0,12}", any::<String>()), 0..8)) {
        let _ = unflatten(pairs.clone());
        let _ = read_request::<CreateRules, _>(pairs);
    }

    #[test]
    fn reading_answers_never_panics(value in any_json()) {
        let _ = lenient::from_value::<ListRulesResponse>(value.clone());
        let _ = lenient::from_value::<GetLoadBalancerAttributeResponse>(value);
    }
}

fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

#[test]
fn what_is_unset_is_not_sent_but_empty_texts_are() {
    let request = TagResources {
        resource_type: "loadbalancer".into(),
        resource_id: vec![],
        tag: vec![Tag {
            key: "k".into(),
            value: String::new(),
        }],
    };
    let sent = parameters(&request).unwrap();
    assert_eq!(
        encode_pairs(&sent.query),
        "ResourceType=loadbalancer&Tag.1.Key=k&Tag.1.Value="
    );
    assert!(sent.body.is_empty());
}

#[test]
fn lists_of_more_than_nine_keep_their_order() {
    let ids: Vec<String> = (0..25).map(|n| format!("rule-{n}")).collect();
    let flat = flatten(&json!({ "RuleIds": ids })).unwrap();
    assert_eq!(unflatten(flat), Ok(json!({ "RuleIds": ids })));
}

#[test]
fn gaps_in_lists_are_closed_up_and_any_order_is_read() {
    let read = unflatten(pairs(&[("A.7.K", "second"), ("A.3.K", "first")]));
    assert_eq!(read, Ok(json!({ "A": [{ "K": "first" }, { "K": "second" }] })));
}

#[test]
fn impossible_names_are_refused_by_name() {
    let deep = vec!["A"; MAX_DEPTH + 1].join(".");
    let large = format!("A.{}", MAX_INDEX + 1);
    for (given, name) in [
        (vec![("A", "1"), ("A", "2")], "A"),
        (vec![("A", "1"), ("A.B", "2")], "A.B"),
        (vec![("A.B", "1"), ("A", "2")], "A"),
        (vec![("A.0", "1")], "A.0"),
        (
            vec![("A.99999999999999999999999", "1")],
            "A.99999999999999999999999",
        ),
        (vec![(large.as_str(), "1")], large.as_str()),
        (vec![(deep.as_str(), "1")], deep.as_str()),
    ] {
        let error = unflatten(pairs(&given)).unwrap_err();
        assert_eq!(error.path(), name, "{error}");
    }
}

#[test]
fn servers_read_requests_with_texts_for_numbers() {
    let given = pairs(&[
        ("ListenerId", "lsn-1"),
        ("Rules.1.Priority", "10"),
        ("Rules.1.RuleActions.1.Order", "1"),
        ("DryRun", "true"),
        ("Unheard", "of"),
    ]);
    let request: CreateRules = read_request(given).unwrap();
    assert_eq!(
        (request.rules[0].priority, request.rules[0].rule_actions[0].order),
        (10, 1)
    );
    assert_eq!(request.dry_run, Some(true));
    let wrong =
        read_request::<CreateRules, _>(pairs(&[("Rules.1.RuleActions.2.Order", "first")])).unwrap_err();
    assert_eq!(
        wrong.path(),
        "Rules.1.RuleActions.1.Order",
        "the second of one is the first"
    );
}

#[test]
fn decode_errors_never_show_values() {
    let error =
        lenient::from_value::<ListRulesResponse>(json!({ "Rules": [{ "Priority": "s3cret" }] })).unwrap_err();
    assert_eq!(
        error.to_string(),
        "Rules.1.Priority: found a text, wanted an integer"
    );
}
