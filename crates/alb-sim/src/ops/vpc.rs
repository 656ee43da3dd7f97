//! The calls of VPC that look up zones.

use serde_json::{Value, json};

use super::{Answer, Call, Operation, check};
use crate::api::ApiResult;

pub(super) fn find(action: &str) -> Option<Operation> {
    Some(match action {
        "DescribeVSwitches" => describe_vswitches,
        "DescribeVpcs" => describe_vpcs,
        _ => return None,
    })
}

/// Pages by number: `PageNumber` from 1, `PageSize` 1–50, default 10.
fn page(call: &Call<'_>, items: Vec<Value>, list: &str, item: &str) -> Answer {
    let (number, size) = numbers(call)?;
    let total = items.len();
    let from = (number - 1).saturating_mul(size);
    let items: Vec<Value> = items.into_iter().skip(from).take(size).collect();
    Ok(json!({
        "PageNumber": number,
        "PageSize": size,
        "TotalCount": total,
        list: { item: items },
    }))
}

fn numbers(call: &Call<'_>) -> ApiResult<(usize, usize)> {
    let number = call.params["PageNumber"].as_i64().unwrap_or(1);
    let size = call.params["PageSize"].as_i64().unwrap_or(10);
    check::range("PageNumber", number, &(1..=i64::from(i32::MAX)))?;
    check::range("PageSize", size, &(1..=50_i64))?;
    Ok((number as usize, size as usize))
}

/// Whether a filter names the value. `VSwitchId` and `VpcId` take several ids separated by commas.
fn wanted(call: &Call<'_>, filter: &str, value: &str) -> bool {
    call.optional(filter)
        .is_none_or(|wanted| wanted.is_empty() || wanted.split(',').any(|one| one.trim() == value))
}

fn describe_vswitches(call: &mut Call<'_>) -> Answer {
    let found = call.config.vswitches.iter().filter(|vswitch| {
        wanted(call, "VSwitchId", &vswitch.id)
            && wanted(call, "VpcId", &vswitch.vpc_id)
            && wanted(call, "ZoneId", &vswitch.zone_id)
    });
    let found = found.map(|vswitch| {
        json!({
            "VSwitchId": vswitch.id,
            "VSwitchName": vswitch.id,
            "VpcId": vswitch.vpc_id,
            "ZoneId": vswitch.zone_id,
            "Status": "Available",
            "AvailableIpAddressCount": 250,
            "IsDefault": false,
        })
    });
    page(call, found.collect(), "VSwitches", "VSwitch")
}

fn describe_vpcs(call: &mut Call<'_>) -> Answer {
    let vpcs = call
        .config
        .vpcs
        .iter()
        .filter(|vpc| wanted(call, "VpcId", &vpc.id));
    let found = vpcs.map(|vpc| {
        let vswitches = call
            .config
            .vswitches
            .iter()
            .filter(|vswitch| vswitch.vpc_id == vpc.id);
        json!({
            "VpcId": vpc.id,
            "VpcName": vpc.id,
            "CidrBlock": vpc.cidr_block,
            "RegionId": call.config.region,
            "Status": "Available",
            "IsDefault": false,
            "VSwitchIds": { "VSwitchId": vswitches.map(|v| v.id.as_str()).collect::<Vec<_>>() },
        })
    });
    page(call, found.collect(), "Vpcs", "Vpc")
}
