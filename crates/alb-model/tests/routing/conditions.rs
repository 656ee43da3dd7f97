//! Which requests a rule takes.

use alb_model::{Condition, KeyValue, ListenerRouter, Request, Rule, explain};

use crate::{forward_rule, listener, matches, request};

#[test]
fn host_and_path_conditions() {
    // (host values, path values; empty: no such condition), (host, path), whether it matches
    let table: &[(&[&str], &[&str], &str, &str, bool)] = &[
        (&["example.com"], &[], "example.com", "/", true),
        (&["example.com"], &[], "EXAMPLE.com", "/", true),
        (&["Example.COM"], &[], "example.com", "/", true),
        (&["example.com"], &[], "www.example.com", "/", false),
        (&["example.com"], &[], "", "/", false),
        (&["*.example.com"], &[], "www.example.com", "/", true),
        (&["*.example.com"], &[], "a.b.example.com", "/", true),
        (&["*.example.com"], &[], "example.com", "/", false),
        (&["w?w.example.com"], &[], "wxw.example.com", "/", true),
        (&["w?w.example.com"], &[], "ww.example.com", "/", false),
        (&["a.com", "b.com"], &[], "b.com", "/", true),
        (&[], &["/foo"], "any", "/foo", true),
        (&[], &["/foo"], "any", "/Foo", false),
        (&[], &["/foo"], "any", "/foo/", false),
        (&[], &["/foo", "/foo/*"], "any", "/foo/", true),
        (&[], &["/foo*"], "any", "/foobar/x", true),
        (&[], &["/*"], "any", "/", true),
        (&[], &["/*"], "any", "*", false),
        (&[], &["/f?o"], "any", "/fäo", true),
        (&[], &["/f?o"], "any", "/f%C3%A4o", false),
        (&[], &["/a b"], "any", "/a%20b", false),
        (&[], &["/a"], "any", "/./a", false),
        (&[], &["~*/foo"], "any", "/x/foo/y", true),
        (&[], &["~*/foo"], "any", "/FOO", false),
        (&[], &["~*^/id/[0-9]+$"], "any", "/id/123", true),
        (&[], &["~*^/id/[0-9]+$"], "any", "/id/123a", false),
        (&[], &["~*^/id/[0-9]+"], "any", "/id/123a", true),
        (&[], &["~*^/a|/b"], "any", "/x/b", true),
        (&[], &["~*(unclosed"], "any", "(unclosed", false),
        (&[], &["~*(unclosed", "/x"], "any", "/x", true),
        (&[], &["~*(\\w{100}){100}"], "any", "/x", false),
        (&["a.com"], &["/x"], "a.com", "/x", true),
        (&["a.com"], &["/x"], "a.com", "/y", false),
        (&["a.com"], &["/x"], "b.com", "/x", false),
    ];
    for (hosts, paths, host, path, expected) in table {
        let mut conditions = Vec::new();
        if !hosts.is_empty() {
            conditions.push(Condition::host(hosts.iter().copied()));
        }
        if !paths.is_empty() {
            conditions.push(Condition::path(paths.iter().copied()));
        }
        assert_eq!(
            matches(conditions, &request(host, path)),
            *expected,
            "{hosts:?} {paths:?} on {host}{path}"
        );
    }
}

#[test]
fn header_conditions() {
    let table: &[(&str, &[&str], &[(&str, &str)], bool)] = &[
        ("X-A", &["1"], &[("x-a", "1")], true),
        ("X-A", &["1"], &[("X-A", "2")], false),
        ("X-A", &["1", "2"], &[("X-A", "2")], true),
        ("X-A", &["2"], &[("X-A", "1"), ("x-a", "2")], true),
        ("X-A", &["2"], &[("X-A", "1, 2")], false),
        ("X-A", &["*2"], &[("X-A", "1, 2")], true),
        ("X-A", &["v?"], &[("X-A", "v1")], true),
        ("X-A", &["V1"], &[("X-A", "v1")], false),
        ("X-A", &["*"], &[("X-B", "")], false),
        ("X-A", &["*"], &[("X-A", "")], true),
        ("X-A", &[], &[("X-A", "")], false),
    ];
    for (key, values, headers, expected) in table {
        let condition = Condition::Header {
            key: (*key).into(),
            values: values.iter().map(|v| (*v).into()).collect(),
        };
        let request = Request {
            headers,
            ..request("h", "/")
        };
        assert_eq!(
            matches(vec![condition], &request),
            *expected,
            "{key} {values:?} on {headers:?}"
        );
    }
}

