//! Requests that need no ids of other resources.

use alb_api::alb;
use alb_model::{LoadBalancer, ServerGroup, Text};

use crate::convert::listener::{protection_to_api, zone_to_api};
use crate::convert::server_group::{
    drain_to_api, health_check_to_api, removed_server_to_api, server_to_api, slow_start_to_api,
    sticky_to_api, uch_to_api,
};
use crate::convert::tags;
use crate::request::Request;
use crate::servers::ServerStep;
use crate::step::ServerGroupChanges;

pub(super) fn create_load_balancer(lb: &LoadBalancer) -> alb::CreateLoadBalancer {
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    alb::CreateLoadBalancer {
        address_type: lb.address_type.as_str().to_owned(),
        vpc_id: lb.vpc_id.clone(),
        load_balancer_edition: lb.edition.as_str().to_owned(),
        load_balancer_billing_config: alb::LoadBalancerBillingConfig {
            pay_type: "PostPay".to_owned(),
            bandwidth_package_id: lb.bandwidth_package_id.clone(),
        },
        zone_mappings: lb.zone_mappings.iter().map(zone_to_api).collect(),
        load_balancer_name: some(&lb.name),
        // The API's own default is Fixed; that of an AlbConfig is Dynamic.
        address_allocated_mode: Some(lb.address_allocated_mode.unwrap_or_default().as_str().to_owned()),
        address_ip_version: Some(lb.address_ip_version.as_str().to_owned()),
        deletion_protection_enabled: Some(lb.deletion_protection),
        modification_protection_config: Some(protection_to_api(lb.modification_protection.as_ref())),
        resource_group_id: lb.resource_group_id.clone(),
        tag: tags(&lb.tags),
        ..Default::default()
    }
}

pub(super) fn create_server_group(group: &ServerGroup) -> alb::CreateServerGroup {
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    alb::CreateServerGroup {
        server_group_name: group.name.to_string(),
        health_check_config: health_check_to_api(group.health_check.as_deref()),
        server_group_type: Some(group.server_type.as_str().to_owned()),
        protocol: Some(group.protocol.as_str().to_owned()),
        scheduler: Some(group.scheduler.as_str().to_owned()),
        uch_config: uch_to_api(group.uch_query_key.as_ref()),
        sticky_session_config: Some(sticky_to_api(group.sticky.as_ref())),
        upstream_keepalive_enabled: Some(group.upstream_keepalive),
        cross_zone_enabled: group.cross_zone,
        ipv6_enabled: group.ipv6.then_some(true),
        slow_start_config: group.slow_start_s.map(|s| slow_start_to_api(Some(s))),
        connection_drain_config: group.connection_drain_s.map(|s| drain_to_api(Some(s))),
        service_name: group.service_name.as_ref().map(Text::to_string),
        vpc_id: some(&group.vpc_id),
        resource_group_id: group.resource_group_id.clone(),
        tag: tags(&group.tags),
        ..Default::default()
    }
}

pub(super) fn update_server_group(
    id: &str,
    group: &ServerGroup,
    changes: ServerGroupChanges,
) -> alb::UpdateServerGroupAttribute {
    let health_check = changes
        .health_check
        .then(|| health_check_to_api(group.health_check.as_deref()));
    alb::UpdateServerGroupAttribute {
        server_group_id: id.to_owned(),
        server_group_name: changes.name.then(|| group.name.to_string()),
        health_check_config: health_check,
        scheduler: changes.scheduler.then(|| group.scheduler.as_str().to_owned()),
        uch_config: uch_to_api(group.uch_query_key.as_ref()).filter(|_| changes.scheduler),
        sticky_session_config: changes.sticky.then(|| sticky_to_api(group.sticky.as_ref())),
        upstream_keepalive_enabled: changes.upstream_keepalive.then_some(group.upstream_keepalive),
        cross_zone_enabled: group.cross_zone.filter(|_| changes.cross_zone),
        slow_start_config: changes.slow_start.then(|| slow_start_to_api(group.slow_start_s)),
        connection_drain_config: changes
            .connection_drain
            .then(|| drain_to_api(group.connection_drain_s)),
        service_name: group
            .service_name
            .as_ref()
            .filter(|_| changes.service_name)
            .map(Text::to_string),
        ..Default::default()
    }
}

pub(super) fn servers_parameters(group_id: &str, step: &ServerStep) -> Request {
    let server_group_id = group_id.to_owned();
    match step {
        ServerStep::Add(servers) => alb::AddServersToServerGroup {
            server_group_id,
            servers: servers.iter().map(server_to_api).collect(),
            ..Default::default()
        }
        .into(),
        ServerStep::Update(servers) => alb::UpdateServerGroupServersAttribute {
            server_group_id,
            servers: servers.iter().map(server_to_api).collect(),
            ..Default::default()
        }
        .into(),
        ServerStep::Remove(servers) => alb::RemoveServersFromServerGroup {
            server_group_id,
            servers: servers.iter().map(removed_server_to_api).collect(),
            ..Default::default()
        }
        .into(),
        ServerStep::Replace { added, removed } => alb::ReplaceServersInServerGroup {
            server_group_id,
            added_servers: added.iter().map(server_to_api).collect(),
            removed_servers: removed.iter().map(removed_server_to_api).collect(),
            ..Default::default()
        }
        .into(),
    }
}
