//! Actions, alone and together.

use alb_model::{
    Action, Condition, Cors, Direction, Edition, FixedResponse, Forward, HeaderValueType, InsertHeader,
    Redirect, RemoveHeader, Rewrite, Rule, Target, TrafficLimit, TrafficMirror,
};

use crate::{forward, found, group, strings, with_actions};

#[test]
fn whole_rules() {
    let good = with_actions(vec![forward()]);
    let redirect = || {
        Action::Redirect(Box::new(Redirect {
            protocol: "HTTPS".into(),
            port: "443".into(),
            ..Redirect::default()
        }))
    };
    let limit = |qps, per_ip_qps| Action::TrafficLimit(TrafficLimit { qps, per_ip_qps });
    let rewrite = || {
        Action::Rewrite(Box::new(Rewrite {
            path: "/y".into(),
            ..Rewrite::default()
        }))
    };
    let mirror = || {
        Action::TrafficMirror(TrafficMirror {
            groups: vec![group("m")],
        })
    };
    let cors = || {
        Action::Cors(Box::new(Cors {
            allow_origin: strings(&["*"]),
            ..Cors::default()
        }))
    };
    let remove = |key: &str| Action::RemoveHeader(RemoveHeader { key: key.into() });
    let response = |actions| Rule {
        direction: Direction::Response,
        ..with_actions(actions)
    };
    let table: Vec<(Rule, &[&str])> = vec![
        (good.clone(), &[]),
        (
            Rule {
                name: "x".into(),
                ..good.clone()
            },
            &["NameInvalid name"],
        ),
        (
            Rule {
                priority: Some(0),
                ..good.clone()
            },
            &["PriorityInvalid priority"],
        ),
        (
            Rule {
                priority: Some(10_000),
                ..good.clone()
            },
            &[],
        ),
        (
            Rule {
                priority: Some(10_001),
                ..good.clone()
            },
            &["PriorityInvalid priority"],
        ),
        (
            Rule {
                conditions: vec![],
                ..good.clone()
            },
            &["ConditionMissing conditions"],
        ),
        (
            Rule {
                conditions: vec![Condition::path(["/a"]), Condition::path(["/b"])],
                ..good
            },
            &["?ConditionRepeated conditions[1]"],
        ),
        (with_actions(vec![]), &["FinalActionMissing actions"]),
        (with_actions(vec![remove("X-A")]), &["FinalActionMissing actions"]),
        (
            with_actions(vec![forward(), remove("X-A")]),
            &["FinalActionNotLast actions[0]"],
        ),
        (
            with_actions(vec![forward(), redirect()]),
            &["FinalActionRepeated actions[1]"],
        ),
        (
            with_actions(vec![rewrite(), redirect()]),
            &["ForwardRequired actions[0]"],
        ),
        (
            with_actions(vec![mirror(), redirect()]),
            &["ForwardRequired actions[0]"],
        ),
        (
            with_actions(vec![rewrite(), rewrite(), forward()]),
            &["ActionRepeated actions[1]"],
        ),
        (
            with_actions(vec![mirror(), rewrite(), forward()]),
            &["MirrorCombination actions[1]"],
        ),
        (
            with_actions(vec![cors(), mirror(), forward()]),
            &["?MirrorCombination actions[1]"],
        ),
        (
            with_actions(vec![limit(Some(10), Some(5)), cors(), redirect()]),
            &[],
        ),
        (
            with_actions(vec![limit(None, None), forward()]),
            &["TrafficLimitInvalid actions[0]"],
        ),
        (
            with_actions(vec![limit(Some(0), None), forward()]),
            &["TrafficLimitInvalid actions[0].qps"],
        ),
        (
            with_actions(vec![limit(Some(1_000_001), None), forward()]),
            &["TrafficLimitInvalid actions[0].qps"],
        ),
        (
            with_actions(vec![limit(Some(5), Some(5)), forward()]),
            &["TrafficLimitInvalid actions[0].per_ip_qps"],
        ),
        (response(vec![remove("X-A")]), &[]),
        (response(vec![]), &["ActionMissing actions"]),
        (
            response(vec![remove("X-A"), forward()]),
            &["ActionDirection actions[1]"],
        ),
        (
            response(vec![remove("Upgrade")]),
            &["HeaderKeyReserved actions[0].key"],
        ),
        (response(vec![remove("X-Forwarded-For")]), &[]),
        (
            with_actions(vec![remove("X-Forwarded-For"), forward()]),
            &["HeaderKeyReserved actions[0].key"],
        ),
        (
            with_actions(vec![remove("HOST"), forward()]),
            &["HeaderKeyReserved actions[0].key"],
        ),
    ];
    for (rule, expected) in table {
        assert_eq!(found(&rule, Edition::Standard), expected, "{rule:?}");
    }
}