#[test]
fn cookie_and_query_conditions() {
    let pairs = |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| KeyValue::new(*k, *v)).collect();
    let cookies: &[(&[(&str, &str)], &[(&str, &str)], bool)] = &[
        (&[("c", "1")], &[("Cookie", "c=1")], true),
        (&[("c", "1")], &[("cookie", "a=b;  c=1 ; d")], true),
        (&[("c", "1")], &[("cookie", "a=b"), ("cookie", "c=1")], true),
        (&[("c", "a=b")], &[("cookie", "c=a=b")], true),
        (&[("c", "1")], &[("cookie", "C=1")], false),
        (&[("c", "1")], &[("cookie", "c")], false),
        (&[("c", "1")], &[("cookie", "xc=1")], false),
        (&[("c", "1"), ("d", "*")], &[("cookie", "d=")], true),
        (&[("c", "1")], &[], false),
    ];
    for (values, headers, expected) in cookies {
        let request = Request {
            headers,
            ..request("h", "/")
        };
        let condition = Condition::Cookie {
            values: pairs(values),
        };
        assert_eq!(
            matches(vec![condition], &request),
            *expected,
            "{values:?} on {headers:?}"
        );
    }
    let queries: &[(&[(&str, &str)], &str, bool)] = &[
        (&[("q", "1")], "q=1", true),
        (&[("q", "1")], "a=b&q=1", true),
        (&[("q", "1")], "q=2&q=1", true),
        (&[("q", "1")], "qq=1", false),
        (&[("q", "1?")], "q=12", true),
        (&[("q", "a b")], "q=a+b", false),
        (&[("q", "*")], "q", true),
        (&[("q", "*")], "", false),
        (&[("q", "a=b")], "q=a=b", true),
        (&[("q", "1"), ("r", "2")], "r=2", true),
        (&[("q", "1"), ("r", "2")], "q=2&r=1", false),
    ];
    for (values, query, expected) in queries {
        let request = Request {
            query,
            ..request("h", "/")
        };
        let condition = Condition::QueryString {
            values: pairs(values),
        };
        assert_eq!(
            matches(vec![condition], &request),
            *expected,
            "{values:?} on {query:?}"
        );
    }
}

#[test]
fn method_and_source_conditions() {
    for (values, method, expected) in [
        (&["GET"][..], "GET", true),
        (&["GET"], "get", false),
        (&["GET", "PUT"], "PUT", true),
        (&["*"], "GET", false),
    ] {
        let condition = Condition::Method {
            values: values.iter().map(|v| (*v).into()).collect(),
        };
        let request = Request {
            method,
            ..request("h", "/")
        };
        assert_eq!(
            matches(vec![condition], &request),
            expected,
            "{values:?} on {method}"
        );
    }
    for (values, source, expected) in [
        (&["10.0.0.0/8"][..], "10.1.2.3", true),
        (&["10.1.2.3/8"], "10.9.9.9", true),
        (&["10.0.0.0/8"], "11.0.0.1", false),
        (&["10.0.0.1"], "10.0.0.1", true),
        (&["10.0.0.1"], "10.0.0.2", false),
        (&["10.0.0.0/8"], "::ffff:10.1.2.3", true),
        (&["2001:db8::/32"], "2001:db8::7", true),
        (&["0.0.0.0/0"], "2001:db8::7", false),
        (&["everyone", "10.0.0.1"], "10.0.0.1", true),
        (&["everyone"], "10.0.0.1", false),
    ] {
        let condition = Condition::SourceIp {
            values: values.iter().map(|v| (*v).into()).collect(),
        };
        let request = Request {
            source_ip: source.parse().unwrap(),
            ..request("h", "/")
        };
        assert_eq!(
            matches(vec![condition], &request),
            expected,
            "{values:?} on {source}"
        );
    }
}

