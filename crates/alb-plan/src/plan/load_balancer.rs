//! The load balancer itself.

use alb_model::{Edition, LoadBalancer, Severity, ZoneMapping};

use super::Context;
use crate::ownership::LOAD_BALANCER_RESOURCE;
use crate::step::{LoadBalancerChanges, StepOp, TagTarget};

impl Context<'_> {
    /// Creates or changes the load balancer. False if there is none to work on.
    pub(super) fn load_balancer(&mut self) -> bool {
        let wanted = &self.desired.load_balancer;
        let Some(found) = &self.observed.load_balancer else {
            if let Some(id) = &wanted.id {
                let message = format!("load balancer {id} does not exist; write the id of one that does");
                self.report(Severity::Error, "LoadBalancerNotFound", "spec.config.id", message);
                return false;
            }
            let mut created = wanted.clone();
            created.tags.extend(self.ownership().tags(LOAD_BALANCER_RESOURCE));
            self.created = Some(self.steps.push(StepOp::CreateLoadBalancer(Box::new(created)), []));
            return true;
        };
        let found = &found.attributes;
        if self.reused && !self.may_reuse(wanted, found) {
            return false;
        }
        if !self.reused || wanted.force_override {
            self.change(wanted, found);
        }
        self.tag_load_balancer(wanted, found);
        true
    }

    fn may_reuse(&mut self, wanted: &LoadBalancer, found: &LoadBalancer) -> bool {
        let refusal = if let Some(owner) = self.ownership().other_owner(&found.tags) {
            Some((
                "LoadBalancerOwnedByOther",
                format!("it belongs to {owner}; use another one, or remove it there first"),
            ))
        } else if !wanted.vpc_id.is_empty() && wanted.vpc_id != found.vpc_id {
            Some((
                "LoadBalancerInOtherVpc",
                format!("it is in VPC {}; use one in {}", found.vpc_id, wanted.vpc_id),
            ))
        } else if found.edition == Edition::Basic {
            Some((
                "LoadBalancerEditionBasic",
                "its edition is Basic, which routes by host and path only; use a Standard one".to_owned(),
            ))
        } else {
            None
        };
        let Some((code, reason)) = refusal else {
            return true;
        };
        let id = found.id.clone().unwrap_or_default();
        self.report(
            Severity::Error,
            code,
            "spec.config.id",
            format!("load balancer {id} cannot be reused: {reason}"),
        );
        false
    }

    fn change(&mut self, wanted: &LoadBalancer, found: &LoadBalancer) {
        self.report_fixed(wanted, found);
        let changes = LoadBalancerChanges {
            name: (!wanted.name.is_empty() && wanted.name != found.name).then(|| wanted.name.clone()),
            modification_protection: (wanted.modification_protection != found.modification_protection)
                .then(|| wanted.modification_protection.clone()),
        };
        if changes != LoadBalancerChanges::default() {
            self.steps.push(StepOp::UpdateLoadBalancer(changes), []);
        }
        if wanted.edition > found.edition {
            self.steps.push(StepOp::UpdateEdition(wanted.edition), []);
        }
        if wanted.address_type != found.address_type {
            let op = StepOp::UpdateAddressType {
                address_type: wanted.address_type,
                zones: wanted.zone_mappings.clone(),
            };
            self.steps.push_as(op, [], false);
            let message = format!(
                "the load balancer becomes {}: its addresses change, and clients that know the old ones fail until they \
                 look its name up again",
                wanted.address_type
            );
            self.report(
                Severity::Warning,
                "AddressesChange",
                "spec.config.addressType",
                message,
            );
        }
        if !wanted.zone_mappings.is_empty() && !same_zones(&wanted.zone_mappings, &found.zone_mappings) {
            self.steps
                .push(StepOp::UpdateZones(wanted.zone_mappings.clone()), []);
        }
        if let Some(kind) = wanted.ipv6_address_type
            && found.ipv6_address_type.is_some_and(|f| f != kind)
        {
            let public = kind == alb_model::AddressType::Internet;
            self.steps.push(StepOp::SetIpv6Internet(public), []);
        }
        if wanted.deletion_protection != found.deletion_protection {
            let on = wanted.deletion_protection;
            self.steps.push(StepOp::SetDeletionProtection(on), []);
        }
        if wanted.access_log != found.access_log {
            if found.access_log.is_some() && wanted.access_log.is_some() {
                self.steps.push(StepOp::SetAccessLog(None), []);
            }
            self.steps
                .push(StepOp::SetAccessLog(wanted.access_log.clone()), []);
        }
        if let Some(package) = &wanted.bandwidth_package_id
            && found.bandwidth_package_id.as_ref() != Some(package)
        {
            if let Some(old) = &found.bandwidth_package_id {
                self.steps
                    .push_as(StepOp::DetachBandwidthPackage(old.clone()), [], false);
                let message = format!(
                    "bandwidth package {old} is exchanged for {package}: between the two calls the load balancer has none"
                );
                self.report(
                    Severity::Warning,
                    "BandwidthPackageGap",
                    "spec.config.billingConfig.bandWidthPackageId",
                    message,
                );
            }
            self.steps
                .push(StepOp::AttachBandwidthPackage(package.clone()), []);
        }
        self.security_groups(wanted, found);
        if let Some(group) = &wanted.resource_group_id
            && found.resource_group_id.as_ref() != Some(group)
        {
            let op = StepOp::MoveResourceGroup {
                target: TagTarget::LoadBalancer,
                resource_group_id: group.clone(),
            };
            self.steps.push(op, []);
        }
    }

    fn security_groups(&mut self, wanted: &LoadBalancer, found: &LoadBalancer) {
        let missing = |from: &[String], other: &[String]| -> Vec<String> {
            from.iter().filter(|id| !other.contains(id)).cloned().collect()
        };
        let join = missing(&wanted.security_group_ids, &found.security_group_ids);
        let leave = missing(&found.security_group_ids, &wanted.security_group_ids);
        if !join.is_empty() {
            self.steps.push(StepOp::JoinSecurityGroups(join), []);
        }
        if !leave.is_empty() {
            self.steps.push(StepOp::LeaveSecurityGroups(leave), []);
        }
    }

    /// Says which wanted attributes can only be given at creation.
    fn report_fixed(&mut self, wanted: &LoadBalancer, found: &LoadBalancer) {
        let mut fixed = Vec::new();
        if !wanted.vpc_id.is_empty() && wanted.vpc_id != found.vpc_id {
            fixed.push(("spec.config.vpcId", found.vpc_id.clone(), wanted.vpc_id.clone()));
        }
        if wanted.address_ip_version != found.address_ip_version {
            fixed.push((
                "spec.config.addressIpVersion",
                found.address_ip_version.to_string(),
                wanted.address_ip_version.to_string(),
            ));
        }
        if wanted.edition < found.edition {
            fixed.push((
                "spec.config.edition",
                found.edition.to_string(),
                wanted.edition.to_string(),
            ));
        }
        for (field, found, wanted) in fixed {
            let message = format!(
                "the load balancer has {found}, which cannot change to {wanted}; write {found}, or make a new AlbConfig"
            );
            self.report(Severity::Warning, "AttributeFixed", field, message);
        }
    }

    fn tag_load_balancer(&mut self, wanted: &LoadBalancer, found: &LoadBalancer) {
        let mut tags = wanted.tags.clone();
        tags.extend(self.ownership().tags(LOAD_BALANCER_RESOURCE));
        tags.retain(|key, value| found.tags.get(key) != Some(value));
        if !tags.is_empty() {
            let target = TagTarget::LoadBalancer;
            self.steps.push(StepOp::Tag { target, tags }, []);
        }
    }
}

/// Whether both name the same vSwitches. Elastic IPs can be given only at creation.
fn same_zones(wanted: &[ZoneMapping], found: &[ZoneMapping]) -> bool {
    let switches = |zones: &[ZoneMapping]| {
        let mut ids: Vec<String> = zones.iter().map(|z| z.vswitch_id.clone()).collect();
        ids.sort_unstable();
        ids
    };
    switches(wanted) == switches(found)
}
