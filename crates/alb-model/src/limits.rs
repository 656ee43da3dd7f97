//! Limits of ALB, from the quota pages of its documentation and the parameter descriptions of its OpenAPI (2020-06-16),
//! unless said otherwise.
//!
//! Two kinds: what the API refuses outright (constants, and functions of the [`Edition`]), and [`Quota`]s, which an
//! account can have raised. A rule, a server or a certificate counts once for each listener or rule that refers to it.
//! Exceeding a quota does not heal by itself: count before calling.

use std::ops::RangeInclusive;

use crate::{Condition, Edition, Rule};

/// A count that can be raised on request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Quota {
    /// What an account has without asking.
    pub default: usize,
    /// What it can be raised to.
    pub max: usize,
}

impl Quota {
    const fn new(default: usize, max: usize) -> Self {
        Self { default, max }
    }
}

// --- Quotas of a load balancer ---------------------------------------------------------------------------------------

/// Forwarding rules of one load balancer, over all its listeners (`alb_quota_loadbalancer_rules_num_…`).
pub const fn rules_per_load_balancer(edition: Edition) -> Quota {
    match edition {
        Edition::Basic => Quota::new(40, 100),
        Edition::Standard | Edition::StandardWithWaf => Quota::new(100, 200),
    }
}

/// Additional certificates of one load balancer; default certificates of listeners do not count
/// (`alb_quota_loadbalancer_certificates_num_…`).
pub const fn certificates_per_load_balancer(edition: Edition) -> Quota {
    match edition {
        Edition::Basic => Quota::new(10, 150),
        Edition::Standard | Edition::StandardWithWaf => Quota::new(25, 300),
    }
}

/// Servers of one load balancer (`alb_quota_loadbalancer_servers_num_…`).
pub const fn servers_per_load_balancer(edition: Edition) -> Quota {
    match edition {
        Edition::Basic => Quota::new(200, 400),
        Edition::Standard | Edition::StandardWithWaf => Quota::new(1000, 1500),
    }
}

/// Listeners of one load balancer (`alb_quota_loadbalancer_listeners_num_…`).
pub const fn listeners_per_load_balancer(edition: Edition) -> Quota {
    match edition {
        Edition::Basic => Quota::new(50, 80),
        Edition::Standard | Edition::StandardWithWaf => Quota::new(50, 100),
    }
}

/// How often one backend server may be added to server groups (`alb_quota_server_added_num`).
pub const GROUPS_PER_SERVER: Quota = Quota::new(200, 300);
/// Listeners and rules that may refer to one server group (`alb_quota_servergroup_attached_num`).
pub const REFERENCES_PER_SERVER_GROUP: Quota = Quota::new(50, 100);
/// Load balancers of an account in a region (`alb_quota_loadbalancers_num`).
pub const LOAD_BALANCERS_PER_REGION: Quota = Quota::new(60, 150);

// --- Counts in a rule ------------------------------------------------------------------------------------------------

/// Condition entries of one rule: the values of all its conditions together.
pub const fn conditions_per_rule(edition: Edition) -> usize {
    match edition {
        Edition::Basic => 5,
        Edition::Standard | Edition::StandardWithWaf => 10,
    }
}

/// Actions of one rule, the final one included.
pub const fn actions_per_rule(edition: Edition) -> usize {
    match edition {
        Edition::Basic => 3,
        Edition::Standard | Edition::StandardWithWaf => 5,
    }
}

/// Condition entries of one rule that hold a wildcard.
pub const fn wildcards_per_rule(edition: Edition) -> usize {
    match edition {
        Edition::Basic => 5,
        Edition::Standard | Edition::StandardWithWaf => 10,
    }
}

/// Server groups of one forward action.
pub const SERVER_GROUPS_PER_FORWARD: usize = 5;
/// Sum of the weights of one forward action (`alb_quota_server_groups_weight`). The quota page gives the number only;
/// that it bounds the sum is unverified.
pub const WEIGHT_SUM_PER_FORWARD: u32 = 100;
/// Addresses and blocks in the source conditions of one rule.
pub const SOURCE_IPS_PER_RULE: usize = 5;

/// The entries that count towards [`conditions_per_rule`].
pub fn condition_entries(rule: &Rule) -> usize {
    rule.conditions.iter().map(entries).sum()
}

/// The entries that count towards [`wildcards_per_rule`]. A regular expression counts as one (unverified).
pub fn wildcard_entries(rule: &Rule) -> usize {
    rule.conditions.iter().map(wildcards).sum()
}

fn entries(condition: &Condition) -> usize {
    match condition {
        Condition::Host { values }
        | Condition::Path { values }
        | Condition::Header { values, .. }
        | Condition::Method { values }
        | Condition::SourceIp { values }
        | Condition::ResponseHeader { values, .. }
        | Condition::ResponseStatusCode { values } => values.len(),
        Condition::QueryString { values } | Condition::Cookie { values } => values.len(),
    }
}

