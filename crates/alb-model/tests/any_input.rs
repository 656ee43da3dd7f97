//! No text makes the crate panic, answers repeat, and values survive JSON.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use alb_model::{
    Action, Condition, Cors, Direction, Edition, FixedResponse, Gateway, HeaderValueType, InsertHeader,
    KeyValue, Listener, ListenerProtocol, PathPattern, Redirect, RemoveHeader, Request, Rewrite, Router,
    Rule, Scheme, ServerGroupRef, Texts, WildcardPattern, validate, validate_rule,
};
use proptest::prelude::*;

/// Anything, with a liking for the characters that mean something here.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[/a.*?~^$(){}\\[\\]|\\\\=&; ${é]{0,12}",
        "~\\*[/a.*?^$(){1}|\\\\é]{0,10}",
        "\\$\\{[a-z1-9]*\\}?"
    ]
}

fn texts() -> impl Strategy<Value = Vec<String>> {
    proptest::collection::vec(text(), 0..3)
}

fn words(texts: Vec<String>) -> Texts {
    texts.into_iter().map(Into::into).collect()
}

fn pairs() -> impl Strategy<Value = Vec<KeyValue>> {
    proptest::collection::vec((text(), text()).prop_map(|(k, v)| KeyValue::new(k, v)), 0..3)
}

fn condition() -> impl Strategy<Value = Condition> {
    prop_oneof![
        texts().prop_map(|values| Condition::Host {
            values: words(values)
        }),
        texts().prop_map(|values| Condition::Path {
            values: words(values)
        }),
        (text(), texts()).prop_map(|(key, values)| Condition::Header {
            key: key.into(),
            values: words(values)
        }),
        pairs().prop_map(|values| Condition::QueryString { values }),
        pairs().prop_map(|values| Condition::Cookie { values }),
        texts().prop_map(|values| Condition::Method {
            values: words(values)
        }),
        texts().prop_map(|values| Condition::SourceIp {
            values: words(values)
        }),
        (text(), texts()).prop_map(|(key, values)| Condition::ResponseHeader {
            key: key.into(),
            values: words(values)
        }),
        texts().prop_map(|values| Condition::ResponseStatusCode {
            values: words(values)
        }),
    ]
}

fn action() -> impl Strategy<Value = Action> {
    let insert = (text(), text(), proptest::sample::select(HeaderValueType::ALL)).prop_map(
        |(key, value, value_type)| {
            Action::InsertHeader(InsertHeader {
                key,
                value,
                value_type,
                ..InsertHeader::default()
            })
        },
    );
    let redirect =
        (text(), text(), text(), text(), text()).prop_map(|(protocol, host, port, path, query)| {
            Action::Redirect(Box::new(Redirect {
                protocol,
                host,
                port,
                path,
                query,
                ..Redirect::default()
            }))
        });
    let fixed = (any::<u16>(), text(), text()).prop_map(|(code, content_type, content)| {
        Action::FixedResponse(FixedResponse {
            code,
            content_type,
            content,
        })
    });
    prop_oneof![
        insert,
        redirect,
        fixed,
        (text(), text(), text()).prop_map(|(host, path, query)| Action::Rewrite(Box::new(Rewrite {
            host,
            path,
            query
        }))),
        text().prop_map(|key| Action::RemoveHeader(RemoveHeader { key })),
        texts().prop_map(|allow_origin| Action::Cors(Box::new(Cors {
            allow_origin,
            ..Cors::default()
        }))),
        text().prop_map(|key| Action::forward_to(ServerGroupRef::managed(key))),
    ]
}

fn rule() -> impl Strategy<Value = Rule> {
    (
        proptest::collection::vec(condition(), 0..4),
        proptest::collection::vec(action(), 0..4),
        any::<bool>(),
        any::<Option<u16>>(),
        text(),
    )
        .prop_map(|(conditions, actions, response, priority, name)| Rule {
            name,
            priority,
            direction: if response {
                Direction::Response
            } else {
                Direction::Request
            },
            conditions,
            actions,
            ..Rule::default()
        })
}

proptest! {
    #[test]
    fn gateways_are_checked_and_routed(
        rules in proptest::collection::vec(rule(), 0..5),
        (method, host, path, query) in (text(), text(), text(), text()),
        headers in proptest::collection::vec((prop_oneof![text(), Just("Cookie".to_owned())], text()), 0..4),
        source_ip in any::<std::net::IpAddr>(),
        (port, status) in any::<(u16, u16)>(),
    ) {
        let gateway = Gateway {
            listeners: vec![Listener { port, ..Listener::default().with_rules(rules) }],
            ..Gateway::default()
        };
        prop_assert_eq!(validate(&gateway), validate(&gateway));

        let json = serde_json::to_string(&gateway).unwrap();
        let read: Gateway = serde_json::from_str(&json).unwrap();
        prop_assert_eq!(&read, &gateway);

        let headers: Vec<(&str, &str)> = headers.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        let request = Request {
            method: &method,
            scheme: Scheme::Http,
            host: &host,
            port,
            path: &path,
            query: &query,
            headers: &headers,
            source_ip,
        };
        let router = Router::new(&gateway);
        let listener = router.listener((port, ListenerProtocol::Http)).unwrap();
        let decision = listener.decide(&request);
        prop_assert_eq!(decision.rule, listener.first_match(&request));
        listener.decide_response(&request, status, &headers);
    }

    #[test]
    fn a_rule_without_errors_can_be_compiled(rule in rule()) {
        let has_error = validate_rule(&rule, Edition::Standard)
            .iter()
            .any(|violation| violation.code == "PathInvalid");
        let invalid = rule.conditions.iter().any(|condition| match condition {
            Condition::Path { values } => {
                values.iter().any(|value| matches!(PathPattern::new(value), PathPattern::Invalid))
            }
            _ => false,
        });
        prop_assert!(has_error || !invalid, "an expression that never matches was not reported");
    }

    #[test]
    fn a_text_matches_itself_and_what_its_wildcards_stand_for(before in "[^*?]{0,6}", any in ".{0,6}", one in ".", after in "[^*?]{0,6}") {
        let pattern = WildcardPattern::new(&format!("{before}*{after}?"));
        let text = format!("{before}{any}{after}{one}");
        prop_assert!(pattern.matches(&text));
        prop_assert!(WildcardPattern::new(&before).matches(&before));
    }
}
