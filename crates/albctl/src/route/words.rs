//! Answers as people read them.

use std::fmt::Write as _;

use alb_model::{Condition, Explanation, HeaderEdit, Listener, Outcome, Rule};

use super::answer::{AnswerAction, RouteTarget, header_value};
use super::request::RouteRequest;
use super::table::Routed;
use crate::describe;
use crate::output::Style;

/// One request and its answer, a line for each fact.
pub(crate) fn answer(routed: &Routed<'_>, albconfig: &str, request: &RouteRequest, style: Style) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "{}", style.bold(&request.to_string()));
    let Some((listener, decision)) = routed.listener.zip(routed.decision.as_ref()) else {
        let text = "no listener has this port and protocol: ALB accepts no connection there";
        let _ = writeln!(out, "  {} (AlbConfig {albconfig})", style.bad(text));
        return out;
    };
    let _ = writeln!(
        out,
        "  listener  {}/{} of AlbConfig {albconfig}",
        listener.port, listener.protocol
    );
    let _ = writeln!(out, "  rule      {}", rule_line(routed, listener, decision.rule));
    let _ = writeln!(out, "  answer    {}", action(&routed.answer.action, style));
    if let Outcome::Forward {
        edits,
        sticky_timeout_s,
        ..
    } = &decision.outcome
    {
        let now = &routed.answer.rewritten;
        for (what, is_new, value) in [
            ("host", edits.host.is_some(), &now.host),
            ("path", edits.path.is_some(), &now.path),
            ("query", edits.query.is_some(), &now.query),
        ] {
            if is_new {
                let _ = writeln!(out, "  rewrite   {what} becomes {value}");
            }
        }
        for edit in &edits.headers {
            let line = match edit {
                HeaderEdit::Set { key, value } => format!("set {key}: {}", header_value(value, request)),
                HeaderEdit::SetUnlessThere { key, value } => {
                    format!("set {key}: {}, unless it is there", header_value(value, request))
                }
                HeaderEdit::Remove { key } => format!("remove {key}"),
            };
            let _ = writeln!(out, "  header    {line}");
        }
        if let Some(seconds) = sticky_timeout_s {
            let _ = writeln!(
                out,
                "  sticky    a client stays with the Service it got first for {seconds} s"
            );
        }
    }
    if let Some(limit) = &decision.limit {
        let _ = writeln!(out, "  limit     {}", describe::limit(limit));
    }
    if decision.cors.is_some() {
        let _ = writeln!(out, "  cors      preflight requests are answered by ALB");
    }
    for group in &decision.mirror {
        let _ = writeln!(out, "  mirror    a copy goes to {group}");
    }
    out
}

fn rule_line(routed: &Routed<'_>, listener: &Listener, rule: Option<usize>) -> String {
    let Some(index) = rule else {
        return "none matches; the listener's default action answers".to_owned();
    };
    let number = format!("{} of {}", index + 1, listener.rules.len());
    let Some(origin) = routed.origin else {
        return format!("{number}, for requests that no Ingress asks for");
    };
    let others: Vec<String> = listener.rules[index]
        .origins
        .iter()
        .filter(|other| *other != origin)
        .map(|other| format!("{} {}", other.object, other.field))
        .collect();
    let mut line = format!("{number}, from {} {}", origin.object, origin.field);
    if !others.is_empty() {
        let _ = write!(line, " (shared with {})", others.join(", "));
    }
    line
}

/// An action in one line.
pub(crate) fn action(action: &AnswerAction, style: Style) -> String {
    match action {
        AnswerAction::Forward { targets } => {
            let sum: u32 = targets.iter().map(|t| u32::from(t.weight)).sum();
            let one = |t: &RouteTarget| {
                let name = match t.port {
                    Some(port) => format!("Service {} port {port}", t.service),
                    None => format!("server group {}", t.service),
                };
                match targets.len() {
                    1 => name,
                    _ => format!("{name} ({} of {sum})", t.weight),
                }
            };
            let list: Vec<String> = targets.iter().map(one).collect();
            style.good(&format!("forward to {}", list.join(", ")))
        }
        AnswerAction::Redirect { status, location } => {
            style.warn(&format!("{status}, redirect to {location}"))
        }
        AnswerAction::Fixed { status, body } if body.is_empty() => {
            style.bad(&format!("{status}, from ALB itself"))
        }
        AnswerAction::Fixed { status, body } => style.bad(&format!("{status}, from ALB itself: {body}")),
    }
}

/// The rules that were tried and why each did not match.
pub(crate) fn trials(explanation: &Explanation, listener: &Listener, style: Style) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "  tried in this order:");
    for trial in &explanation.trials {
        let rule = &listener.rules[trial.rule];
        let from = origins(rule);
        if trial.unmet.is_empty() {
            let line = format!("{:>5}  {from}: matches", trial.rule + 1);
            let _ = writeln!(out, "{}", style.good(&line));
            continue;
        }
        let _ = writeln!(out, "{:>5}  {from}", trial.rule + 1);
        for unmet in &trial.unmet {
            let _ = writeln!(
                out,
                "         {}",
                reason(&rule.conditions[unmet.condition], &unmet.found)
            );
        }
    }
    if explanation.decision.rule.is_none() {
        let _ = writeln!(out, "         none matches");
    }
    out
}

pub(crate) fn origins(rule: &Rule) -> String {
    let list: Vec<String> = rule
        .origins
        .iter()
        .map(|o| format!("{} {}", o.object, o.field))
        .collect();
    match list.as_slice() {
        [] => "a rule of the gateway".to_owned(),
        _ => list.join(", "),
    }
}

/// Why a condition does not hold.
pub(crate) fn reason(condition: &Condition, found: &[String]) -> String {
    let wanted = describe::values(condition);
    let subject = describe::subject(condition);
    match found {
        [] => format!("{subject} is missing; wanted {wanted}"),
        _ => format!("{subject} is {}; wanted {wanted}", found.join(" and ")),
    }
}
