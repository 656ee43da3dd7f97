//! The load balancer, and references between the parts of a gateway.

use super::{Findings, Violation, listener, quota, server_group, text};
use crate::{BackendProtocol, Gateway, Listener, ListenerProtocol, Rule, ServerGroupRef, limits};

/// Checks everything but the rules themselves.
pub(super) fn check(gateway: &Gateway) -> Vec<Violation> {
    let mut out = Findings::default();
    check_load_balancer(gateway, &mut out);
    for (i, listener) in gateway.listeners.iter().enumerate() {
        let at = format!("listeners[{i}]");
        listener::check(gateway, listener, &at, &mut out);
        check_reference(
            gateway,
            listener,
            &listener.default_group,
            &format!("{at}.default_group"),
            &mut out,
        );
        if let Some(first) = gateway.listeners[..i]
            .iter()
            .position(|earlier| earlier.key() == listener.key())
        {
            out.error(
                "ListenerRepeated",
                at,
                format_args!(
                    "port {} {} is taken by listeners[{first}]; merge them",
                    listener.port, listener.protocol
                ),
            );
        }
    }
    for (key, group) in &gateway.server_groups {
        server_group::check(
            group,
            &format!("server_groups[{key}]"),
            gateway.load_balancer.edition,
            &mut out,
        );
    }
    for (name, acl) in &gateway.acls {
        let at = format!("acls[{name}].entries");
        out.at_most(
            "AclEntriesExceeded",
            &at,
            "entries in one ACL",
            acl.entries.len(),
            limits::ENTRIES_PER_ACL,
        );
        for entry in acl.entries.keys() {
            if crate::route::parse_block(entry).is_none() {
                out.error(
                    "AclEntryInvalid",
                    &at,
                    format_args!(
                        "{entry:?} is neither an address nor a CIDR block; write one such as 10.0.0.0/8"
                    ),
                );
            }
        }
    }
    quota::check(gateway, &mut out);
    out.0
}

fn check_load_balancer(gateway: &Gateway, out: &mut Findings) {
    let lb = &gateway.load_balancer;
    out.text(
        "NameInvalid",
        "load_balancer.name",
        text::optional(&lb.name, &limits::NAME_CHARS),
    );
    let zones = lb.zone_mappings.len();
    let range = limits::ZONES_PER_LOAD_BALANCER;
    if zones > *range.end() || (zones < *range.start() && lb.id.is_none()) {
        out.error(
            "ZonesInvalid",
            "load_balancer.zone_mappings",
            format_args!(
                "{zones} zones; give {} to {} (two where the region has them)",
                range.start(),
                range.end()
            ),
        );
    }
    for (i, zone) in lb.zone_mappings.iter().enumerate() {
        if zone.vswitch_id.is_empty() {
            out.error(
                "ZonesInvalid",
                format_args!("load_balancer.zone_mappings[{i}].vswitch_id"),
                "a zone needs a vSwitch; write its id",
            );
        }
        if let Some(kind) = zone.eip_type.as_deref()
            && !matches!(kind, "Common" | "Anycast")
        {
            out.error(
                "ZonesInvalid",
                format_args!("load_balancer.zone_mappings[{i}].eip_type"),
                format_args!("{kind:?} is no kind of elastic IP; write Common or Anycast"),
            );
        }
    }
    let has_acl = gateway.listeners.iter().any(|listener| listener.acl.is_some());
    if has_acl && !lb.security_group_ids.is_empty() {
        out.error(
            "AclWithSecurityGroups",
            "load_balancer.security_group_ids",
            "ACLs of listeners and security groups cannot be used together; remove one of them",
        );
    }
}

/// Checks the server groups that a rule names.
pub(super) fn check_rule_references(gateway: &Gateway, listener: &Listener, rule: &Rule) -> Vec<Violation> {
    let mut out = Findings::default();
    for (i, action) in rule.actions.iter().enumerate() {
        for (j, group) in action.server_groups().enumerate() {
            let at = match action {
                crate::Action::Forward(_) => format!("actions[{i}].targets[{j}].group"),
                _ => format!("actions[{i}].groups[{j}]"),
            };
            check_reference(gateway, listener, group, &at, &mut out);
        }
    }
    out.0
}

fn check_reference(
    gateway: &Gateway,
    listener: &Listener,
    group: &ServerGroupRef,
    at: &str,
    out: &mut Findings,
) {
    let key = match group {
        ServerGroupRef::Id(id) if id.is_empty() => {
            out.error("ServerGroupMissing", at, "no server group is named; name one");
            return;
        }
        // Whether an existing group exists is known only to the cloud.
        ServerGroupRef::Id(_) => return,
        ServerGroupRef::Managed(key) => key,
    };
    let Some(group) = gateway.server_groups.get(key) else {
        out.error(
            "ServerGroupMissing",
            at,
            format_args!("the gateway has no server group {key}; add it"),
        );
        return;
    };
    let fits = match group.protocol {
        BackendProtocol::Http => true,
        BackendProtocol::Https => listener.protocol == ListenerProtocol::Https,
        BackendProtocol::Grpc => listener.protocol != ListenerProtocol::Http,
    };
    if !fits {
        let wanted = if group.protocol == BackendProtocol::Grpc {
            "an HTTPS or QUIC"
        } else {
            "an HTTPS"
        };
        out.error(
            "BackendProtocolMismatch",
            at,
            format_args!(
                "{} server group {key} cannot stand behind the {} listener on port {}; use {wanted} listener",
                group.protocol, listener.protocol, listener.port
            ),
        );
    }
}
