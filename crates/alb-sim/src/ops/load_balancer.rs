//! Load balancers: create, read, update, delete.

use std::collections::BTreeSet;

use alb_model::{AddressAllocatedMode, AddressIpVersion, AddressType, Edition, limits};
use serde_json::{Value, json};

use super::{About, Answer, Call, check};
use crate::api::{ApiError, ApiResult};
use crate::state::{LoadBalancer, Operate, Phase, format_time};
use crate::wire;

pub(super) const RESOURCE: &str = "loadbalancer";

pub(super) fn create(call: &mut Call<'_>) -> Answer {
    let mut attributes: wire::CreateLoadBalancer = call.parse()?;
    let edition = check_attributes(&attributes)?;
    let vpc = attributes.vpc_id.clone().unwrap_or_default();
    if !call.config.vpcs.iter().any(|known| known.id == vpc) {
        return Err(ApiError::not_found("Vpc", &vpc));
    }
    let zones = attributes.zone_mappings.take().unwrap_or_default();
    check_zones(call, &vpc, &zones)?;
    let tags = check::tags(attributes.tag.as_deref())?;
    let (used, limit) = (call.store.load_balancers.len(), call.store.quotas.load_balancers);
    if used >= limit {
        return Err(ApiError::quota("LoadBalancersNum", used, limit));
    }
    call.commit()?;

    attributes
        .address_allocated_mode
        .get_or_insert_with(|| "Fixed".into());
    attributes.address_ip_version.get_or_insert_with(|| "IPv4".into());
    let id = call.store.ids.resource("alb");
    let protected = attributes.deletion_protection_enabled == Some(true);
    let billing = attributes.load_balancer_billing_config.as_ref();
    let balancer = LoadBalancer {
        id: id.clone(),
        position: call.store.ids.position(),
        phase: Phase::Creating,
        created: call.now,
        edition,
        zone_mappings: zones,
        dns_name: format!("{id}.{}.alb.aliyuncs.com", call.config.region),
        deletion_protection: protected.then_some(call.now),
        ipv6_address_type: "Intranet",
        access_log: None,
        security_groups: Vec::new(),
        bandwidth_package: billing.and_then(|billing| billing.bandwidth_package_id.clone()),
        tags,
        listeners: Vec::new(),
        attributes,
    };
    call.store.load_balancers.insert(id.clone(), balancer);
    let (created, failed) = (id.clone(), id.clone());
    call.start_job(
        about(call, Operate::Create, &id),
        move |store| {
            if let Some(balancer) = store.load_balancers.get_mut(&created) {
                balancer.phase = Phase::Ready;
                store.touch(&created);
            }
        },
        move |store| {
            if let Some(balancer) = store.load_balancers.get_mut(&failed) {
                balancer.phase = Phase::Failed;
            }
        },
    );
    Ok(json!({ "LoadBalancerId": id }))
}

pub(super) fn about(call: &Call<'_>, operate: Operate, id: &str) -> About {
    About {
        operate,
        resource_type: RESOURCE,
        resource_ids: vec![id.to_owned()],
        latency: call.config.job_latency.load_balancer,
    }
}

fn check_attributes(attributes: &wire::CreateLoadBalancer) -> ApiResult<Edition> {
    let address_types: Vec<_> = AddressType::ALL.iter().map(|v| v.as_str()).collect();
    let modes: Vec<_> = AddressAllocatedMode::ALL.iter().map(|v| v.as_str()).collect();
    let versions: Vec<_> = AddressIpVersion::ALL.iter().map(|v| v.as_str()).collect();
    check::optional_one_of("AddressType", attributes.address_type.as_ref(), &address_types)?;
    check::optional_one_of(
        "AddressAllocatedMode",
        attributes.address_allocated_mode.as_ref(),
        &modes,
    )?;
    check::optional_one_of(
        "AddressIpVersion",
        attributes.address_ip_version.as_ref(),
        &versions,
    )?;
    let pay_type = attributes
        .load_balancer_billing_config
        .as_ref()
        .and_then(|b| b.pay_type.as_ref());
    check::optional_one_of("LoadBalancerBillingConfig.PayType", pay_type, &["PostPay"])?;
    if let Some(name) = &attributes.load_balancer_name {
        check::name("LoadBalancerName", name)?;
    }
    check_modification_protection(attributes.modification_protection_config.as_ref())?;
    read_edition(attributes.load_balancer_edition.as_deref().unwrap_or_default())
}

pub(super) fn read_edition(text: &str) -> ApiResult<Edition> {
    let editions: Vec<_> = Edition::ALL.iter().map(|v| v.as_str()).collect();
    check::one_of("LoadBalancerEdition", text, &editions)?;
    text.parse()
        .map_err(|error| ApiError::illegal("LoadBalancerEdition", error))
}

