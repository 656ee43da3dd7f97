//! Health of servers, as listeners and rules see it.

use crate::operation::{operations, shapes};

operations! { Alb;
    /// Reports the servers of a listener that are not healthy. Healthy servers are not listed.
    GetListenerHealthStatus: Read -> GetListenerHealthStatusResponse {
        /// Listener id (`lsn-…`).
        listener_id: String,
        /// Whether to report the listener's rules too; without it only the default action's servers.
        include_rule: Option<bool>,
        /// Page size, 1–30.
        max_results: Option<i32>,
        /// Where to go on, from the previous page.
        next_token: Option<String>,
    }
}

impl crate::Paged for GetListenerHealthStatus {
    /// Every page holds both lists, so a page is the unit.
    type Item = GetListenerHealthStatusResponse;

    fn widen(&mut self) {
        self.max_results.get_or_insert(30);
    }

    fn advance(&mut self, response: &Self::Response) -> bool {
        self.next_token = response.next_token.clone().filter(|token| !token.is_empty());
        self.next_token.is_some()
    }

    fn into_items(response: Self::Response) -> Vec<Self::Item> {
        vec![response]
    }
}

shapes! {
    /// Answer of [`GetListenerHealthStatus`].
    GetListenerHealthStatusResponse {
        /// By the listener's default action.
        listener_health_status: Vec<ListenerHealthStatus>,
        /// By rule.
        rule_health_status: Vec<RuleHealthStatus>,
        /// Where to go on; empty on the last page.
        next_token: Option<String>,
        /// Id of this request.
        request_id: String,
    }

    /// Health behind a listener's default action.
    ListenerHealthStatus {
        /// Listener id.
        listener_id: String,
        /// Port.
        listener_port: i32,
        /// `HTTP`, `HTTPS` or `QUIC`.
        listener_protocol: String,
        /// Server groups of the action.
        server_group_infos: Vec<ServerGroupHealth>,
    }

    /// Health behind a rule.
    RuleHealthStatus {
        /// Rule id.
        rule_id: String,
        /// Server groups of the rule's actions.
        server_group_infos: Vec<ServerGroupHealth>,
    }

    /// Health in a server group.
    ServerGroupHealth {
        /// Server group id.
        server_group_id: String,
        /// Action that uses the group, such as `ForwardGroup`.
        action_type: String,
        /// Whether the group has a health check: `on` or `off`.
        health_check_enabled: String,
        /// Servers that are not healthy.
        non_normal_servers: Vec<NonNormalServer>,
    }

    /// A server that is not healthy.
    NonNormalServer {
        /// Server id.
        server_id: String,
        /// Address.
        server_ip: String,
        /// Port.
        port: Option<i32>,
        /// `Initial`, `Unhealthy`, `Unused` (weight 0) or `Unavailable` (no check).
        status: String,
        /// Why.
        reason: Option<NonNormalReason>,
    }

    /// Why a server is not healthy.
    NonNormalReason {
        /// `CONNECT_TIMEOUT`, `CONNECT_FAILED`, `RECV_RESPONSE_FAILED`, `RECV_RESPONSE_TIMEOUT`, `SEND_REQUEST_FAILED`,
        /// `SEND_REQUEST_TIMEOUT`, `RESPONSE_FORMAT_ERROR` or `RESPONSE_MISMATCH`.
        reason_code: String,
        /// Of `RESPONSE_MISMATCH`: what came.
        actual_response: Option<String>,
        /// Of `RESPONSE_MISMATCH`: what was expected.
        expected_response: Option<String>,
    }
}
