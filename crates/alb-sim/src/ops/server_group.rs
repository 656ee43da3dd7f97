//! Server groups.

use std::collections::{BTreeMap, BTreeSet};

use alb_model::{BackendProtocol, HealthCheck, HealthCheckProtocol, Scheduler, ServerGroupType, limits};
use serde_json::{Value, json};

use super::{About, Answer, Call, check};
use crate::api::{ApiError, ApiResult};
use crate::state::{Operate, Phase, ServerGroup, ServerStatus, Store, format_time};
use crate::wire;

const RESOURCE: &str = "servergroup";

pub(super) fn create(call: &mut Call<'_>) -> Answer {
    let mut attributes: wire::ServerGroupAttributes = call.parse()?;
    fill_defaults(&mut attributes);
    check_attributes(&attributes)?;
    if attributes.server_group_type.as_deref() != Some("Fc") {
        let vpc = attributes.vpc_id.as_deref().unwrap_or_default();
        if vpc.is_empty() {
            return Err(ApiError::missing("VpcId"));
        }
        if !call.config.vpcs.iter().any(|known| known.id == vpc) {
            return Err(ApiError::not_found("Vpc", vpc));
        }
    }
    let tags = check::tags(call.parse::<super::listener::Tagged>()?.tag.as_deref())?;
    let (used, limit) = (call.store.server_groups.len(), call.store.quotas.server_groups);
    if used >= limit {
        return Err(ApiError::quota("ServerGroupsNum", used, limit));
    }
    call.commit()?;

    let id = call.store.ids.resource("sgp");
    let group = ServerGroup {
        id: id.clone(),
        position: call.store.ids.position(),
        phase: Phase::Creating,
        created: call.now,
        attributes,
        tags,
        servers: BTreeMap::new(),
    };
    call.store.server_groups.insert(id.clone(), group);
    let failed = id.clone();
    let job = call.start_job(about(call, Operate::Create, &id), ready(&id), move |store| {
        store.server_groups.remove(&failed);
    });
    Ok(json!({ "ServerGroupId": id, "JobId": job }))
}

pub(super) fn about(call: &Call<'_>, operate: Operate, id: &str) -> About {
    About {
        operate,
        resource_type: RESOURCE,
        resource_ids: vec![id.to_owned()],
        latency: call.config.job_latency.server_group,
    }
}

/// Makes the group ready for the next write.
pub(super) fn ready(id: &str) -> impl FnOnce(&mut Store) + Send + 'static {
    let id = id.to_owned();
    move |store| {
        if let Some(group) = store.server_groups.get_mut(&id) {
            group.phase = Phase::Ready;
            store.touch_server_group(&id);
        }
    }
}

fn fill_defaults(attributes: &mut wire::ServerGroupAttributes) {
    let kind = attributes
        .server_group_type
        .get_or_insert_with(|| ServerGroupType::Instance.as_str().to_owned())
        .clone();
    attributes
        .protocol
        .get_or_insert_with(|| BackendProtocol::Http.as_str().to_owned());
    attributes
        .scheduler
        .get_or_insert_with(|| Scheduler::Wrr.as_str().to_owned());
    attributes.upstream_keepalive_enabled.get_or_insert(false);
    attributes.ipv6_enabled.get_or_insert(false);
    if kind != "Fc" {
        attributes.cross_zone_enabled.get_or_insert(true);
    }
    let default = HealthCheck::default();
    let health = attributes.health_check_config.get_or_insert_default();
    if health.health_check_enabled == Some(true) {
        let text = |text: &str| text.to_owned();
        health
            .health_check_protocol
            .get_or_insert_with(|| text(default.protocol.as_str()));
        health
            .health_check_connect_port
            .get_or_insert(default.connect_port.into());
        health
            .health_check_interval
            .get_or_insert(default.interval_s.into());
        health
            .health_check_timeout
            .get_or_insert(default.timeout_s.into());
        health
            .healthy_threshold
            .get_or_insert(default.healthy_threshold.into());
        health
            .unhealthy_threshold
            .get_or_insert(default.unhealthy_threshold.into());
        let protocol = health.health_check_protocol.clone().unwrap_or_default();
        if protocol != HealthCheckProtocol::Tcp.as_str() {
            health
                .health_check_path
                .get_or_insert_with(|| text(&default.path));
            let codes = if protocol == HealthCheckProtocol::Grpc.as_str() {
                vec!["0".to_owned()]
            } else {
                health
                    .health_check_http_version
                    .get_or_insert_with(|| text(&default.http_version));
                health
                    .health_check_method
                    .get_or_insert_with(|| text(&default.method));
                default.codes
            };
            health.health_check_codes.get_or_insert(codes);
        }
    }
    attributes
        .sticky_session_config
        .get_or_insert_default()
        .sticky_session_enabled
        .get_or_insert(false);
}

