//! Parts and answers of load balancer operations.

use serde::{Deserialize, Deserializer, Serialize};

use super::Tag;
use crate::operation::shapes;

shapes! {
    /// Billing of a load balancer.
    LoadBalancerBillingConfig {
        /// `PostPay`.
        pay_type: String,
        /// Shared bandwidth package id (`cbwp-…`); only when creating.
        bandwidth_package_id: Option<String>,
    }

    /// A zone of a load balancer, in requests.
    ZoneMapping {
        /// Zone id, such as `cn-hangzhou-h`.
        zone_id: String,
        /// vSwitch id (`vsw-…`).
        #[serde(rename = "VSwitchId")]
        vswitch_id: String,
        /// Elastic IP id. Not a parameter of [`super::UpdateLoadBalancerZones`].
        allocation_id: Option<String>,
        /// `Common` or `Anycast`.
        eip_type: Option<String>,
        /// Private address. Not a parameter of [`super::UpdateLoadBalancerAddressTypeConfig`].
        intranet_address: Option<String>,
    }

    /// Protection against edits in the console.
    ModificationProtectionConfig {
        /// `NonProtection` or `ConsoleProtection`.
        status: Option<String>,
        /// Reason, 2–128 characters; only with `ConsoleProtection`.
        reason: Option<String>,
    }

    /// Answer of [`super::CreateLoadBalancer`]: there is no job, poll the status.
    CreateLoadBalancerResponse {
        /// The new load balancer's id (`alb-…`).
        load_balancer_id: String,
        /// Id of this request.
        request_id: String,
    }

    /// Answer of [`super::ListLoadBalancers`].
    ListLoadBalancersResponse {
        /// This page's load balancers. Zones are not listed; see [`super::GetLoadBalancerAttribute`].
        load_balancers: Vec<LoadBalancer>,
        /// Page size.
        max_results: Option<i32>,
        /// Where to go on; empty on the last page.
        next_token: Option<String>,
        /// Number of load balancers on all pages.
        total_count: Option<i32>,
        /// Id of this request.
        request_id: String,
    }

    /// A load balancer as it is.
    LoadBalancer {
        /// Load balancer id (`alb-…`).
        load_balancer_id: String,
        /// Name.
        load_balancer_name: String,
        /// `Provisioning`, `Active`, `Configuring`, `Inactive`, `CreateFailed` or `Deleting`.
        load_balancer_status: String,
        /// `Normal` or `Abnormal`. The misspelling is the API's.
        load_balancer_bussiness_status: String,
        /// `Basic`, `Standard` or `StandardWithWaf`.
        load_balancer_edition: String,
        /// DNS name.
        #[serde(rename = "DNSName")]
        dns_name: String,
        /// `Internet` or `Intranet`.
        address_type: String,
        /// `Fixed` or `Dynamic`.
        address_allocated_mode: String,
        /// `IPv4` or `DualStack`.
        address_ip_version: String,
        /// `Internet` or `Intranet`; dual stack only.
        ipv6_address_type: Option<String>,
        /// VPC id.
        vpc_id: String,
        /// Region; only from [`super::GetLoadBalancerAttribute`].
        region_id: Option<String>,
        /// Zones; only from [`super::GetLoadBalancerAttribute`].
        zone_mappings: Vec<LoadBalancerZone>,
        /// Shared bandwidth package id.
        bandwidth_package_id: Option<String>,
        /// Security groups it joined.
        security_group_ids: Vec<String>,
        /// Access log; `None` is off.
        access_log_config: Option<AccessLogConfig>,
        /// Deletion protection.
        deletion_protection_config: Option<DeletionProtectionConfig>,
        /// Protection against edits in the console.
        modification_protection_config: Option<ModificationProtectionConfig>,
        /// Billing.
        load_balancer_billing_config: Option<LoadBalancerBillingConfig>,
        /// Locks, such as for overdue payment.
        load_balancer_operation_locks: Vec<LoadBalancerOperationLock>,
        /// Resource group id.
        resource_group_id: String,
        /// Creation time.
        create_time: String,
        /// Tags.
        tags: Vec<Tag>,
    }

    /// Access log destination (Simple Log Service).
    AccessLogConfig {
        /// SLS project.
        log_project: String,
        /// SLS log store.
        log_store: String,
    }

    /// Deletion protection.
    DeletionProtectionConfig {
        /// Whether it is on.
        enabled: Option<bool>,
        /// Since when.
        enabled_time: Option<String>,
    }

    /// A lock on a load balancer.
    LoadBalancerOperationLock {
        /// `SecurityLocked`, `RelatedResourceLocked`, `FinancialLocked` or `ResidualLocked`.
        lock_type: String,
        /// Why.
        lock_reason: Option<String>,
    }

    /// A zone of a load balancer, as it is.
    LoadBalancerZone {
        /// Zone id.
        zone_id: String,
        /// vSwitch id.
        #[serde(rename = "VSwitchId")]
        vswitch_id: String,
        /// `Active`, `Stopped`, `Shifted`, `Starting` or `Stopping`.
        status: String,
        /// Addresses in the zone.
        load_balancer_addresses: Vec<LoadBalancerAddress>,
    }

    /// Addresses of a load balancer in a zone.
    LoadBalancerAddress {
        /// Public IPv4 address.
        address: Option<String>,
        /// Private IPv4 address.
        intranet_address: Option<String>,
        /// Health of the private address.
        intranet_address_hc_status: Option<String>,
        /// Elastic IP id.
        allocation_id: Option<String>,
        /// `Common` or `Anycast`.
        eip_type: Option<String>,
        /// IPv6 address.
        ipv6_address: Option<String>,
        /// Health of the IPv6 address.
        ipv6_address_hc_status: Option<String>,
        /// Local IPv4 addresses, from which servers are reached.
        ipv4_local_addresses: Vec<String>,
        /// Local IPv6 addresses, from which servers are reached.
        ipv6_local_addresses: Vec<String>,
    }

    /// Answer of [`super::DescribeZones`].
    DescribeZonesResponse {
        /// Zones of the region.
        zones: Vec<Zone>,
        /// Id of this request.
        request_id: String,
    }

    /// A zone.
    Zone {
        /// Zone id.
        zone_id: String,
        /// Name for people.
        local_name: String,
    }
}

/// Answer of [`super::GetLoadBalancerAttribute`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct GetLoadBalancerAttributeResponse {
    /// The load balancer.
    #[serde(flatten)]
    pub load_balancer: LoadBalancer,
    /// Id of this request.
    #[serde(rename = "RequestId")]
    pub request_id: String,
}

impl<'de> Deserialize<'de> for GetLoadBalancerAttributeResponse {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (load_balancer, request_id) = crate::lenient::with_request_id(deserializer)?;
        Ok(Self {
            load_balancer,
            request_id,
        })
    }
}