#[test]
fn conditions_are_anded_even_of_one_kind() {
    let both = vec![Condition::path(["/a*"]), Condition::path(["*z"])];
    assert!(matches(both.clone(), &request("h", "/a/z")));
    assert!(!matches(both, &request("h", "/a/y")));
    let hosts = vec![
        Condition::host(["*.a.com", "b.com"]),
        Condition::host(["x.*", "b.com"]),
    ];
    for (host, expected) in [("x.a.com", true), ("b.com", true), ("y.a.com", false)] {
        assert_eq!(matches(hosts.clone(), &request(host, "/")), expected, "{host}");
    }
    assert!(
        matches(vec![], &request("", "")),
        "no condition matches everything"
    );
}

#[test]
fn order_is_by_priority_or_by_place() {
    let rule = |priority, path: &str| Rule {
        priority,
        ..forward_rule(vec![Condition::path([path])], "a")
    };
    for (name, priorities, expected) in [
        ("ascending priority", [Some(30), Some(20), Some(10)], Some(2)),
        ("by place when none has one", [None, None, None], Some(0)),
        ("by place when one has none", [Some(30), None, Some(10)], Some(0)),
        ("by place among equals", [Some(10), Some(10), Some(10)], Some(0)),
    ] {
        let rules = priorities.map(|priority| rule(priority, "/*")).to_vec();
        assert_eq!(
            ListenerRouter::new(&listener(rules)).first_match(&request("h", "/")),
            expected,
            "{name}"
        );
    }
    let rules = vec![rule(None, "/x"), rule(None, "/y*"), rule(None, "/y")];
    let router = ListenerRouter::new(&listener(rules));
    assert_eq!(router.first_match(&request("h", "/y")), Some(1));
    assert_eq!(router.decide(&request("h", "/z")).rule, None);
}

#[test]
fn a_response_condition_never_holds_for_a_request() {
    let condition = Condition::ResponseStatusCode {
        values: vec!["*".into()].into(),
    };
    assert!(!matches(vec![condition], &request("h", "/")));
}

#[test]
fn an_explanation_says_what_the_request_has_where_a_condition_looks() {
    let pairs = |key: &str| vec![KeyValue::new(key, "wanted")];
    let values = || vec!["wanted".into()];
    let header = |key: &str| Condition::Header {
        key: key.into(),
        values: values().into(),
    };
    let mut request = request("example.com", "/b");
    request.query = "page=2&page=3&other=1";
    request.headers = &[("X-Env", "test"), ("x-env", "old"), ("Cookie", "a=1; b=2")];
    for (condition, expected) in [
        (Condition::host(["a.com"]), &["example.com"][..]),
        (Condition::path(["/a"]), &["/b"]),
        (
            Condition::Method {
                values: vec!["PUT".into()].into(),
            },
            &["GET"],
        ),
        (
            Condition::SourceIp {
                values: vec!["10.0.0.0/8".into()].into(),
            },
            &["203.0.113.7"],
        ),
        (header("x-env"), &["test", "old"]),
        (header("x-missing"), &[]),
        (
            Condition::QueryString {
                values: pairs("page"),
            },
            &["page=2", "page=3"],
        ),
        (Condition::Cookie { values: pairs("b") }, &["b=2"]),
        (Condition::Cookie { values: pairs("c") }, &[]),
    ] {
        let rules = vec![
            forward_rule(vec![Condition::path(["/b"]), condition.clone()], "a"),
            forward_rule(vec![], "b"),
        ];
        let explanation = explain(&listener(rules), &request);
        assert_eq!(explanation.decision.rule, Some(1), "{condition:?}");
        let unmet = &explanation.trials[0].unmet;
        assert_eq!(unmet.len(), 1, "{condition:?}");
        assert_eq!(
            (unmet[0].condition, unmet[0].found.len()),
            (1, expected.len()),
            "{condition:?}"
        );
        assert_eq!(unmet[0].found, expected, "{condition:?}");
    }
}
