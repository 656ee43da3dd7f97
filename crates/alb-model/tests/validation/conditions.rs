//! Conditions and the counts of a rule.

use alb_model::{Action, Condition, Edition, KeyValue, RemoveHeader, Rewrite, Rule};

use crate::{forward, found, strings, with_actions, with_condition};

#[test]
fn host_values() {
    for (value, expected) in [
        ("example.com", None),
        ("*.example.com", None),
        ("a?.example.*", None),
        ("a-1.example.com", None),
        ("*", Some("HostInvalid")),
        ("a.", Some("HostInvalid")),
        ("com", Some("HostInvalid")),
        ("example.com.", Some("HostInvalid")),
        ("Example.com", Some("HostInvalid")),
        ("svc.team-1", Some("HostInvalid")),
        ("10.0.0.1", Some("HostInvalid")),
        ("exämple.com", Some("HostInvalid")),
        ("a_b.example.com", Some("?HostInvalid")),
        ("~^a\\.example\\.com$", Some("?HostInvalid")),
    ] {
        let expected: Vec<_> = expected
            .map(|code| format!("{code} conditions[0].values[0]"))
            .into_iter()
            .collect();
        assert_eq!(
            found(&with_condition(Condition::host([value])), Edition::Standard),
            expected,
            "{value}"
        );
    }
    let long = |n: usize| format!("{}.com", "a".repeat(n - 4));
    assert!(found(&with_condition(Condition::host([long(128)])), Edition::Standard).is_empty());
    assert!(!found(&with_condition(Condition::host([long(129)])), Edition::Standard).is_empty());
}

#[test]
fn path_values() {
    for (value, expected) in [
        ("/", None),
        ("/*", None),
        ("/a-b_c.d+e&f~g@h:i=j/?", None),
        ("~*^/a(/|$)(.*)", None),
        ("~*/a{2}", None),
        ("", Some("PathInvalid")),
        ("a", Some("PathInvalid")),
        ("*", Some("PathInvalid")),
        ("/a b", Some("PathInvalid")),
        ("/a%20b", Some("PathInvalid")),
        ("/ä", Some("PathInvalid")),
        ("/a(b)", Some("PathInvalid")),
        ("/a|b", Some("PathInvalid")),
        ("/a;b", Some("PathInvalid")),
        ("/a$b", Some("?PathInvalid")),
        ("~*", Some("PathInvalid")),
        ("~*(", Some("PathInvalid")),
        ("~*(?=x)", Some("PathInvalid")),
        ("~*(\\w{100}){100}", Some("PathInvalid")),
        ("~*/a b", Some("PathInvalid")),
    ] {
        let expected: Vec<_> = expected
            .map(|code| format!("{code} conditions[0].values[0]"))
            .into_iter()
            .collect();
        assert_eq!(
            found(&with_condition(Condition::path([value])), Edition::Standard),
            expected,
            "{value}"
        );
    }
    let long = |n: usize| format!("/{}", "a".repeat(n - 1));
    assert!(found(&with_condition(Condition::path([long(128)])), Edition::Standard).is_empty());
    assert!(!found(&with_condition(Condition::path([long(129)])), Edition::Standard).is_empty());
}

