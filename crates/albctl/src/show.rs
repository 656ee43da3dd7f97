//! A gateway as a table.

use std::fmt::Write as _;

use alb_model::{Action, Gateway, Listener, Rule};

use crate::describe;
use crate::output::{Style, table_text};

/// A heading for the load balancer, then a table of its listeners' rules in the order in which they are tried.
pub fn gateway(albconfig: &str, gateway: &Gateway, style: Style) -> String {
    let rules: usize = gateway
        .listeners
        .iter()
        .map(|listener| listener.rules.len())
        .sum();
    let name = match gateway.load_balancer.name.as_str() {
        "" => "load balancer".to_owned(),
        name => format!("load balancer {name}"),
    };
    let mut out = style.bold(&format!("AlbConfig {albconfig}: {name}"));
    let _ = writeln!(
        out,
        ", {} listener(s), {rules} rule(s), {} server group(s), {} certificate(s)",
        gateway.listeners.len(),
        gateway.server_groups.len(),
        gateway.certificates.len(),
    );
    let mut rows = style.table(["LISTENER", "RULE", "IF", "THEN", "FROM"]);
    for listener in &gateway.listeners {
        if listener.rules.is_empty() {
            rows.add_row([
                key(listener),
                String::new(),
                "always".into(),
                listener.default_group.to_string(),
                String::new(),
            ]);
        }
        for (at, rule) in listener.rules.iter().enumerate() {
            rows.add_row([
                key(listener),
                (at + 1).to_string(),
                conditions(rule),
                actions(&rule.actions),
                from(rule),
            ]);
        }
    }
    out.push_str(&table_text(&rows));
    out.push('\n');
    out
}

fn key(listener: &Listener) -> String {
    format!("{}/{}", listener.port, listener.protocol)
}

fn from(rule: &Rule) -> String {
    let origins: Vec<String> = rule
        .origins
        .iter()
        .map(|o| format!("{} {}", o.object, o.field))
        .collect();
    origins.join("\n")
}

fn conditions(rule: &Rule) -> String {
    let parts: Vec<String> = rule
        .conditions
        .iter()
        .map(|condition| format!("{} {}", describe::subject(condition), describe::values(condition)))
        .collect();
    if parts.is_empty() {
        "always".into()
    } else {
        parts.join("\n")
    }
}

fn actions(actions: &[Action]) -> String {
    let parts: Vec<String> = actions
        .iter()
        .map(|action| match action {
            Action::TrafficLimit(limit) => format!("limit {}", describe::limit(limit)),
            Action::InsertHeader(insert) if insert.keeps_existing => {
                format!("set header {}: {} unless it is there", insert.key, insert.value)
            }
            Action::InsertHeader(insert) => format!("set header {}: {}", insert.key, insert.value),
            Action::RemoveHeader(remove) => format!("remove header {}", remove.key),
            Action::Rewrite(rewrite) => {
                format!("rewrite to {}{}?{}", rewrite.host, rewrite.path, rewrite.query)
            }
            Action::Forward(_) => format!(
                "forward to {}",
                alb_plan::describe_actions(std::slice::from_ref(action))
            ),
            other => alb_plan::describe_actions(std::slice::from_ref(other)),
        })
        .collect();
    parts.join("\n")
}
