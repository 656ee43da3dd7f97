//! `GetListenerHealthStatus`, answered from the data plane's health checks.

use serde_json::{Value, json};

use super::{Answer, Call};
use crate::data_plane::{GroupHealth, HealthSnapshot, HealthStatus, ServerHealth};

/// Who knows how the servers are.
pub(crate) trait HealthSource {
    fn snapshot(&self) -> HealthSnapshot;
}

pub(super) fn listener(call: &mut Call<'_>) -> Answer {
    let listener = call.store.listener(call.text("ListenerId"))?;
    let snapshot = call.health.snapshot();
    let health = snapshot.listener(&listener.id);
    let of_listener: Vec<Value> = health
        .iter()
        .map(|health| {
            json!({
                "ListenerId": listener.id,
                "ListenerPort": listener.port,
                "ListenerProtocol": listener.protocol.as_str(),
                "ServerGroupInfos": groups(&health.default_groups),
            })
        })
        .collect();
    let with_rules = call.params["IncludeRule"].as_bool().unwrap_or(false);
    let rules = health
        .into_iter()
        .filter(|_| with_rules)
        .flat_map(|health| &health.rules);
    let page = call.page((1..).zip(rules), 30)?;
    let mut answer = page.answer_uncounted(
        "RuleHealthStatus",
        |rule| json!({ "RuleId": rule.rule_id, "ServerGroupInfos": groups(&rule.groups) }),
    )?;
    answer["ListenerHealthStatus"] = of_listener.into();
    Ok(answer)
}

fn groups(groups: &[GroupHealth]) -> Vec<Value> {
    let render = |group: &GroupHealth| {
        let servers: Vec<Value> = group
            .servers
            .iter()
            .filter(|server| server.status != HealthStatus::Healthy)
            .map(server)
            .collect();
        json!({
            "ServerGroupId": group.group_id,
            "ActionType": group.action_type,
            "HealthCheckEnabled": if group.health_check_enabled { "on" } else { "off" },
            "NonNormalServers": servers,
        })
    };
    groups.iter().map(render).collect()
}

fn server(server: &ServerHealth) -> Value {
    let mut answer = json!({
        "ServerId": server.id,
        "ServerIp": server.ip,
        "Port": server.port,
        "Status": server.status.to_string(),
    });
    if let Some(reason) = &server.reason {
        answer["Reason"] = json!({ "ReasonCode": reason.code.as_str() });
        let responses = [
            ("ExpectedResponse", &reason.expected),
            ("ActualResponse", &reason.actual),
        ];
        for (name, value) in responses {
            if let Some(value) = value {
                answer["Reason"][name] = value.as_str().into();
            }
        }
    }
    answer
}
