//! Conditions and actions of forwarding rules, the same in requests and in answers.

crate::operation::shapes! {
    /// One condition; exactly the `*_config` that `kind` names is set.
    RuleCondition {
        /// `Host`, `Path`, `Header`, `QueryString`, `Method`, `Cookie`, `SourceIp`, `ResponseHeader` or
        /// `ResponseStatusCode`.
        #[serde(rename = "Type")]
        kind: String,
        /// Of `Host`.
        host_config: Option<Values>,
        /// Of `Path`.
        path_config: Option<Values>,
        /// Of `Header`.
        header_config: Option<KeyedValues>,
        /// Of `QueryString`.
        query_string_config: Option<KeyValues>,
        /// Of `Method`.
        method_config: Option<Values>,
        /// Of `Cookie`.
        cookie_config: Option<KeyValues>,
        /// Of `SourceIp`.
        source_ip_config: Option<Values>,
        /// Of `ResponseHeader`.
        response_header_config: Option<KeyedValues>,
        /// Of `ResponseStatusCode`.
        response_status_code_config: Option<Values>,
    }

    /// Alternatives; one of them has to match.
    Values {
        /// Patterns.
        values: Vec<String>,
    }

    /// A header and its alternatives.
    KeyedValues {
        /// Header name, 1–40 characters.
        key: String,
        /// Patterns.
        values: Vec<String>,
    }

    /// Alternative pairs, of cookies or of query parameters.
    KeyValues {
        /// Pairs.
        values: Vec<KeyValue>,
    }

    /// A pair.
    KeyValue {
        /// Key.
        key: String,
        /// Value or pattern.
        value: String,
    }

    /// One action; exactly the `*_config` that `kind` names is set.
    RuleAction {
        /// `ForwardGroup`, `Redirect`, `FixedResponse`, `Rewrite`, `InsertHeader`, `RemoveHeader`, `TrafficLimit`,
        /// `TrafficMirror` or `Cors`.
        #[serde(rename = "Type")]
        kind: String,
        /// Order of execution, 1–50000, unique in the rule; the final action has the greatest.
        order: i32,
        /// Of `ForwardGroup`.
        forward_group_config: Option<ForwardGroupConfig>,
        /// Of `Redirect`.
        redirect_config: Option<RedirectConfig>,
        /// Of `FixedResponse`.
        fixed_response_config: Option<FixedResponseConfig>,
        /// Of `Rewrite`.
        rewrite_config: Option<RewriteConfig>,
        /// Of `InsertHeader`.
        insert_header_config: Option<InsertHeaderConfig>,
        /// Of `RemoveHeader`.
        remove_header_config: Option<RemoveHeaderConfig>,
        /// Of `TrafficLimit`.
        traffic_limit_config: Option<TrafficLimitConfig>,
        /// Of `TrafficMirror`.
        traffic_mirror_config: Option<TrafficMirrorConfig>,
        /// Of `Cors`.
        cors_config: Option<CorsConfig>,
    }

    /// A weighted forward.
    ForwardGroupConfig {
        /// 1–5 server groups.
        server_group_tuples: Vec<ServerGroupTuple>,
        /// Stickiness between the groups.
        server_group_sticky_session: Option<ServerGroupStickySession>,
    }

    /// A server group and its share.
    ServerGroupTuple {
        /// Server group id (`sgp-…`).
        server_group_id: String,
        /// Share, 0–100; required when there is more than one group, 100 by default when there is one.
        weight: Option<i32>,
    }

    /// A server group without share.
    ServerGroupTarget {
        /// Server group id (`sgp-…`).
        server_group_id: String,
    }

    /// Stickiness between the server groups of a forward.
    ServerGroupStickySession {
        /// Whether it is on.
        enabled: Option<bool>,
        /// Seconds, 1–86400, default 1000.
        timeout: Option<i32>,
    }

    /// A redirect; parts may hold `${host}`, `${path}`, `${query}`, `${port}`, `${protocol}`, each at most once.
    RedirectConfig {
        /// Host, default `${host}`.
        host: Option<String>,
        /// `301`, `302`, `303`, `307` or `308`.
        http_code: Option<String>,
        /// Path, default `${path}`.
        path: Option<String>,
        /// Port, default `${port}`.
        port: Option<String>,
        /// `HTTP`, `HTTPS` or `${protocol}`.
        protocol: Option<String>,
        /// Query, default `${query}`.
        query: Option<String>,
    }

    /// A fixed answer.
    FixedResponseConfig {
        /// Body, at most 1 KB of ASCII.
        content: Option<String>,
        /// `text/plain`, `text/css`, `text/html`, `application/javascript` or `application/json`.
        content_type: Option<String>,
        /// Status code: a plain number in requests. Answers are documented to hold forms such as `HTTP_2xx` too.
        http_code: Option<String>,
    }

    /// A rewrite; parts as in [`RedirectConfig`].
    RewriteConfig {
        /// Host, default `${host}`.
        host: Option<String>,
        /// Path, default `${path}`.
        path: Option<String>,
        /// Query, default `${query}`.
        query: Option<String>,
    }

    /// A header to set.
    InsertHeaderConfig {
        /// Header name, 1–40 characters.
        key: String,
        /// Value, read as `value_type` says.
        value: String,
        /// `UserDefined`, `ReferenceHeader` or `SystemDefined`.
        value_type: Option<String>,
        /// Whether a header of that name is replaced. Documented for updates only; leave unset when creating.
        cover_enabled: Option<bool>,
    }

    /// A header to remove.
    RemoveHeaderConfig {
        /// Header name.
        key: String,
    }

    /// Rate limits, requests per second.
    TrafficLimitConfig {
        /// For all clients together, 1–1,000,000.
        #[serde(rename = "QPS")]
        qps: Option<i32>,
        /// For one client address, below `qps`.
        per_ip_qps: Option<i32>,
    }

    /// Where copies of requests go.
    TrafficMirrorConfig {
        /// `ForwardGroupMirror`.
        target_type: Option<String>,
        /// The groups.
        mirror_group_config: Option<MirrorGroupConfig>,
    }

    /// Groups that get a copy of each request.
    MirrorGroupConfig {
        /// Server groups.
        server_group_tuples: Vec<ServerGroupTarget>,
    }

    /// Cross-origin resource sharing.
    CorsConfig {
        /// `on` or `off`.
        allow_credentials: Option<String>,
        /// Request headers, or `*`.
        allow_headers: Vec<String>,
        /// Methods.
        allow_methods: Vec<String>,
        /// Origins, or `*`.
        allow_origin: Vec<String>,
        /// Response headers a script may read, or `*`.
        expose_headers: Vec<String>,
        /// Seconds a preflight answer may be cached, -1–172800.
        max_age: Option<i32>,
    }
}
