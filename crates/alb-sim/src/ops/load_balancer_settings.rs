//! Settings of load balancers that have calls of their own, and zones.

use std::collections::BTreeSet;

use alb_model::Edition;
use serde::Deserialize;
use serde_json::{Value, json};

use super::load_balancer::{change_balancer, check_zones, read_edition};
use super::{Answer, Call, check};
use crate::api::{ApiError, ApiResult};
use crate::state::LoadBalancer;
use crate::wire;

/// Runs `change` as a job on the load balancer that the call names.
fn change(call: &mut Call<'_>, change: impl FnOnce(&mut LoadBalancer) + Send + 'static) -> Answer {
    let id = call.text("LoadBalancerId").to_owned();
    let job = change_balancer(call, &id, change)?;
    Ok(json!({ "JobId": job }))
}

/// As [`change`], for calls whose answer names no job.
fn change_unnamed(call: &mut Call<'_>, apply: impl FnOnce(&mut LoadBalancer) + Send + 'static) -> Answer {
    change(call, apply)?;
    Ok(json!({}))
}

pub(super) fn edition(call: &mut Call<'_>) -> Answer {
    let edition = read_edition(call.text("LoadBalancerEdition"))?;
    let balancer = call.store.writable_load_balancer(call.text("LoadBalancerId"))?;
    if edition == Edition::Basic && balancer.edition != Edition::Basic {
        return Err(ApiError::denied(
            "LoadBalancerEditionDowngrade",
            "The operation is not allowed: an edition can be upgraded, not downgraded to Basic.",
        ));
    }
    change_unnamed(call, move |balancer| balancer.edition = edition)
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Zones {
    zone_mappings: Vec<wire::ZoneMapping>,
}

pub(super) fn zones(call: &mut Call<'_>) -> Answer {
    let zones: Zones = call.parse()?;
    let balancer = call.store.writable_load_balancer(call.text("LoadBalancerId"))?;
    let vpc = balancer.attributes.vpc_id.clone().unwrap_or_default();
    check_zones(call, &vpc, &zones.zone_mappings)?;
    change(call, move |balancer| {
        let old = std::mem::replace(&mut balancer.zone_mappings, zones.zone_mappings);
        // A zone that stays keeps its addresses.
        for zone in &mut balancer.zone_mappings {
            if let Some(before) = old.iter().find(|before| before.zone_id == zone.zone_id) {
                *zone = wire::merged(before, zone);
            }
        }
    })
}

pub(super) fn address_type(call: &mut Call<'_>) -> Answer {
    let wanted = call.text("AddressType").to_owned();
    check::one_of("AddressType", &wanted, &["Internet", "Intranet"])?;
    let zones: Zones = call.parse()?;
    change(call, move |balancer| {
        for change in zones.zone_mappings {
            let place = |zone: &&mut wire::ZoneMapping| {
                zone.zone_id == change.zone_id || zone.vswitch_id == change.vswitch_id
            };
            if let Some(zone) = balancer.zone_mappings.iter_mut().find(place) {
                *zone = wire::merged(zone, &change);
            }
        }
        if wanted == "Intranet" {
            for zone in &mut balancer.zone_mappings {
                zone.allocation_id = None;
                zone.eip_type = None;
            }
        }
        balancer.attributes.address_type = Some(wanted);
    })
}

pub(super) fn enable_ipv6_internet(call: &mut Call<'_>) -> Answer {
    ipv6(call, "Internet")
}

pub(super) fn disable_ipv6_internet(call: &mut Call<'_>) -> Answer {
    ipv6(call, "Intranet")
}

fn ipv6(call: &mut Call<'_>, wanted: &'static str) -> Answer {
    let balancer = call.store.writable_load_balancer(call.text("LoadBalancerId"))?;
    if balancer.attributes.address_ip_version.as_deref() != Some("DualStack") {
        return Err(ApiError::denied(
            "NotDualStack",
            "The operation is not allowed: the load balancer has no IPv6 addresses, its AddressIpVersion is IPv4.",
        ));
    }
    change(call, move |balancer| balancer.ipv6_address_type = wanted)
}

pub(super) fn enable_deletion_protection(call: &mut Call<'_>) -> Answer {
    deletion_protection(call, true)
}

pub(super) fn disable_deletion_protection(call: &mut Call<'_>) -> Answer {
    deletion_protection(call, false)
}

fn deletion_protection(call: &mut Call<'_>, on: bool) -> Answer {
    let id = call.text("ResourceId").to_owned();
    call.store.load_balancer(&id)?;
    call.commit()?;
    let since = on.then_some(call.now);
    if let Some(balancer) = call.store.load_balancers.get_mut(&id) {
        balancer.deletion_protection = since;
        call.store.touch(&id);
    }
    Ok(json!({}))
}

pub(super) fn enable_access_log(call: &mut Call<'_>) -> Answer {
    let log: wire::AccessLogConfig = call.parse()?;
    let balancer = call.store.writable_load_balancer(call.text("LoadBalancerId"))?;
    if balancer.access_log.is_some() {
        return Err(ApiError::denied(
            "AccessLogEnabled",
            "The operation is not allowed because of AccessLogEnabled.",
        ));
    }
    change(call, move |balancer| balancer.access_log = Some(log))
}

pub(super) fn disable_access_log(call: &mut Call<'_>) -> Answer {
    change_unnamed(call, |balancer| balancer.access_log = None)
}

fn security_groups(call: &Call<'_>) -> ApiResult<Vec<String>> {
    let groups = call.texts("SecurityGroupIds", 20)?;
    match groups.iter().find(|id| !id.starts_with("sg-")) {
        Some(id) => Err(ApiError::not_found("SecurityGroup", id)),
        None => Ok(groups),
    }
}

pub(super) fn join_security_group(call: &mut Call<'_>) -> Answer {
    let groups = security_groups(call)?;
    let id = call.text("LoadBalancerId");
    call.store.writable_load_balancer(id)?;
    if call
        .store
        .listeners_of(id)
        .any(|listener| !listener.acls.is_empty())
    {
        return Err(ApiError::denied(
            "AclAssociated",
            "The operation is not allowed: a listener of the load balancer has an ACL.",
        ));
    }
    change(call, move |balancer| {
        for group in groups {
            if !balancer.security_groups.contains(&group) {
                balancer.security_groups.push(group);
            }
        }
    })
}

pub(super) fn leave_security_group(call: &mut Call<'_>) -> Answer {
    let groups = security_groups(call)?;
    change(call, move |balancer| {
        balancer.security_groups.retain(|group| !groups.contains(group));
    })
}

fn check_region(call: &Call<'_>) -> ApiResult<()> {
    let region = call.config.region.as_str();
    check::one_of("RegionId", call.text("RegionId"), &[region])
}

pub(super) fn attach_bandwidth_package(call: &mut Call<'_>) -> Answer {
    check_region(call)?;
    let package = call.text("BandwidthPackageId").to_owned();
    let balancer = call.store.writable_load_balancer(call.text("LoadBalancerId"))?;
    if balancer.bandwidth_package.is_some() {
        return Err(ApiError::denied(
            "BandwidthPackageAttached",
            "The operation is not allowed: a bandwidth package is attached already; detach it first.",
        ));
    }
    change(call, move |balancer| balancer.bandwidth_package = Some(package))
}

pub(super) fn detach_bandwidth_package(call: &mut Call<'_>) -> Answer {
    check_region(call)?;
    let package = call.text("BandwidthPackageId");
    let balancer = call.store.writable_load_balancer(call.text("LoadBalancerId"))?;
    if balancer.bandwidth_package.as_deref() != Some(package) {
        return Err(ApiError::not_found("BandwidthPackage", package));
    }
    change(call, |balancer| balancer.bandwidth_package = None)
}

#[expect(clippy::unnecessary_wraps, reason = "all operations have this form")]
pub(super) fn describe_zones(call: &mut Call<'_>) -> Answer {
    let zones: BTreeSet<&str> = call
        .config
        .vswitches
        .iter()
        .map(|vswitch| vswitch.zone_id.as_str())
        .collect();
    let zones: Vec<Value> = zones
        .into_iter()
        .map(|zone| json!({ "ZoneId": zone, "LocalName": zone }))
        .collect();
    Ok(json!({ "Zones": zones }))
}
