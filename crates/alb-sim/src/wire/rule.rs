//! Conditions and actions of rules.

use super::{Tag, wire};

wire! {
    /// A rule in the calls that create and update rules.
    Rule {
        rule_id: String,
        rule_name: String,
        priority: i64,
        direction: String,
        rule_conditions: Vec<Condition>,
        rule_actions: Vec<Action>,
        tag: Vec<Tag>,
    }

    Condition {
        r#type: String,
        host_config: Values,
        path_config: Values,
        method_config: Values,
        source_ip_config: Values,
        response_status_code_config: Values,
        header_config: KeyedValues,
        response_header_config: KeyedValues,
        query_string_config: Pairs,
        cookie_config: Pairs,
    }

    Values {
        values: Vec<String>,
    }

    KeyedValues {
        key: String,
        values: Vec<String>,
    }

    Pairs {
        values: Vec<Pair>,
    }

    Pair {
        key: String,
        value: String,
    }

    Action {
        r#type: String,
        order: i64,
        forward_group_config: Forward,
        redirect_config: Redirect,
        fixed_response_config: FixedResponse,
        rewrite_config: Rewrite,
        insert_header_config: InsertHeader,
        remove_header_config: RemoveHeader,
        traffic_limit_config: TrafficLimit,
        traffic_mirror_config: TrafficMirror,
        cors_config: Cors,
    }

    Forward {
        server_group_tuples: Vec<Tuple>,
        server_group_sticky_session: GroupSticky,
    }

    Tuple {
        server_group_id: String,
        weight: i64,
    }

    GroupSticky {
        enabled: bool,
        timeout: i64,
    }

    Redirect {
        host: String,
        http_code: String,
        path: String,
        port: String,
        protocol: String,
        query: String,
    }

    FixedResponse {
        content: String,
        content_type: String,
        http_code: String,
    }

    Rewrite {
        host: String,
        path: String,
        query: String,
    }

    InsertHeader {
        key: String,
        value: String,
        value_type: String,
        #[serde(skip_serializing)]
        cover_enabled: bool,
    }

    RemoveHeader {
        key: String,
    }

    TrafficLimit {
        per_ip_qps: i64,
        #[serde(rename = "QPS")]
        qps: i64,
    }

    TrafficMirror {
        target_type: String,
        mirror_group_config: MirrorGroup,
    }

    MirrorGroup {
        server_group_tuples: Vec<Tuple>,
    }

    Cors {
        allow_origin: Vec<String>,
        allow_methods: Vec<String>,
        allow_headers: Vec<String>,
        expose_headers: Vec<String>,
        allow_credentials: String,
        max_age: i64,
    }
}

impl Action {
    /// Ids of the groups it forwards or mirrors to.
    pub(crate) fn server_groups(&self) -> impl Iterator<Item = &str> {
        let forward = self
            .forward_group_config
            .iter()
            .flat_map(|f| &f.server_group_tuples);
        let mirror = self
            .traffic_mirror_config
            .iter()
            .flat_map(|m| &m.mirror_group_config);
        forward
            .chain(mirror.flat_map(|group| &group.server_group_tuples))
            .flatten()
            .filter_map(|tuple| tuple.server_group_id.as_deref())
    }
}