fn check_modification_protection(config: Option<&wire::ModificationProtectionConfig>) -> ApiResult<()> {
    let Some(config) = config else { return Ok(()) };
    let path = "ModificationProtectionConfig";
    check::optional_one_of(
        &format!("{path}.Status"),
        config.status.as_ref(),
        &["NonProtection", "ConsoleProtection"],
    )?;
    match &config.reason {
        Some(reason) if !reason.is_empty() => {
            check::length(&format!("{path}.Reason"), reason, &limits::NAME_CHARS)
        }
        _ => Ok(()),
    }
}

/// Zones: each once, its vSwitch known, in that zone and that VPC; two at least where the region has two.
pub(super) fn check_zones(call: &Call<'_>, vpc: &str, zones: &[wire::ZoneMapping]) -> ApiResult<()> {
    let mut seen = BTreeSet::new();
    for zone in zones {
        let zone_id = zone.zone_id.as_deref().unwrap_or_default();
        let vswitch_id = zone.vswitch_id.as_deref().unwrap_or_default();
        let vswitch = call
            .config
            .vswitches
            .iter()
            .find(|known| known.id == vswitch_id)
            .ok_or_else(|| ApiError::not_found("VSwitch", vswitch_id))?;
        if vswitch.zone_id != zone_id {
            return Err(ApiError::mismatch("ZoneIdAndVSwitchId", zone_id, vswitch_id));
        }
        if vswitch.vpc_id != vpc {
            return Err(ApiError::mismatch("VpcIdAndVSwitchId", vpc, vswitch_id));
        }
        if !seen.insert(zone_id) {
            return Err(ApiError::bad_request(
                "DuplicatedParam.ZoneId",
                "The param of ZoneId is duplicated.",
            ));
        }
    }
    let available: BTreeSet<_> = call
        .config
        .vswitches
        .iter()
        .filter(|vswitch| vswitch.vpc_id == vpc)
        .map(|vswitch| vswitch.zone_id.as_str())
        .collect();
    let least = available.len().min(2);
    if zones.len() < least || zones.len() > *limits::ZONES_PER_LOAD_BALANCER.end() {
        return Err(ApiError::illegal(
            "ZoneMappings",
            format_args!("{} zones given, {least}-10 are allowed", zones.len()),
        ));
    }
    Ok(())
}

pub(super) fn get(call: &mut Call<'_>) -> Answer {
    let balancer = call.store.load_balancer(call.text("LoadBalancerId"))?;
    let mut answer = render(balancer);
    answer["RegionId"] = call.config.region.as_str().into();
    answer["ZoneMappings"] = balancer
        .zone_mappings
        .iter()
        .enumerate()
        .map(|(i, zone)| render_zone(balancer, i, zone))
        .collect();
    Ok(answer)
}

/// Addresses are made up: the data plane listens on loopback, see `/sim/state`.
fn render_zone(balancer: &LoadBalancer, index: usize, zone: &wire::ZoneMapping) -> Value {
    let host = balancer.position % 254 + 1;
    let intranet = zone
        .intranet_address
        .clone()
        .unwrap_or_else(|| format!("10.255.{index}.{host}"));
    let mut address = json!({ "IntranetAddress": intranet });
    if balancer.attributes.address_type.as_deref() == Some("Internet") {
        address["Address"] = format!("203.0.113.{host}").into();
        for (name, value) in [("AllocationId", &zone.allocation_id), ("EipType", &zone.eip_type)] {
            if let Some(value) = value {
                address[name] = value.as_str().into();
            }
        }
    }
    json!({
        "ZoneId": zone.zone_id,
        "VSwitchId": zone.vswitch_id,
        "Status": "Active",
        "LoadBalancerAddresses": [address],
    })
}

/// What lists and single reads show alike.
pub(crate) fn render(balancer: &LoadBalancer) -> Value {
    let attributes = &balancer.attributes;
    let mut answer = json!({
        "LoadBalancerId": balancer.id,
        "LoadBalancerName": attributes.load_balancer_name.clone().unwrap_or_default(),
        "LoadBalancerStatus": balancer.status(),
        "LoadBalancerBussinessStatus": "Normal",
        "LoadBalancerEdition": balancer.edition.as_str(),
        "LoadBalancerBillingConfig": { "PayType": "PostPay" },
        "LoadBalancerOperationLocks": [],
        "DNSName": balancer.dns_name,
        "AddressType": attributes.address_type,
        "AddressAllocatedMode": attributes.address_allocated_mode,
        "AddressIpVersion": attributes.address_ip_version,
        "Ipv6AddressType": balancer.ipv6_address_type,
        "VpcId": attributes.vpc_id,
        "ResourceGroupId": attributes.resource_group_id.clone().unwrap_or_else(|| "rg-default".into()),
        "CreateTime": format_time(balancer.created),
        "SecurityGroupIds": balancer.security_groups,
        "Tags": check::render_tags(&balancer.tags),
        "DeletionProtectionConfig": { "Enabled": balancer.deletion_protection.is_some() },
        "ModificationProtectionConfig": {
            "Status": attributes
                .modification_protection_config
                .as_ref()
                .and_then(|config| config.status.as_deref())
                .unwrap_or("NonProtection"),
        },
    });
    if let Some(since) = balancer.deletion_protection {
        answer["DeletionProtectionConfig"]["EnabledTime"] = format_time(since).into();
    }
    let protection = attributes.modification_protection_config.as_ref();
    if let Some(reason) = protection.and_then(|config| config.reason.as_deref()) {
        answer["ModificationProtectionConfig"]["Reason"] = reason.into();
    }
    if let Some(log) = &balancer.access_log {
        answer["AccessLogConfig"] = json!(log);
    }
    if let Some(package) = &balancer.bandwidth_package {
        answer["BandwidthPackageId"] = package.as_str().into();
    }
    answer
}

