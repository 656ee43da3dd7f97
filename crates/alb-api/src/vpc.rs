//! The operation of Virtual Private Cloud that a gateway needs, API version 2016-04-28.

use crate::operation::{operations, shapes};

operations! { Vpc;
    /// Lists vSwitches. The client adds `RegionId`.
    DescribeVSwitches: Read -> DescribeVSwitchesResponse {
        /// vSwitch id (`vsw-…`); several separated by commas.
        #[serde(rename = "VSwitchId")]
        vswitch_id: Option<String>,
        /// VPC id (`vpc-…`).
        vpc_id: Option<String>,
        /// Zone id.
        zone_id: Option<String>,
        /// Name.
        #[serde(rename = "VSwitchName")]
        vswitch_name: Option<String>,
        /// Whether to list default vSwitches only.
        is_default: Option<bool>,
        /// Resource group id (`rg-…`).
        resource_group_id: Option<String>,
        /// Tags that a vSwitch must have.
        tag: Vec<crate::alb::Tag>,
        /// Page, from 1.
        page_number: Option<i32>,
        /// Page size, at most 50, default 10.
        page_size: Option<i32>,
    }
}

impl crate::Paged for DescribeVSwitches {
    type Item = VSwitch;

    fn widen(&mut self) {
        self.page_size.get_or_insert(50);
    }

    fn advance(&mut self, response: &Self::Response) -> bool {
        let page = self.page_number.unwrap_or(1).max(1);
        let size = response.page_size.or(self.page_size).unwrap_or(10).max(1);
        self.page_number = Some(page.saturating_add(1));
        let seen = i64::from(page) * i64::from(size);
        !response.vswitches.vswitch.is_empty()
            && response.total_count.is_some_and(|total| seen < i64::from(total))
    }

    fn into_items(response: Self::Response) -> Vec<VSwitch> {
        response.vswitches.vswitch
    }
}

shapes! {
    /// Answer of [`DescribeVSwitches`].
    DescribeVSwitchesResponse {
        /// This page's vSwitches.
        #[serde(rename = "VSwitches")]
        vswitches: VSwitches,
        /// Page, from 1.
        page_number: Option<i32>,
        /// Page size.
        page_size: Option<i32>,
        /// Number of vSwitches on all pages.
        total_count: Option<i32>,
        /// Id of this request.
        request_id: String,
    }

    /// The list, one level down: so the API nests it.
    VSwitches {
        /// vSwitches.
        #[serde(rename = "VSwitch")]
        vswitch: Vec<VSwitch>,
    }

    /// A vSwitch.
    VSwitch {
        /// vSwitch id.
        #[serde(rename = "VSwitchId")]
        vswitch_id: String,
        /// Name.
        #[serde(rename = "VSwitchName")]
        vswitch_name: String,
        /// VPC id.
        vpc_id: String,
        /// Zone id.
        zone_id: String,
        /// `Pending` or `Available`.
        status: String,
        /// IPv4 block.
        cidr_block: String,
        /// IPv6 block.
        ipv6_cidr_block: Option<String>,
        /// Addresses left.
        available_ip_address_count: Option<i64>,
        /// Whether it is a default vSwitch.
        is_default: Option<bool>,
        /// Description.
        description: Option<String>,
        /// Resource group id.
        resource_group_id: Option<String>,
        /// Creation time.
        creation_time: Option<String>,
    }
}