fn wildcards(condition: &Condition) -> usize {
    let is_wildcard = |value: &str| value.contains(['*', '?']);
    match condition {
        Condition::Host { values }
        | Condition::Path { values }
        | Condition::Header { values, .. }
        | Condition::ResponseHeader { values, .. }
        | Condition::ResponseStatusCode { values } => values.iter().filter(|v| is_wildcard(v)).count(),
        Condition::QueryString { values } | Condition::Cookie { values } => {
            values.iter().filter(|pair| is_wildcard(&pair.value)).count()
        }
        Condition::Method { .. } | Condition::SourceIp { .. } => 0,
    }
}

// --- Values of a rule ------------------------------------------------------------------------------------------------

/// Priority of a rule; smaller first.
pub const RULE_PRIORITY: RangeInclusive<u16> = 1..=10_000;
/// `Order` of an action within its rule.
pub const ACTION_ORDER: RangeInclusive<u16> = 1..=50_000;
/// Characters in the names of load balancers, rules and server groups.
pub const NAME_CHARS: RangeInclusive<usize> = 2..=128;
/// Characters in the descriptions of listeners and servers.
pub const DESCRIPTION_CHARS: RangeInclusive<usize> = 2..=256;
/// Characters in a host value.
pub const HOST_CHARS: RangeInclusive<usize> = 3..=128;
/// Characters in a path value, `~*` included.
pub const PATH_CHARS: RangeInclusive<usize> = 1..=128;
/// Characters in the name of a header.
pub const HEADER_KEY_CHARS: RangeInclusive<usize> = 1..=40;
/// Characters in the value of a header.
pub const HEADER_VALUE_CHARS: RangeInclusive<usize> = 1..=128;
/// Characters in the name of a query parameter.
pub const QUERY_KEY_CHARS: RangeInclusive<usize> = 1..=100;
/// Characters in the value of a query parameter. The annotation's documentation says 100, the API's 128.
pub const QUERY_VALUE_CHARS: RangeInclusive<usize> = 1..=128;
/// Characters in the name and in the value of a cookie.
pub const COOKIE_CHARS: RangeInclusive<usize> = 1..=100;
/// Characters in the query of a redirect or rewrite.
pub const QUERY_CHARS: RangeInclusive<usize> = 1..=128;
/// Methods a condition or a cross-origin setting may name.
pub const METHODS: &[&str] = &["HEAD", "GET", "POST", "OPTIONS", "PUT", "PATCH", "DELETE"];
/// Share of a server group or of a server.
pub const WEIGHT: RangeInclusive<u16> = 0..=100;
/// Seconds of stickiness between the groups of a forward action.
pub const FORWARD_STICKY_TIMEOUT_S: RangeInclusive<u32> = 1..=86_400;
/// Port of a redirect. The upper end is what the documentation says, not a slip of this crate.
pub const REDIRECT_PORT: RangeInclusive<u16> = 1..=63_335;
/// Bytes in the body of a fixed response.
pub const FIXED_RESPONSE_BYTES: usize = 1024;
/// Content types of a fixed response.
pub const FIXED_RESPONSE_CONTENT_TYPES: &[&str] = &[
    "text/plain",
    "text/css",
    "text/html",
    "application/javascript",
    "application/json",
];
/// Requests per second of a traffic limit. Older documentation ends at 100,000.
pub const TRAFFIC_LIMIT_QPS: RangeInclusive<u32> = 1..=1_000_000;
/// Seconds a preflight answer may be cached.
pub const CORS_MAX_AGE_S: RangeInclusive<i32> = -1..=172_800;
/// Headers a request rule may neither insert nor remove; lower-case.
pub const REQUEST_HEADERS_RESERVED: &[&str] = &[
    "slb-id",
    "slb-ip",
    "x-forwarded-for",
    "x-forwarded-proto",
    "x-forwarded-eip",
    "x-forwarded-port",
    "x-forwarded-client-srcport",
    "x-forwarded-host",
    "connection",
    "upgrade",
    "content-length",
    "transfer-encoding",
    "keep-alive",
    "te",
    "host",
    "cookie",
    "remoteip",
    "authority",
];
/// Headers a response rule may not remove; lower-case. That it may not insert them either is unverified.
pub const RESPONSE_HEADERS_RESERVED: &[&str] =
    &["connection", "upgrade", "content-length", "transfer-encoding"];

// --- Listeners, ACLs -------------------------------------------------------------------------------------------------