pub(super) fn list(call: &mut Call<'_>) -> Answer {
    let ids = call.texts("LoadBalancerIds", 20)?;
    let names = call.texts("LoadBalancerNames", 10)?;
    let vpcs = call.texts("VpcIds", 10)?;
    let tags = call.tag_filter(20)?;
    let equals = |filter: &str, value: &str| call.optional(filter).is_none_or(|wanted| wanted == value);
    let found = call.store.load_balancers.values().filter(|balancer| {
        let shown = render(balancer);
        let field = |name: &str| shown[name].as_str().unwrap_or_default().to_owned();
        let zone = |id: &str| {
            balancer
                .zone_mappings
                .iter()
                .any(|z| z.zone_id.as_deref() == Some(id))
        };
        check::named(&ids, &balancer.id)
            && check::named(&names, &field("LoadBalancerName"))
            && check::named(&vpcs, &field("VpcId"))
            && check::has_tags(&balancer.tags, &tags)
            && call.optional("ZoneId").is_none_or(zone)
            && equals("PayType", "PostPay")
            && [
                "AddressIpVersion",
                "AddressType",
                "DNSName",
                "Ipv6AddressType",
                "LoadBalancerBussinessStatus",
                "LoadBalancerStatus",
                "ResourceGroupId",
            ]
            .iter()
            .all(|name| equals(name, &field(name)))
    });
    let page = call.page(found.map(|balancer| (balancer.position, balancer)), 100)?;
    page.answer("LoadBalancers", render)
}

pub(super) fn update(call: &mut Call<'_>) -> Answer {
    let id = call.text("LoadBalancerId").to_owned();
    let change: wire::CreateLoadBalancer = call.parse()?;
    call.store.writable_load_balancer(&id)?;
    if let Some(name) = &change.load_balancer_name {
        check::name("LoadBalancerName", name)?;
    }
    check_modification_protection(change.modification_protection_config.as_ref())?;
    let job = change_balancer(call, &id, move |balancer| {
        if let Some(name) = change.load_balancer_name {
            balancer.attributes.load_balancer_name = Some(name);
        }
        if let Some(config) = change.modification_protection_config {
            let current = balancer
                .attributes
                .modification_protection_config
                .clone()
                .unwrap_or_default();
            balancer.attributes.modification_protection_config = Some(wire::merged(&current, &config));
        }
    })?;
    Ok(json!({ "JobId": job }))
}

/// Starts a job that changes a load balancer; it is `Configuring` until then.
pub(super) fn change_balancer(
    call: &mut Call<'_>,
    id: &str,
    change: impl FnOnce(&mut LoadBalancer) + Send + 'static,
) -> ApiResult<String> {
    call.store.writable_load_balancer(id)?;
    call.commit()?;
    if let Some(balancer) = call.store.load_balancers.get_mut(id) {
        balancer.phase = Phase::Configuring;
    }
    let (done, failed) = (id.to_owned(), id.to_owned());
    Ok(call.start_job(
        about(call, Operate::Update, id),
        move |store| {
            if let Some(balancer) = store.load_balancers.get_mut(&done) {
                balancer.phase = Phase::Ready;
                change(balancer);
                store.touch(&done);
            }
        },
        move |store| {
            if let Some(balancer) = store.load_balancers.get_mut(&failed) {
                balancer.phase = Phase::Ready;
            }
        },
    ))
}

pub(super) fn delete(call: &mut Call<'_>) -> Answer {
    let id = call.text("LoadBalancerId").to_owned();
    let balancer = call.store.load_balancer(&id)?;
    if !matches!(balancer.phase, Phase::Ready | Phase::Failed) {
        return Err(ApiError::incorrect_status("LoadBalancer", &id, balancer.status()));
    }
    if balancer.deletion_protection.is_some() {
        return Err(ApiError::denied(
            "DeletionProtectionEnabled",
            "The operation is not allowed because of DeletionProtectionEnabled.",
        ));
    }
    let before = balancer.phase;
    call.commit()?;
    if let Some(balancer) = call.store.load_balancers.get_mut(&id) {
        balancer.phase = Phase::Deleting;
    }
    let (gone, kept) = (id.clone(), id.clone());
    let job = call.start_job(
        about(call, Operate::Delete, &id),
        move |store| store.remove_load_balancer(&gone),
        move |store| {
            if let Some(balancer) = store.load_balancers.get_mut(&kept) {
                balancer.phase = before;
            }
        },
    );
    Ok(json!({ "JobId": job }))
}
