//! Servers of server groups.

use super::{JobResponse, Tag};
use crate::operation::{changes, operations, paged_by_token, shapes};

changes! { Alb;
    /// Adds servers: at most 200 in one call by current documentation, 40 by older.
    AddServersToServerGroup: Create -> JobResponse, body ["Servers"] {
        /// Server group id (`sgp-…`).
        server_group_id: String,
        /// Servers.
        servers: Vec<BackendServer>,
    }

    /// Removes servers; limits as for [`AddServersToServerGroup`]. The list travels in the query string, where 200
    /// servers make some 26 kB; whether every gateway on the way takes that is not documented.
    RemoveServersFromServerGroup: Delete -> JobResponse {
        /// Server group id.
        server_group_id: String,
        /// Servers.
        servers: Vec<RemovedServer>,
    }

    /// Exchanges servers in one step. Not for function-compute groups.
    ReplaceServersInServerGroup: Update -> JobResponse, body ["AddedServers"] {
        /// Server group id.
        server_group_id: String,
        /// Servers to add; `remote_ip_enabled` is not a parameter of this operation.
        added_servers: Vec<BackendServer>,
        /// Servers to remove.
        removed_servers: Vec<RemovedServer>,
    }

    /// Changes weight or description of servers.
    UpdateServerGroupServersAttribute: Update -> JobResponse, body ["Servers"] {
        /// Server group id.
        server_group_id: String,
        /// Servers: identity and new attributes; `remote_ip_enabled` is not a parameter of this operation.
        servers: Vec<BackendServer>,
    }
}

operations! { Alb;
    /// Lists servers of one server group, or of all.
    ListServerGroupServers: Read -> ListServerGroupServersResponse {
        /// Server group id.
        server_group_id: Option<String>,
        /// Server ids.
        server_ids: Vec<String>,
        /// Tags that the server group must have.
        tag: Vec<Tag>,
        /// Page size, 1–100, default 20.
        max_results: Option<i32>,
        /// Where to go on, from the previous page.
        next_token: Option<String>,
    }
}

paged_by_token! { ListServerGroupServers => servers: ServerGroupServer; }

shapes! {
    /// A server to add or to change. It is identified by id, address and port together.
    BackendServer {
        /// Instance id (`i-…`), network interface id (`eni-…`), container instance id (`eci-…`), address, or function
        /// ARN, as `server_type` says.
        server_id: String,
        /// `Ecs`, `Eni`, `Eci`, `Ip` or `Fc`.
        server_type: String,
        /// Address, for `Eni`, `Eci` and `Ip`.
        server_ip: Option<String>,
        /// Port, 1–65535; not for `Fc`.
        port: Option<i32>,
        /// Weight, 0–100; 0 takes no new requests. Always set it: the API's default is documented inconsistently.
        weight: Option<i32>,
        /// Description, 2–256 characters.
        description: Option<String>,
        /// Whether the address is outside of the VPC; `Ip` only, and only when adding.
        remote_ip_enabled: Option<bool>,
    }

    /// A server to remove.
    RemovedServer {
        /// As it was added.
        server_id: String,
        /// As it was added.
        server_type: String,
        /// As it was added.
        server_ip: Option<String>,
        /// As it was added.
        port: Option<i32>,
    }

    /// Answer of [`ListServerGroupServers`].
    ListServerGroupServersResponse {
        /// This page's servers.
        servers: Vec<ServerGroupServer>,
        /// Page size.
        max_results: Option<i32>,
        /// Where to go on; empty on the last page.
        next_token: Option<String>,
        /// Number of servers on all pages.
        total_count: Option<i32>,
        /// Id of this request.
        request_id: String,
    }

    /// A server as it is.
    ServerGroupServer {
        /// Server group it belongs to.
        server_group_id: String,
        /// Id; see [`BackendServer`].
        server_id: String,
        /// `Ecs`, `Eni`, `Eci`, `Ip` or `Fc`.
        server_type: String,
        /// Address.
        server_ip: String,
        /// Port.
        port: Option<i32>,
        /// Weight.
        weight: Option<i32>,
        /// `Adding`, `Available`, `Configuring`, `Removing` or `Replacing`.
        status: String,
        /// Description.
        description: Option<String>,
        /// Whether the address is outside of the VPC.
        remote_ip_enabled: Option<bool>,
    }
}
