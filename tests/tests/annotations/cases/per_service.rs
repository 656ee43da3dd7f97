//! Conditions and actions written as JSON.

use serde_json::json;

use super::{Case, spec};
use crate::stories;

pub(super) fn per_service() -> Vec<Case> {
    let conditions = json!([
        {"type": "Header", "headerConfig": {"key": "x-env", "values": ["dev"]}},
        {"type": "Method", "methodConfig": {"values": ["GET", "POST"]}},
        {"type": "QueryString", "queryStringConfig": {"values": [{"key": "beta", "value": "1"}]}},
        {"type": "Cookie", "cookieConfig": {"values": [{"key": "user", "value": "ann"}]}},
        {"type": "SourceIp", "sourceIpConfig": {"values": ["127.0.0.0/8"]}},
    ]);
    let fixed = json!([{"type": "FixedResponse", "FixedResponseConfig":
        {"httpCode": "418", "contentType": "text/plain", "content": "short and stout"}}]);
    let redirect = json!([{"type": "Redirect", "RedirectConfig":
        {"host": "other.example.com", "path": "/to${path}", "httpCode": "302"}}]);
    let split = json!([
        {"type": "InsertHeader", "InsertHeaderConfig": {"key": "x-fixed", "value": "yes", "valueType": "UserDefined"}},
        {"type": "InsertHeader", "InsertHeaderConfig": {"key": "x-copy", "value": "x-source", "valueType": "ReferenceHeader"}},
        {"type": "RemoveHeader", "RemoveHeaderConfig": {"key": "x-secret"}},
        {"type": "Rewrite", "RewriteConfig": {"host": "inner.example.com", "path": "/inner", "query": "q=1"}},
        {"type": "ForwardGroup", "ForwardConfig": {"ServerGroups": [
            {"ServiceName": "app", "ServicePort": 80, "Weight": 70},
            {"ServiceName": "next", "ServicePort": 80, "Weight": 30}]}},
    ]);
    let sticky = json!([
        {"type": "InsertHeader", "InsertHeaderConfig": {"key": "x-ip", "value": "ClientSrcIp", "valueType": "SystemDefined"}},
        {"type": "InsertHeader", "InsertHeaderConfig": {"key": "x-mine", "value": "ours", "valueType": "UserDefined", "coverEnabled": false}},
        {"type": "InsertHeader", "InsertHeaderConfig": {"key": "x-none", "value": "ours", "valueType": "UserDefined", "coverEnabled": false}},
        {"type": "ForwardGroup", "ForwardConfig": {
        "ServerGroups": [
            {"ServiceName": "app", "ServicePort": 80, "Weight": 50},
            {"ServiceName": "next", "ServicePort": 80, "Weight": 50}],
        "ServerGroupStickySession": {"Enabled": true, "Timeout": 100}}}]);
    let limited = json!([{"type": "TrafficLimit", "TrafficLimitConfig": {"QPS": "3"}}]);
    let response = json!([
        {"type": "RemoveHeader", "RemoveHeaderConfig": {"key": "server"}},
        {"type": "InsertHeader", "InsertHeaderConfig": {"key": "x-note", "value": "made", "valueType": "UserDefined"}}]);
    let of_status = json!([{"type": "ResponseStatusCode", "responseStatusCodeConfig": {"values": ["200"]}}]);
    vec![
        Case::of([
            spec("conditions")
                .with("conditions.next", &conditions.to_string())
                .path("/", "next"),
            spec("conditions-base")
                .host("conditions.example.com")
                .path("/", "app"),
        ])
        .story(&["conditions."], stories::conditions),
        Case::of([spec("actions")
            .with("actions.fixed", &fixed.to_string())
            .with("actions.redirect", &redirect.to_string())
            .with("actions.split", &split.to_string())
            .with("actions.sticky", &sticky.to_string())
            .with("actions.other", &limited.to_string())
            .typed_path("/fixed", "Prefix", "fixed", "use-annotation")
            .typed_path("/redirect", "Prefix", "redirect", "use-annotation")
            .typed_path("/split", "Prefix", "split", "use-annotation")
            .typed_path("/sticky", "Prefix", "sticky", "use-annotation")
            .path("/limited", "other")
            .path("/", "app")])
        .story(&["actions."], stories::actions),
        Case::of([spec("response")
            .with("rule-direction.answers", "Response")
            .with("actions.answers", &response.to_string())
            .with("conditions.answers", &of_status.to_string())
            .path("/", "app")
            .typed_path("/", "Prefix", "answers", "use-annotation")])
        .story(&["rule-direction."], stories::response_rules),
    ]
}
