//! Where to put a load balancer that names no zones.

use std::collections::{BTreeMap, BTreeSet};

use alb_api::{Client, alb, vpc};
use alb_model::{ZoneMapping, limits};

use super::ExecError;

/// One vSwitch of the VPC for each zone in which ALB runs, at most as many as a load balancer takes. The choice is the
/// same each time, so that a creation that is repeated after a lost answer is the same request.
///
/// # Errors
/// A read fails, or there is no such vSwitch.
pub(crate) async fn discover_zones(client: &Client, vpc_id: &str) -> Result<Vec<ZoneMapping>, ExecError> {
    let offered = client.send(&alb::DescribeZones::default()).await?;
    let offered: BTreeSet<String> = offered.zones.into_iter().map(|zone| zone.zone_id).collect();
    let request = vpc::DescribeVSwitches {
        vpc_id: Some(vpc_id.to_owned()),
        ..Default::default()
    };
    let switches = client.all_pages(request).await?;
    let mut zones: BTreeMap<String, String> = BTreeMap::new();
    for switch in switches {
        let usable = switch.status != "Pending" && switch.available_ip_address_count != Some(0);
        if !usable || !offered.contains(&switch.zone_id) {
            continue;
        }
        let chosen = zones
            .entry(switch.zone_id)
            .or_insert_with(|| switch.vswitch_id.clone());
        if switch.vswitch_id < *chosen {
            *chosen = switch.vswitch_id;
        }
    }
    if zones.is_empty() {
        return Err(ExecError::NoZone {
            vpc: vpc_id.to_owned(),
            zones: offered.into_iter().collect::<Vec<_>>().join(", "),
        });
    }
    Ok(zones
        .into_iter()
        .take(*limits::ZONES_PER_LOAD_BALANCER.end())
        .map(|(zone_id, vswitch_id)| ZoneMapping {
            zone_id,
            vswitch_id,
            ..ZoneMapping::default()
        })
        .collect())
}
