//! The load balancer itself.

use alb_model::{
    AccessLog, AddressIpVersion, AddressType, Edition, LoadBalancer, Severity, Tags, ZoneMapping,
};

use super::Context;
use crate::ownership::{LOAD_BALANCER_RESOURCE, REUSED_TAG};
use crate::step::{LoadBalancerChanges, StepId, StepOp, TagTarget};

impl Context<'_> {
    /// Creates or changes the load balancer. False if there is none to work on.
    pub(super) fn load_balancer(&mut self) -> bool {
        let wanted = &self.desired.load_balancer;
        let Some(found) = &self.observed.load_balancer else {
            return self.create_load_balancer(wanted);
        };
        let found = &found.attributes;
        if self.reused && !self.may_reuse(wanted, found) {
            return false;
        }
        let changes = self.changes_load_balancer();
        if changes {
            self.change(wanted, found);
        }
        self.tag_load_balancer(wanted, found, changes);
        true
    }

    /// Whether the attributes of a load balancer that is there follow the wanted ones.
    pub(super) fn changes_load_balancer(&self) -> bool {
        (!self.reused || self.desired.load_balancer.force_override) && !self.options.frozen_load_balancer
    }

    fn create_load_balancer(&mut self, wanted: &LoadBalancer) -> bool {
        if let Some(id) = &wanted.id {
            let message = format!("load balancer {id} does not exist; write the id of one that does");
            self.report(Severity::Error, "LoadBalancerNotFound", "spec.config.id", message);
            return false;
        }
        if self.options.frozen_load_balancer {
            let message = "there is no load balancer yet, and none is created from attributes with mistakes; correct them";
            self.report(Severity::Error, "LoadBalancerNotCreated", "spec.config", message);
            return false;
        }
        let mut created = wanted.clone();
        created.tags.extend(self.ownership().tags(LOAD_BALANCER_RESOURCE));
        self.created = Some(self.steps.push(StepOp::CreateLoadBalancer(Box::new(created)), []));
        // What its creation takes no parameter for.
        if wanted.address_ip_version == AddressIpVersion::DualStack
            && wanted.ipv6_address_type == Some(AddressType::Internet)
        {
            self.steps.push(StepOp::SetIpv6Internet(true), []);
        }
        self.access_log(wanted, None);
        if !wanted.security_group_ids.is_empty() {
            let join = StepOp::JoinSecurityGroups(wanted.security_group_ids.clone());
            self.steps.push(join, []);
        }
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
        self.access_log(wanted, found.access_log.as_ref());
        self.bandwidth_package(wanted, found);
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

    fn access_log(&mut self, wanted: &LoadBalancer, found: Option<&AccessLog>) {
        if wanted.access_log.as_ref() == found {
            return;
        }
        if found.is_some() && wanted.access_log.is_some() {
            self.steps.push(StepOp::SetAccessLog(None), []);
        }
        let step = self
            .steps
            .push(StepOp::SetAccessLog(wanted.access_log.clone()), []);
        self.access_log_ready = wanted.access_log.is_some().then_some(step);
    }

    fn bandwidth_package(&mut self, wanted: &LoadBalancer, found: &LoadBalancer) {
        let (package, old) = match (&wanted.bandwidth_package_id, &found.bandwidth_package_id) {
            (Some(package), old) if old.as_ref() != Some(package) => (package, old),
            (None, Some(old)) => {
                let message = format!(
                    "bandwidth package {old} stays attached although none is named here; name it, or detach it in the \
                     console of shared bandwidth"
                );
                let field = "spec.config.billingConfig.bandWidthPackageId";
                self.report(Severity::Warning, "BandwidthPackageStays", field, message);
                return;
            }
            _ => return,
        };
        if let Some(old) = old {
            self.steps
                .push_as(StepOp::DetachBandwidthPackage(old.clone()), [], false);
            let message = format!(
                "bandwidth package {old} is exchanged for {package}: for a moment the load balancer has none, and its \
                 bandwidth is that of its elastic IPs"
            );
            let field = "spec.config.billingConfig.bandWidthPackageId";
            self.report(Severity::Warning, "BandwidthPackageExchanged", field, message);
        }
        self.steps
            .push(StepOp::AttachBandwidthPackage(package.clone()), []);
    }

    fn security_groups(&mut self, wanted: &LoadBalancer, found: &LoadBalancer) {
        let missing = |from: &[String], other: &[String]| -> Vec<String> {
            from.iter().filter(|id| !other.contains(id)).cloned().collect()
        };
        let join = missing(&wanted.security_group_ids, &found.security_group_ids);
        let leave = missing(&found.security_group_ids, &wanted.security_group_ids);
        let has_acls = self.observed.listeners.iter().any(|l| l.attributes.acl.is_some());
        if !join.is_empty() && has_acls {
            // ALB takes no security group while a listener has an access control list.
            self.joins_after_acls = join;
        } else if !join.is_empty() {
            self.steps.push(StepOp::JoinSecurityGroups(join), []);
        }
        if !leave.is_empty() {
            let step = self.steps.push(StepOp::LeaveSecurityGroups(leave), []);
            self.groups_left = wanted.security_group_ids.is_empty().then_some(step);
        }
    }

    /// Joins security groups once no listener has an access control list.
    pub(super) fn join_security_groups(&mut self) {
        let groups = std::mem::take(&mut self.joins_after_acls);
        if groups.is_empty() {
            return;
        }
        let with_acls = self
            .observed
            .listeners
            .iter()
            .filter(|l| l.attributes.acl.is_some());
        let waits: Vec<StepId> = with_acls
            .filter_map(|l| self.steps.last(&super::listeners::resource(&l.attributes)))
            .collect();
        self.steps
            .push_as(StepOp::JoinSecurityGroups(groups), waits, false);
        let message = "access control lists give way to security groups: between the two everybody may enter, for ALB \
                       takes no security group while a listener has a list";
        self.report(
            Severity::Warning,
            "AclGap",
            "spec.config.securityGroupIds",
            message,
        );
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
        if let (Some(wanted), Some(found)) = (wanted.address_allocated_mode, found.address_allocated_mode)
            && wanted != found
        {
            fixed.push((
                "spec.config.addressAllocatedMode",
                found.to_string(),
                wanted.to_string(),
            ));
        }
        for (field, found, wanted) in fixed {
            let message = format!(
                "the load balancer has {found}, which cannot change to {wanted}; write {found}, or make a new AlbConfig"
            );
            self.report(Severity::Error, "AttributeFixed", field, message);
        }
        if wanted.address_type == found.address_type {
            self.report_fixed_addresses(wanted, found);
        }
    }

    /// Elastic IPs can be given when the load balancer is created or becomes public, and at no other time.
    fn report_fixed_addresses(&mut self, wanted: &LoadBalancer, found: &LoadBalancer) {
        for zone in &wanted.zone_mappings {
            let Some(address) = &zone.allocation_id else {
                continue;
            };
            let there = found
                .zone_mappings
                .iter()
                .find(|z| z.vswitch_id == zone.vswitch_id);
            let there = there.and_then(|z| z.allocation_id.as_ref());
            if there == Some(address) {
                continue;
            }
            let message = format!(
                "vSwitch {} has {}, which cannot change to {address}: elastic IPs are given when a load balancer is \
                 created or made public; {}, or make a new AlbConfig",
                zone.vswitch_id,
                there.map_or("no such elastic IP", String::as_str),
                there.map_or_else(
                    || "remove allocationId".to_owned(),
                    |there| format!("write {there}")
                ),
            );
            let field = "spec.config.zoneMappings[].allocationId";
            self.report(Severity::Error, "AttributeFixed", field, message);
        }
    }

    fn tag_load_balancer(&mut self, wanted: &LoadBalancer, found: &LoadBalancer, all: bool) {
        let mut tags = if all { wanted.tags.clone() } else { Tags::new() };
        tags.extend(self.ownership().tags(LOAD_BALANCER_RESOURCE));
        if self.reused {
            tags.insert(REUSED_TAG.into(), "true".into());
        }
        let former = self.options.former_tags.iter().filter(|_| all);
        let keys: Vec<String> = former
            .filter(|key| !tags.contains_key(key.as_str()) && found.tags.contains_key(key.as_str()))
            .cloned()
            .collect();
        tags.retain(|key, value| found.tags.get(key) != Some(value));
        let target = TagTarget::LoadBalancer;
        if !tags.is_empty() {
            let target = target.clone();
            self.steps.push(StepOp::Tag { target, tags }, []);
        }
        if !keys.is_empty() {
            self.steps.push(StepOp::Untag { target, keys }, []);
        }
    }
}

/// Whether both name the same vSwitches. Elastic IPs are looked at apart.
fn same_zones(wanted: &[ZoneMapping], found: &[ZoneMapping]) -> bool {
    let switches = |zones: &[ZoneMapping]| {
        let mut ids: Vec<String> = zones.iter().map(|z| z.vswitch_id.clone()).collect();
        ids.sort_unstable();
        ids
    };
    switches(wanted) == switches(found)
}