/// Zones of a load balancer.
pub const ZONES_PER_LOAD_BALANCER: RangeInclusive<usize> = 1..=10;
/// Seconds an idle connection stays open, without a raised quota.
pub const IDLE_TIMEOUT_S: RangeInclusive<u32> = 1..=60;
/// Seconds an idle connection stays open at most, with a raised quota.
pub const IDLE_TIMEOUT_MAX_S: u32 = 900;
/// Seconds a backend may take to answer, without a raised quota.
pub const REQUEST_TIMEOUT_S: RangeInclusive<u32> = 1..=180;
/// Seconds a backend may take to answer at most, with a raised quota.
pub const REQUEST_TIMEOUT_MAX_S: u32 = 3600;
/// Sampling rate of tracing, per 10,000 requests.
pub const TRACING_SAMPLE: RangeInclusive<u32> = 1..=10_000;
/// ACLs of one listener.
pub const ACLS_PER_LISTENER: usize = 3;
/// Entries of one ACL.
pub const ENTRIES_PER_ACL: usize = 500;
/// Entries of all ACLs of a load balancer.
pub const ACL_ENTRIES_PER_LOAD_BALANCER: usize = 800;

/// Entries of all ACLs of one listener.
pub const fn acl_entries_per_listener(edition: Edition) -> usize {
    match edition {
        Edition::Basic => 300,
        Edition::Standard | Edition::StandardWithWaf => 500,
    }
}

// --- Server groups ---------------------------------------------------------------------------------------------------

/// Servers of one server group.
pub const SERVERS_PER_SERVER_GROUP: usize = 1000;
/// Characters in the path of a health check.
pub const HEALTH_CHECK_PATH_CHARS: RangeInclusive<usize> = 1..=80;
/// Seconds a health check waits for an answer.
pub const HEALTH_CHECK_TIMEOUT_S: RangeInclusive<u32> = 1..=300;
/// Seconds between health checks.
pub const HEALTH_CHECK_INTERVAL_S: RangeInclusive<u32> = 1..=50;
/// Successes or failures in a row that change a server's health.
pub const HEALTH_CHECK_THRESHOLD: RangeInclusive<u32> = 2..=10;
/// Seconds of life of the cookie that ALB inserts.
pub const COOKIE_TIMEOUT_S: RangeInclusive<u32> = 1..=86_400;
/// Characters in the name of the servers' own stickiness cookie.
pub const STICKY_COOKIE_CHARS: RangeInclusive<usize> = 1..=200;
/// Seconds of slow start.
pub const SLOW_START_S: RangeInclusive<u32> = 30..=900;
/// Seconds of connection draining.
pub const CONNECTION_DRAIN_S: RangeInclusive<u32> = 0..=900;

// --- Sizes of calls --------------------------------------------------------------------------------------------------

/// Rules in one `CreateRules` or `UpdateRulesAttribute`.
pub const RULES_PER_CALL: usize = 10;
/// Rule ids in one `DeleteRules`.
pub const RULE_IDS_PER_DELETE: usize = 100;
/// Rule ids in one `DeleteRules`, as older documentation has it: what to fall back to when the API refuses more.
pub const RULE_IDS_PER_DELETE_FALLBACK: usize = 10;
/// Servers in one call that adds, removes, replaces or updates servers.
pub const SERVERS_PER_CALL: usize = 200;
/// Servers in one such call, as older documentation has it: what to fall back to when the API refuses more.
pub const SERVERS_PER_CALL_FALLBACK: usize = 40;
/// Entries in one call that adds or removes ACL entries.
pub const ACL_ENTRIES_PER_CALL: usize = 20;
/// Certificates in one call that associates or dissociates additional certificates.
pub const CERTIFICATES_PER_CALL: usize = 20;
/// Listener, load balancer or rule ids in the filters of one `List…` call.
pub const IDS_PER_LIST_FILTER: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::KeyValue;

    #[test]
    fn entries_and_wildcards_are_counted_over_all_conditions() {
        let rule = Rule {
            conditions: vec![
                Condition::host(["*.a.com", "b.com"]),
                Condition::path(["/x", "/x/*", "~*^/y$"]),
                Condition::Method {
                    values: vec!["GET".into()].into(),
                },
                Condition::Cookie {
                    values: vec![KeyValue::new("k", "v?")],
                },
                Condition::SourceIp {
                    values: vec!["10.0.0.0/8".into()].into(),
                },
            ],
            ..Rule::default()
        };
        assert_eq!(condition_entries(&rule), 8);
        assert_eq!(wildcard_entries(&rule), 4);
    }

    #[test]
    fn the_basic_edition_never_has_more() {
        for edition in [Edition::Standard, Edition::StandardWithWaf] {
            for count in [
                conditions_per_rule,
                actions_per_rule,
                wildcards_per_rule,
                acl_entries_per_listener,
            ] {
                assert!(count(Edition::Basic) <= count(edition));
            }
            for quota in [
                rules_per_load_balancer,
                certificates_per_load_balancer,
                servers_per_load_balancer,
                listeners_per_load_balancer,
            ] {
                let (basic, full) = (quota(Edition::Basic), quota(edition));
                assert!(basic.default <= full.default && basic.max <= full.max && full.default <= full.max);
            }
        }
    }
}