#[test]
fn final_actions() {
    let target = |name: &str, weight| Target {
        group: group(name),
        weight,
    };
    let forward = |targets: Vec<Target>| {
        Action::Forward(Forward {
            targets: targets.into(),
            sticky_timeout_s: None,
        })
    };
    let redirect = |f: fn(&mut Redirect)| {
        let mut redirect = Redirect {
            host: "b.com".into(),
            ..Redirect::default()
        };
        f(&mut redirect);
        Action::Redirect(Box::new(redirect))
    };
    let fixed = |code, content_type: &str, content: &str| {
        Action::FixedResponse(FixedResponse {
            code,
            content_type: content_type.into(),
            content: content.into(),
        })
    };
    let table: Vec<(Action, &[&str])> = vec![
        (forward(vec![target("a", 90), target("b", 10)]), &[]),
        (forward(vec![]), &["ForwardEmpty actions[0].targets"]),
        (
            forward(["a", "b", "c", "d", "e", "f"].map(|n| target(n, 10)).to_vec()),
            &["TargetsExceeded actions[0].targets"],
        ),
        (
            forward(vec![target("a", 101)]),
            &["WeightInvalid actions[0].targets[0].weight"],
        ),
        (forward(vec![target("a", 0)]), &["?WeightSum actions[0].targets"]),
        (
            forward(vec![target("a", 100), target("b", 100)]),
            &["?WeightSum actions[0].targets"],
        ),
        (
            forward(vec![target("a", 10), target("a", 20)]),
            &["TargetRepeated actions[0].targets[1].group"],
        ),
        (
            Action::Forward(Forward {
                targets: vec![target("a", 1)].into(),
                sticky_timeout_s: Some(0),
            }),
            &["StickyTimeoutInvalid actions[0].sticky_timeout_s"],
        ),
        (redirect(|_| {}), &[]),
        (
            redirect(|r| *r = Redirect::default()),
            &["RedirectIdentical actions[0]"],
        ),
        (
            redirect(|r| r.protocol = "ftp".into()),
            &["RedirectInvalid actions[0].protocol"],
        ),
        (
            redirect(|r| r.port = "63336".into()),
            &["RedirectInvalid actions[0].port"],
        ),
        (
            redirect(|r| r.port = "0".into()),
            &["RedirectInvalid actions[0].port"],
        ),
        (
            redirect(|r| r.host = "localhost".into()),
            &["RedirectInvalid actions[0].host"],
        ),
        (redirect(|r| r.host = "www.${host}".into()), &[]),
        (
            redirect(|r| r.path = "x".into()),
            &["RedirectInvalid actions[0].path"],
        ),
        (
            redirect(|r| r.path = "/a#b".into()),
            &["RedirectInvalid actions[0].path"],
        ),
        (
            redirect(|r| r.path = "/${1}".into()),
            &["RedirectInvalid actions[0].path"],
        ),
        (redirect(|r| r.path = "/x${path}".into()), &[]),
        (
            redirect(|r| r.path = "/${path}${path}".into()),
            &["RedirectInvalid actions[0].path"],
        ),
        (
            redirect(|r| r.query = "A=b".into()),
            &["RedirectInvalid actions[0].query"],
        ),
        (redirect(|r| r.query = "a=b&${query}".into()), &[]),
        (
            redirect(|r| r.query = String::new()),
            &["?RedirectInvalid actions[0].query"],
        ),
        (fixed(503, "application/json", "{}"), &[]),
        (
            fixed(301, "text/plain", ""),
            &["FixedResponseInvalid actions[0].code"],
        ),
        (
            fixed(200, "image/png", ""),
            &["FixedResponseInvalid actions[0].content_type"],
        ),
        (fixed(200, "text/plain", &"x".repeat(1024)), &[]),
        (
            fixed(200, "text/plain", &"x".repeat(1025)),
            &["FixedResponseInvalid actions[0].content"],
        ),
        (
            fixed(200, "text/plain", "ä"),
            &["FixedResponseInvalid actions[0].content"],
        ),
    ];
    for (action, expected) in table {
        assert_eq!(
            found(&with_actions(vec![action.clone()]), Edition::Standard),
            expected,
            "{action:?}"
        );
    }
}

