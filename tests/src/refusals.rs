//! What a rule that the API refuses leaves its own requests to, by the record of the calls.
//!
//! Its requests fall to the next rule that matches them: ALB knows nothing else, and neither does an Ingress. This is for
//! [`crate::scenario::Scenario::CreateAll`], where no rule was there before.

use std::collections::{BTreeMap, BTreeSet};

use alb_sim::CallRecord;

use crate::probe::Wrong;

/// A rule: scheme, and the application that it sends requests to.
type Rule = (&'static str, &'static str);

/// Applications with the rule that is theirs, by host and path, the most specific first.
const RULES: [(&str, &str, &str); 3] = [
    ("shop.example.com", "/cart", "cart"),
    ("shop.example.com", "/", "shop"),
    ("blog.example.com", "/", "blog"),
];

/// Rules that were refused at some time: alone, or because their group was.
#[derive(Debug)]
pub struct Refused(BTreeSet<Rule>);

impl Refused {
    /// Reads the calls of a run.
    pub fn of(calls: &[CallRecord]) -> Self {
        let mut refused = BTreeSet::new();
        let ports = listeners(calls);
        for call in calls.iter().filter(|call| !call.is_ok()) {
            match call.action.as_str() {
                // One by one: a call of several that is refused is made again in parts.
                "CreateRules" if !call.params.contains_key("Rules.2.Priority") => {
                    let port = call.params.get("ListenerId").and_then(|id| ports.get(id));
                    let app = app_of_rule(call);
                    refused.extend(port.zip(app).map(|(scheme, app)| (*scheme, app)));
                }
                "AddServersToServerGroup" => {
                    let app = app_of_servers(call);
                    refused.extend(
                        ["http", "https"]
                            .into_iter()
                            .filter_map(|scheme| Some((scheme, app?))),
                    );
                }
                _ => {}
            }
        }
        Self(refused)
    }

    /// Whether a wrong answer is what the next rule says for a request of a refused rule that was not taken before.
    pub fn explain(&self, wrong: &Wrong) -> bool {
        let Some((scheme, rest)) = wrong.url.split_once("://") else {
            return false;
        };
        let scheme = if scheme == "https" { "https" } else { "http" };
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        let path = format!("/{path}");
        let mut matching = RULES
            .iter()
            .filter(|(its_host, its_path, _)| *its_host == host && path.starts_with(its_path))
            .map(|(_, _, app)| *app)
            .skip_while(|app| self.0.contains(&(scheme, *app)))
            .map(|app| format!("200 {app}"));
        let is_refused = RULES.iter().any(|(its_host, its_path, app)| {
            *its_host == host && path.starts_with(its_path) && self.0.contains(&(scheme, *app))
        });
        let next = matching.next().unwrap_or_else(|| "404".to_owned());
        // On HTTPS the certificate follows.
        let answer = wrong.answer.split(" cert-").next().unwrap_or_default();
        is_refused && !wrong.turned && answer == next
    }
}

/// Schemes of the listeners that were made, by id.
fn listeners(calls: &[CallRecord]) -> BTreeMap<String, &'static str> {
    let made = calls.iter().filter(|call| call.action == "CreateListener");
    made.flat_map(|call| {
        let is_https = call.params.get("ListenerPort").is_some_and(|port| port == "443");
        let scheme = if is_https { "https" } else { "http" };
        call.resource_ids.iter().map(move |id| (id.clone(), scheme))
    })
    .collect()
}

fn app_of_rule(call: &CallRecord) -> Option<&'static str> {
    let values = |kind: &str| {
        let end = format!(".{kind}.Values.1");
        call.params
            .iter()
            .find_map(move |(name, value)| name.ends_with(&end).then_some(value))
    };
    let (host, path) = (values("HostConfig")?, values("PathConfig")?);
    let rule = RULES
        .iter()
        .find(|(its_host, its_path, _)| its_host == host && path.starts_with(its_path))?;
    Some(rule.2)
}

fn app_of_servers(call: &CallRecord) -> Option<&'static str> {
    let server = call.params.get("Servers.1.ServerId")?;
    let apps = [("10.0.1.", "cart"), ("10.0.2.", "shop"), ("10.0.3.", "blog")];
    apps.into_iter()
        .find(|(net, _)| server.starts_with(net))
        .map(|(_, app)| app)
}
