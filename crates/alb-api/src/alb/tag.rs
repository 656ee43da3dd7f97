//! Tags and resource groups.

use super::EmptyResponse;
use crate::operation::{operations, paged_by_token, shapes};

shapes! {
    /// A tag; key and value at most 128 characters, not starting with `aliyun` or `acs:`, without `http://` and
    /// `https://`.
    Tag {
        /// Key.
        key: String,
        /// Value; may be empty.
        value: String,
    }

    /// Answer of [`ListTagResources`].
    ListTagResourcesResponse {
        /// This page's tags, one entry for each (resource, tag).
        tag_resources: Vec<TagResource>,
        /// Page size.
        max_results: Option<i32>,
        /// Where to go on; empty on the last page.
        next_token: Option<String>,
        /// Id of this request.
        request_id: String,
    }

    /// One tag of one resource.
    TagResource {
        /// Resource id.
        resource_id: String,
        /// Resource type.
        resource_type: String,
        /// Key.
        tag_key: String,
        /// Value.
        tag_value: String,
    }
}

operations! { Alb;
    /// Sets tags; a key that is there gets the new value.
    TagResources: Update -> EmptyResponse {
        /// `loadbalancer`, `acl`, `securitypolicy` or `servergroup`. Tags of listeners and rules are set at creation.
        resource_type: String,
        /// Resource ids.
        resource_id: Vec<String>,
        /// Tags.
        tag: Vec<Tag>,
    }

    /// Removes tags.
    UnTagResources: Delete -> EmptyResponse {
        /// As in [`TagResources`].
        resource_type: String,
        /// Resource ids.
        resource_id: Vec<String>,
        /// Keys to remove.
        tag_key: Vec<String>,
        /// Tags to remove, key and value.
        tag: Vec<Tag>,
        /// Remove all tags; only without `tag_key`.
        all: Option<bool>,
    }

    /// Lists tags by resource, by tag, or both; one of them is needed.
    ListTagResources: Read -> ListTagResourcesResponse {
        /// As in [`TagResources`].
        resource_type: String,
        /// Resource ids.
        resource_id: Vec<String>,
        /// Tags that a resource must have.
        tag: Vec<Tag>,
        /// Page size, 1–100, default 20.
        max_results: Option<i32>,
        /// Where to go on, from the previous page.
        next_token: Option<String>,
    }

    /// Moves a resource to another resource group.
    MoveResourceGroup: Update -> EmptyResponse {
        /// Resource id.
        resource_id: String,
        /// `loadbalancer`, `acl`, `securitypolicy` or `servergroup`.
        resource_type: String,
        /// Resource group id (`rg-…`).
        new_resource_group_id: String,
    }
}

paged_by_token! { ListTagResources => tag_resources: TagResource; }
