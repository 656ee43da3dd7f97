//! Access control lists.

use super::{JobResponse, Tag};
use crate::operation::{changes, operations, paged_by_token, shapes};

changes! { Alb;
    /// Creates an empty access control list.
    CreateAcl: Create -> CreateAclResponse {
        /// Name, 2–128 characters.
        acl_name: Option<String>,
        /// Resource group id (`rg-…`).
        resource_group_id: Option<String>,
        /// Tags.
        tag: Vec<Tag>,
    }

    /// Deletes an access control list; refused with `ResourceInUse.Acl` while a listener uses it.
    DeleteAcl: Delete -> JobResponse {
        /// ACL id (`nacl-…`).
        acl_id: String,
    }

    /// Adds entries, at most 20 in one call.
    AddEntriesToAcl: Create -> JobResponse {
        /// ACL id.
        acl_id: String,
        /// Entries.
        acl_entries: Vec<NewAclEntry>,
    }

    /// Removes entries, at most 20 in one call.
    RemoveEntriesFromAcl: Delete -> JobResponse {
        /// ACL id.
        acl_id: String,
        /// CIDR blocks, as they were added.
        entries: Vec<String>,
    }
}

operations! { Alb;
    /// Lists access control lists.
    ListAcls: Read -> ListAclsResponse {
        /// ACL ids, at most 20.
        acl_ids: Vec<String>,
        /// Names, at most 10.
        acl_names: Vec<String>,
        /// Resource group id.
        resource_group_id: Option<String>,
        /// Tags that an ACL must have.
        tag: Vec<Tag>,
        /// Page size, 1–100, default 20.
        max_results: Option<i32>,
        /// Where to go on, from the previous page.
        next_token: Option<String>,
    }

    /// Lists the entries of one access control list.
    ListAclEntries: Read -> ListAclEntriesResponse {
        /// ACL id.
        acl_id: String,
        /// Page size, 1–100, default 20.
        max_results: Option<i32>,
        /// Where to go on, from the previous page.
        next_token: Option<String>,
    }

    /// Lists the listeners that use access control lists.
    ListAclRelations: Read -> ListAclRelationsResponse {
        /// ACL ids, at most 5.
        acl_ids: Vec<String>,
    }
}

paged_by_token! {
    ListAcls => acls: Acl;
    ListAclEntries => acl_entries: AclEntry;
}

shapes! {
    /// An entry to add.
    NewAclEntry {
        /// CIDR block.
        entry: String,
        /// Description, 2–256 characters.
        description: Option<String>,
    }

    /// Answer of [`CreateAcl`].
    CreateAclResponse {
        /// The new ACL's id.
        acl_id: String,
        /// The job to wait for.
        job_id: Option<String>,
        /// Id of this request.
        request_id: String,
    }

    /// Answer of [`ListAcls`].
    ListAclsResponse {
        /// This page's ACLs.
        acls: Vec<Acl>,
        /// Page size.
        max_results: Option<i32>,
        /// Where to go on; empty on the last page.
        next_token: Option<String>,
        /// Number of ACLs on all pages.
        total_count: Option<i32>,
        /// Id of this request.
        request_id: String,
    }

    /// An access control list as it is.
    Acl {
        /// ACL id.
        acl_id: String,
        /// Name.
        acl_name: String,
        /// `Creating`, `Available`, `Configuring` or `Deleting`.
        acl_status: String,
        /// IP version of its entries.
        #[serde(rename = "AddressIPVersion")]
        address_ip_version: Option<String>,
        /// Whether another service manages it.
        config_managed_enabled: Option<bool>,
        /// Resource group id.
        resource_group_id: String,
        /// Creation time.
        create_time: String,
        /// Tags.
        tags: Vec<Tag>,
    }

    /// Answer of [`ListAclEntries`].
    ListAclEntriesResponse {
        /// This page's entries.
        acl_entries: Vec<AclEntry>,
        /// Page size.
        max_results: Option<i32>,
        /// Where to go on; empty on the last page.
        next_token: Option<String>,
        /// Number of entries on all pages.
        total_count: Option<i32>,
        /// Id of this request.
        request_id: String,
    }

    /// An entry as it is.
    AclEntry {
        /// CIDR block.
        entry: String,
        /// Description.
        description: Option<String>,
        /// `Adding`, `Available` or `Removing`.
        status: String,
    }

    /// Answer of [`ListAclRelations`].
    ListAclRelationsResponse {
        /// One entry for each ACL.
        acl_relations: Vec<AclRelations>,
        /// Id of this request.
        request_id: String,
    }

    /// The listeners of one access control list.
    AclRelations {
        /// ACL id.
        acl_id: String,
        /// Its listeners.
        related_listeners: Vec<RelatedListener>,
    }

    /// A listener that uses an access control list.
    RelatedListener {
        /// Listener id.
        listener_id: String,
        /// Port.
        listener_port: i32,
        /// `HTTP`, `HTTPS` or `QUIC`.
        listener_protocol: String,
        /// Load balancer id.
        load_balancer_id: String,
        /// `Associating`, `Associated` or `Dissociating`.
        status: String,
    }
}
