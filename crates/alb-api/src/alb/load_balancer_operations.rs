//! Operations on load balancers.

use super::{
    CreateLoadBalancerResponse, DescribeZonesResponse, EmptyResponse, GetLoadBalancerAttributeResponse,
    JobResponse, ListLoadBalancersResponse, LoadBalancer, LoadBalancerBillingConfig,
    ModificationProtectionConfig, Tag, ZoneMapping,
};
use crate::operation::{changes, operations, paged_by_token};

changes! { Alb;
    /// Creates a load balancer. It has no job: poll [`GetLoadBalancerAttribute`] until the status is `Active`.
    CreateLoadBalancer: Create -> CreateLoadBalancerResponse {
        /// `Internet` or `Intranet`.
        address_type: String,
        /// VPC id (`vpc-…`).
        vpc_id: String,
        /// `Basic`, `Standard` or `StandardWithWaf`.
        load_balancer_edition: String,
        /// Billing.
        load_balancer_billing_config: LoadBalancerBillingConfig,
        /// 1–10 zones; at least 2 where the region has them.
        zone_mappings: Vec<ZoneMapping>,
        /// Name, 2–128 characters.
        load_balancer_name: Option<String>,
        /// `Fixed` (default) or `Dynamic`.
        address_allocated_mode: Option<String>,
        /// `IPv4` (default) or `DualStack`.
        address_ip_version: Option<String>,
        /// Refuse deletion until it is switched off.
        deletion_protection_enabled: Option<bool>,
        /// Protection against edits in the console.
        modification_protection_config: Option<ModificationProtectionConfig>,
        /// Resource group id (`rg-…`).
        resource_group_id: Option<String>,
        /// Tags.
        tag: Vec<Tag>,
    }

    /// Changes name or modification protection.
    UpdateLoadBalancerAttribute: Update -> JobResponse {
        /// Load balancer id (`alb-…`).
        load_balancer_id: String,
        /// Name, 2–128 characters.
        load_balancer_name: Option<String>,
        /// Protection against edits in the console.
        modification_protection_config: Option<ModificationProtectionConfig>,
    }

    /// Changes the edition; there is no way back to `Basic`. Poll the edition.
    UpdateLoadBalancerEdition: Update -> EmptyResponse {
        /// Load balancer id.
        load_balancer_id: String,
        /// `Standard` or `StandardWithWaf`.
        load_balancer_edition: String,
    }

    /// Changes the zones; the list replaces the old one.
    UpdateLoadBalancerZones: Update -> JobResponse {
        /// Load balancer id.
        load_balancer_id: String,
        /// All zones; `allocation_id` is not a parameter of this operation.
        zone_mappings: Vec<ZoneMapping>,
    }

    /// Makes a load balancer public or private.
    UpdateLoadBalancerAddressTypeConfig: Update -> JobResponse {
        /// Load balancer id.
        load_balancer_id: String,
        /// `Internet` or `Intranet`.
        address_type: String,
        /// Elastic IPs by zone, needed to become public; `intranet_address` is not a parameter of this operation.
        zone_mappings: Vec<ZoneMapping>,
    }

    /// Makes the IPv6 addresses public.
    EnableLoadBalancerIpv6Internet: Update -> JobResponse {
        /// Load balancer id.
        load_balancer_id: String,
    }

    /// Makes the IPv6 addresses private.
    DisableLoadBalancerIpv6Internet: Update -> JobResponse {
        /// Load balancer id.
        load_balancer_id: String,
    }

    /// Refuses deletion until it is switched off.
    EnableDeletionProtection: Update -> EmptyResponse {
        /// Load balancer id.
        resource_id: String,
    }

    /// Allows deletion.
    DisableDeletionProtection: Update -> EmptyResponse {
        /// Load balancer id.
        resource_id: String,
    }

    /// Switches the access log on.
    EnableLoadBalancerAccessLog: Update -> JobResponse {
        /// Load balancer id.
        load_balancer_id: String,
        /// SLS project.
        log_project: String,
        /// SLS log store; its name starts with `alb_`.
        log_store: String,
    }

    /// Switches the access log off.
    DisableLoadBalancerAccessLog: Update -> EmptyResponse {
        /// Load balancer id.
        load_balancer_id: String,
    }

    /// Attaches a shared bandwidth package.
    AttachCommonBandwidthPackageToLoadBalancer: Create -> JobResponse {
        /// Shared bandwidth package id (`cbwp-…`).
        bandwidth_package_id: String,
        /// Load balancer id.
        load_balancer_id: String,
        /// Region of both.
        region_id: String,
    }

    /// Detaches a shared bandwidth package.
    DetachCommonBandwidthPackageFromLoadBalancer: Delete -> JobResponse {
        /// Shared bandwidth package id.
        bandwidth_package_id: String,
        /// Load balancer id.
        load_balancer_id: String,
        /// Region of both.
        region_id: String,
    }

    /// Joins security groups.
    LoadBalancerJoinSecurityGroup: Create -> JobResponse {
        /// Load balancer id.
        load_balancer_id: String,
        /// Security group ids (`sg-…`).
        security_group_ids: Vec<String>,
    }

    /// Leaves security groups.
    LoadBalancerLeaveSecurityGroup: Delete -> JobResponse {
        /// Load balancer id.
        load_balancer_id: String,
        /// Security group ids.
        security_group_ids: Vec<String>,
    }

    /// Deletes a load balancer with its listeners and rules. Deletion protection has to be off.
    DeleteLoadBalancer: Delete -> JobResponse {
        /// Load balancer id.
        load_balancer_id: String,
    }
}

operations! { Alb;
    /// Reads one load balancer.
    GetLoadBalancerAttribute: Read -> GetLoadBalancerAttributeResponse {
        /// Load balancer id.
        load_balancer_id: String,
    }

    /// Lists load balancers.
    ListLoadBalancers: Read -> ListLoadBalancersResponse {
        /// Load balancer ids, at most 20.
        load_balancer_ids: Vec<String>,
        /// Names, at most 10.
        load_balancer_names: Vec<String>,
        /// VPC ids, at most 10.
        vpc_ids: Vec<String>,
        /// Tags that a load balancer must have, at most 20.
        tag: Vec<Tag>,
        /// Resource group id.
        resource_group_id: Option<String>,
        /// `Internet` or `Intranet`.
        address_type: Option<String>,
        /// `IPv4` or `DualStack`.
        address_ip_version: Option<String>,
        /// `Internet` or `Intranet`.
        ipv6_address_type: Option<String>,
        /// Status.
        load_balancer_status: Option<String>,
        /// `Normal` or `Abnormal`. The misspelling is the API's.
        load_balancer_bussiness_status: Option<String>,
        /// DNS name.
        #[serde(rename = "DNSName")]
        dns_name: Option<String>,
        /// `PostPay`.
        pay_type: Option<String>,
        /// Zone id.
        zone_id: Option<String>,
        /// Page size, 1–100, default 20.
        max_results: Option<i32>,
        /// Where to go on, from the previous page.
        next_token: Option<String>,
    }

    /// Lists the zones of the region.
    DescribeZones: Read -> DescribeZonesResponse {
        /// Language of the names: `zh-CN`, `en-US` or `ja`.
        accept_language: Option<String>,
    }
}

paged_by_token! { ListLoadBalancers => load_balancers: LoadBalancer; }