/// Checks all attributes of a group as they will be.
fn check_attributes(attributes: &wire::ServerGroupAttributes) -> ApiResult<()> {
    check::name(
        "ServerGroupName",
        attributes.server_group_name.as_deref().unwrap_or_default(),
    )?;
    let types: Vec<_> = ServerGroupType::ALL.iter().map(|v| v.as_str()).collect();
    let protocols: Vec<_> = BackendProtocol::ALL.iter().map(|v| v.as_str()).collect();
    let schedulers: Vec<_> = Scheduler::ALL.iter().map(|v| v.as_str()).collect();
    check::optional_one_of("ServerGroupType", attributes.server_group_type.as_ref(), &types)?;
    check::optional_one_of("Protocol", attributes.protocol.as_ref(), &protocols)?;
    check::optional_one_of("Scheduler", attributes.scheduler.as_ref(), &schedulers)?;
    let hashes_query = attributes.scheduler.as_deref() == Some(Scheduler::Uch.as_str());
    match &attributes.uch_config {
        Some(uch) => {
            check::optional_one_of("UchConfig.Type", uch.r#type.as_ref(), &["QueryString"])?;
            if uch.value.as_deref().unwrap_or_default().is_empty() {
                return Err(ApiError::missing("UchConfig.Value"));
            }
        }
        None if hashes_query => return Err(ApiError::missing("UchConfig")),
        None => {}
    }
    if let Some(health) = &attributes.health_check_config {
        check_health(health)?;
    }
    check_sessions(attributes)
}

fn check_health(health: &wire::HealthCheckConfig) -> ApiResult<()> {
    let path = |name: &str| format!("HealthCheckConfig.{name}");
    let protocols: Vec<_> = HealthCheckProtocol::ALL.iter().map(|v| v.as_str()).collect();
    check::optional_one_of(
        &path("HealthCheckProtocol"),
        health.health_check_protocol.as_ref(),
        &protocols,
    )?;
    check::optional_one_of(
        &path("HealthCheckHttpVersion"),
        health.health_check_http_version.as_ref(),
        &["HTTP1.0", "HTTP1.1"],
    )?;
    check::optional_one_of(
        &path("HealthCheckMethod"),
        health.health_check_method.as_ref(),
        &["HEAD", "GET", "POST"],
    )?;
    check::optional_range(
        &path("HealthCheckConnectPort"),
        health.health_check_connect_port,
        &(0..=65_535_i64),
    )?;
    check::optional_range(
        &path("HealthCheckInterval"),
        health.health_check_interval,
        &limits::HEALTH_CHECK_INTERVAL_S,
    )?;
    check::optional_range(
        &path("HealthCheckTimeout"),
        health.health_check_timeout,
        &limits::HEALTH_CHECK_TIMEOUT_S,
    )?;
    check::optional_range(
        &path("HealthyThreshold"),
        health.healthy_threshold,
        &limits::HEALTH_CHECK_THRESHOLD,
    )?;
    check::optional_range(
        &path("UnhealthyThreshold"),
        health.unhealthy_threshold,
        &limits::HEALTH_CHECK_THRESHOLD,
    )?;
    if let Some(text) = &health.health_check_path {
        check::length(&path("HealthCheckPath"), text, &limits::HEALTH_CHECK_PATH_CHARS)?;
        if !text.starts_with('/') {
            return Err(ApiError::illegal(
                &path("HealthCheckPath"),
                "it must start with /",
            ));
        }
    }
    let grpc = health.health_check_protocol.as_deref() == Some(HealthCheckProtocol::Grpc.as_str());
    for code in health.health_check_codes.iter().flatten() {
        let known = if grpc {
            is_grpc_code(code)
        } else {
            matches!(code.as_str(), "http_2xx" | "http_3xx" | "http_4xx" | "http_5xx")
        };
        if !known {
            let write = if grpc {
                "0-99, single or as a range"
            } else {
                "http_2xx to http_5xx"
            };
            return Err(ApiError::illegal(
                &path("HealthCheckCodes"),
                format_args!("{code:?} is none of {write}"),
            ));
        }
    }
    Ok(())
}

/// `5` or `0-99`.
fn is_grpc_code(text: &str) -> bool {
    let number = |text: &str| text.parse::<u32>().ok().filter(|code| *code <= 99);
    match text.split_once('-') {
        Some((from, to)) => matches!((number(from), number(to)), (Some(from), Some(to)) if from <= to),
        None => number(text).is_some(),
    }
}

fn check_sessions(attributes: &wire::ServerGroupAttributes) -> ApiResult<()> {
    if let Some(sticky) = attributes.sticky_session_config.as_ref() {
        let path = |name: &str| format!("StickySessionConfig.{name}");
        check::optional_one_of(
            &path("StickySessionType"),
            sticky.sticky_session_type.as_ref(),
            &["Insert", "Server"],
        )?;
        check::optional_range(
            &path("CookieTimeout"),
            sticky.cookie_timeout,
            &limits::COOKIE_TIMEOUT_S,
        )?;
        let by_server = sticky.sticky_session_type.as_deref() == Some("Server");
        if sticky.sticky_session_enabled == Some(true) && by_server {
            match sticky.cookie.as_deref() {
                None | Some("") => return Err(ApiError::missing(&path("Cookie"))),
                Some(cookie) => check::length(&path("Cookie"), cookie, &limits::STICKY_COOKIE_CHARS)?,
            }
        }
    }
    if let Some(slow) = &attributes.slow_start_config {
        check::optional_range(
            "SlowStartConfig.SlowStartDuration",
            slow.slow_start_duration,
            &limits::SLOW_START_S,
        )?;
    }
    if let Some(drain) = &attributes.connection_drain_config {
        check::optional_range(
            "ConnectionDrainConfig.ConnectionDrainTimeout",
            drain.connection_drain_timeout,
            &limits::CONNECTION_DRAIN_S,
        )?;
    }
    Ok(())
}

pub(super) fn update(call: &mut Call<'_>) -> Answer {
    let id = call.text("ServerGroupId").to_owned();
    let change: wire::ServerGroupAttributes = call.parse()?;
    let group = call.store.writable_server_group(&id)?;
    let mut after = wire::merged(&group.attributes, &change);
    fill_defaults(&mut after);
    check_attributes(&after)?;
    let job = change_group(
        call,
        &id,
        Operate::Update,
        None,
        move |group| group.attributes = after,
        |_| (),
    )?;
    Ok(json!({ "JobId": job }))
}

/// Starts a job that changes a group; it is `Configuring` until then. `latency` is that of group jobs by default.
pub(super) fn change_group(
    call: &mut Call<'_>,
    id: &str,
    operate: Operate,
    latency: Option<std::time::Duration>,
    apply: impl FnOnce(&mut ServerGroup) + Send + 'static,
    undo: impl FnOnce(&mut ServerGroup) + Send + 'static,
) -> ApiResult<String> {
    call.store.writable_server_group(id)?;
    call.commit()?;
    if let Some(group) = call.store.server_groups.get_mut(id) {
        group.phase = Phase::Configuring;
    }
    let mut about = about(call, operate, id);
    about.latency = latency.unwrap_or(about.latency);
    let (done, failed) = (id.to_owned(), id.to_owned());
    Ok(call.start_job(
        about,
        move |store| {
            if let Some(group) = store.server_groups.get_mut(&done) {
                group.phase = Phase::Ready;
                apply(group);
                store.touch_server_group(&done);
            }
        },
        move |store| {
            if let Some(group) = store.server_groups.get_mut(&failed) {
                group.phase = Phase::Ready;
                undo(group);
            }
        },
    ))
}

pub(super) fn delete(call: &mut Call<'_>) -> Answer {
    let id = call.text("ServerGroupId").to_owned();
    call.store.writable_server_group(&id)?;
    if let Some(reference) = call.store.references_to(&id).first() {
        return Err(ApiError::in_use("ServerGroup", &id, &reference.by));
    }
    call.commit()?;
    if let Some(group) = call.store.server_groups.get_mut(&id) {
        group.phase = Phase::Deleting;
    }
    let gone = id.clone();
    let job = call.start_job(
        about(call, Operate::Delete, &id),
        move |store| {
            store.server_groups.remove(&gone);
        },
        ready(&id),
    );
    Ok(json!({ "JobId": job }))
}

pub(super) fn list(call: &mut Call<'_>) -> Answer {
    let ids = call.texts("ServerGroupIds", 20)?;
    let names = call.texts("ServerGroupNames", 10)?;
    let tags = call.tag_filter(10)?;
    let same = |filter: &str, value: &Option<String>| {
        call.optional(filter)
            .is_none_or(|wanted| Some(wanted) == value.as_deref())
    };
    let found = call.store.server_groups.values().filter(|group| {
        let attributes = &group.attributes;
        check::named(&ids, &group.id)
            && check::named(
                &names,
                attributes.server_group_name.as_deref().unwrap_or_default(),
            )
            && same("VpcId", &attributes.vpc_id)
            && same("ServerGroupType", &attributes.server_group_type)
            && same("ResourceGroupId", &attributes.resource_group_id)
            && check::has_tags(&group.tags, &tags)
    });
    let page = call.page(found.map(|group| (group.position, group)), 100)?;
    let related = call.store.related_load_balancers();
    page.answer("ServerGroups", |group| {
        render(group, related.get(group.id.as_str()).unwrap_or(&BTreeSet::new()))
    })
}

pub(crate) fn render(group: &ServerGroup, related: &BTreeSet<&str>) -> Value {
    let mut answer = json!(group.attributes);
    answer["ServerGroupId"] = group.id.as_str().into();
    answer["ServerGroupStatus"] = group.status().into();
    answer["CreateTime"] = format_time(group.created).into();
    answer["ConfigManagedEnabled"] = false.into();
    answer["ServerCount"] = group
        .servers
        .values()
        .filter(|server| server.status != ServerStatus::Removing)
        .count()
        .into();
    answer["RelatedLoadBalancerIds"] = json!(related);
    answer["Tags"] = json!(check::render_tags(&group.tags));
    if group.attributes.resource_group_id.is_none() {
        answer["ResourceGroupId"] = "rg-default".into();
    }
    answer
}