#[test]
fn extension_actions() {
    let insert = |key: &str, value: &str, value_type| {
        Action::InsertHeader(InsertHeader {
            key: key.into(),
            value: value.into(),
            value_type,
            ..InsertHeader::default()
        })
    };
    let cors = |f: fn(&mut Cors)| {
        let mut cors = Cors {
            allow_origin: strings(&["*"]),
            ..Cors::default()
        };
        f(&mut cors);
        Action::Cors(Box::new(cors))
    };
    use HeaderValueType::{ReferenceHeader, SystemDefined, UserDefined};
    let table: Vec<(Action, &[&str])> = vec![
        (insert("X-A", "v", UserDefined), &[]),
        (insert("", "v", UserDefined), &["HeaderKeyInvalid actions[0].key"]),
        (
            insert("Cookie", "v", UserDefined),
            &["HeaderKeyReserved actions[0].key"],
        ),
        (
            insert("X-A", "", UserDefined),
            &["HeaderValueInvalid actions[0].value"],
        ),
        (
            insert("X-A", "a\"b", UserDefined),
            &["HeaderValueInvalid actions[0].value"],
        ),
        (
            insert("X-A", "a\\", UserDefined),
            &["HeaderValueInvalid actions[0].value"],
        ),
        (insert("X-A", "x-b", ReferenceHeader), &[]),
        (
            insert("X-A", "x b", ReferenceHeader),
            &["HeaderValueInvalid actions[0].value"],
        ),
        (insert("X-A", "SLBId", SystemDefined), &[]),
        (
            insert("X-A", "Moon", SystemDefined),
            &["HeaderValueInvalid actions[0].value"],
        ),
        (
            Action::TrafficMirror(TrafficMirror::default()),
            &["MirrorEmpty actions[0].groups"],
        ),
        (cors(|_| {}), &[]),
        (
            cors(|c| c.allow_origin = strings(&["https://*.a.com:8443", "http://localhost"])),
            &[],
        ),
        (
            cors(|c| c.allow_origin.clear()),
            &["CorsInvalid actions[0].allow_origin"],
        ),
        (
            cors(|c| c.allow_origin = strings(&["a.com"])),
            &["CorsInvalid actions[0].allow_origin[0]"],
        ),
        (
            cors(|c| c.allow_origin = strings(&["https://a.*.com"])),
            &["CorsInvalid actions[0].allow_origin[0]"],
        ),
        (
            cors(|c| c.allow_origin = strings(&["https://*"])),
            &["CorsInvalid actions[0].allow_origin[0]"],
        ),
        (
            cors(|c| c.allow_origin = strings(&["https://a.com/"])),
            &["CorsInvalid actions[0].allow_origin[0]"],
        ),
        (
            cors(|c| c.allow_methods = strings(&["GET", "TRACE"])),
            &["CorsInvalid actions[0].allow_methods[1]"],
        ),
        (
            cors(|c| c.expose_headers = strings(&["a b"])),
            &["CorsInvalid actions[0].expose_headers[0]"],
        ),
        (cors(|c| c.max_age_s = Some(-1)), &[]),
        (
            cors(|c| c.max_age_s = Some(172_801)),
            &["CorsInvalid actions[0].max_age_s"],
        ),
    ];
    for (action, expected) in table {
        let rule = with_actions(vec![action.clone(), forward()]);
        assert_eq!(found(&rule, Edition::Standard), expected, "{action:?}");
    }
}

#[test]
fn groups_of_a_rewrite_must_exist_in_every_path() {
    for (paths, template, expected) in [
        (&["~*^/a/(.*)"][..], "/${1}", None),
        (&["~*^/a/(.*)"], "/${2}", Some("RewriteInvalid actions[0].path")),
        (&["~*^/a/(.*)", "~*^/b/(.*)"], "/${1}", None),
        (
            &["~*^/a/(.*)", "/b"],
            "/${1}",
            Some("RewriteInvalid actions[0].path"),
        ),
        (&["/a/*"], "/${1}", Some("RewriteInvalid actions[0].path")),
    ] {
        let rewrite = Rewrite {
            path: template.into(),
            ..Rewrite::default()
        };
        let rule = Rule {
            conditions: vec![Condition::path(paths.iter().copied())],
            ..with_actions(vec![Action::Rewrite(Box::new(rewrite)), forward()])
        };
        assert_eq!(
            found(&rule, Edition::Standard),
            Vec::from_iter(expected),
            "{paths:?} {template}"
        );
    }
}