#[test]
fn other_conditions() {
    let header = |key: &str, value: &str| Condition::Header {
        key: key.into(),
        values: strings(&[value]).into_iter().map(Into::into).collect(),
    };
    let query = |k: &str, v: &str| Condition::QueryString {
        values: vec![KeyValue::new(k, v)],
    };
    let cookie = |k: &str, v: &str| Condition::Cookie {
        values: vec![KeyValue::new(k, v)],
    };
    let source = |values: &[&str]| Condition::SourceIp {
        values: strings(values).into_iter().map(Into::into).collect(),
    };
    let method = |value: &str| Condition::Method {
        values: strings(&[value]).into_iter().map(Into::into).collect(),
    };
    let status = |value: &str| Condition::ResponseStatusCode {
        values: strings(&[value]).into_iter().map(Into::into).collect(),
    };
    let table: Vec<(Condition, &[&str])> = vec![
        (header("X-A", "v 1*"), &[]),
        (header(&"k".repeat(40), &"v".repeat(128)), &[]),
        (
            header(&"k".repeat(41), "v"),
            &["HeaderKeyInvalid conditions[0].key"],
        ),
        (header("X A", "v"), &["HeaderKeyInvalid conditions[0].key"]),
        (header("cookie", "v"), &["HeaderKeyReserved conditions[0].key"]),
        (header("HOST", "v"), &["HeaderKeyReserved conditions[0].key"]),
        (header("X-A", ""), &["HeaderValueInvalid conditions[0].values[0]"]),
        (
            header("X-A", " v"),
            &["HeaderValueInvalid conditions[0].values[0]"],
        ),
        (
            header("X-A", &"v".repeat(129)),
            &["HeaderValueInvalid conditions[0].values[0]"],
        ),
        (
            header("X-A", "v\n"),
            &["HeaderValueInvalid conditions[0].values[0]"],
        ),
        (query("q", "v*"), &[]),
        (
            query("Q", "v"),
            &["QueryStringInvalid conditions[0].values[0].key"],
        ),
        (
            query("q", "a b"),
            &["QueryStringInvalid conditions[0].values[0].value"],
        ),
        (
            query("q", "a&b"),
            &["QueryStringInvalid conditions[0].values[0].value"],
        ),
        (
            query(&"q".repeat(101), &"v".repeat(128)),
            &["QueryStringInvalid conditions[0].values[0].key"],
        ),
        (cookie("c", "always"), &[]),
        (
            cookie("c", "a;b"),
            &["CookieInvalid conditions[0].values[0].value"],
        ),
        (
            cookie("c", &"v".repeat(101)),
            &["CookieInvalid conditions[0].values[0].value"],
        ),
        (method("GET"), &[]),
        (method("get"), &["MethodInvalid conditions[0].values[0]"]),
        (method("TRACE"), &["MethodInvalid conditions[0].values[0]"]),
        (source(&["10.0.0.0/8", "2001:db8::1"]), &[]),
        (
            source(&["10.0.0.0/33"]),
            &["SourceIpInvalid conditions[0].values[0]"],
        ),
        (source(&["1.1.1.1"; 6]), &["SourceIpsExceeded conditions"]),
        (source(&[]), &["ConditionEmpty conditions[0].values"]),
        (
            Condition::Host {
                values: vec![].into(),
            },
            &["ConditionEmpty conditions[0].values"],
        ),
        (status("404"), &["ConditionDirection conditions[0]"]),
    ];
    for (condition, expected) in table {
        assert_eq!(
            found(&with_condition(condition.clone()), Edition::Standard),
            expected,
            "{condition:?}"
        );
    }
}

#[test]
fn limits_of_the_editions() {
    let paths = |n: usize, suffix: &str| Condition::path((0..n).map(|i| format!("/{i}{suffix}")));
    let edits = |n: usize| {
        let mut actions = vec![Action::RemoveHeader(RemoveHeader { key: "X-A".into() }); n - 1];
        actions.push(forward());
        with_actions(actions)
    };
    let header = Condition::Header {
        key: "X-A".into(),
        values: strings(&["v"]).into_iter().map(Into::into).collect(),
    };
    let (standard, basic) = (Edition::Standard, Edition::Basic);
    let table: Vec<(Rule, Edition, &[&str])> = vec![
        (with_condition(paths(10, "")), standard, &[]),
        (with_condition(paths(10, "/*")), Edition::StandardWithWaf, &[]),
        (
            with_condition(paths(11, "")),
            standard,
            &["ConditionsExceeded conditions"],
        ),
        (
            with_condition(paths(11, "/*")),
            standard,
            &["ConditionsExceeded conditions", "WildcardsExceeded conditions"],
        ),
        (with_condition(paths(5, "/*")), basic, &[]),
        (
            with_condition(paths(6, "")),
            basic,
            &["ConditionsExceeded conditions"],
        ),
        (edits(5), standard, &[]),
        (edits(6), standard, &["ActionsExceeded actions"]),
        (
            with_condition(header),
            basic,
            &["EditionUnsupported conditions[0]"],
        ),
        (
            with_actions(vec![
                Action::Rewrite(Box::new(Rewrite {
                    path: "/y".into(),
                    ..Rewrite::default()
                })),
                forward(),
            ]),
            basic,
            &["EditionUnsupported actions[0]"],
        ),
    ];
    for (rule, edition, expected) in table {
        assert_eq!(found(&rule, edition), expected, "{edition} {rule:?}");
    }
}
