//! Load balancer attributes.

use super::{Tag, wire};

wire! {
    /// What `CreateLoadBalancer` sends.
    CreateLoadBalancer {
        address_type: String,
        address_allocated_mode: String,
        address_ip_version: String,
        vpc_id: String,
        load_balancer_edition: String,
        load_balancer_billing_config: BillingConfig,
        load_balancer_name: String,
        deletion_protection_enabled: bool,
        modification_protection_config: ModificationProtectionConfig,
        resource_group_id: String,
        tag: Vec<Tag>,
        zone_mappings: Vec<ZoneMapping>,
    }

    BillingConfig {
        pay_type: String,
        bandwidth_package_id: String,
    }

    ModificationProtectionConfig {
        reason: String,
        status: String,
    }

    ZoneMapping {
        zone_id: String,
        #[serde(rename = "VSwitchId")]
        vswitch_id: String,
        allocation_id: String,
        eip_type: String,
        intranet_address: String,
    }

    AccessLogConfig {
        log_project: String,
        log_store: String,
    }
}
