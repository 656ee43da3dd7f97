//! Servers of server groups.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use alb_model::{ServerType, limits};
use serde::Deserialize;
use serde_json::{Value, json};

use super::server_group::change_group;
use super::{Answer, Call, check};
use crate::api::{ApiError, ApiResult};
use crate::state::{Operate, Server, ServerGroup, ServerKey, ServerStatus};
use crate::wire;

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Servers {
    servers: Vec<wire::Server>,
    added_servers: Vec<wire::Server>,
    removed_servers: Vec<wire::Server>,
}

pub(super) fn add(call: &mut Call<'_>) -> Answer {
    let params: Servers = call.parse()?;
    let id = call.text("ServerGroupId").to_owned();
    let group = call.store.writable_server_group(&id)?;
    let added = read_added(group, &params.servers, "Servers", &BTreeSet::new())?;
    check_quotas(call, group, &added, 0)?;
    let job = change(call, &id, Operate::Create, added, BTreeSet::new())?;
    Ok(json!({ "JobId": job }))
}

pub(super) fn remove(call: &mut Call<'_>) -> Answer {
    let params: Servers = call.parse()?;
    let id = call.text("ServerGroupId").to_owned();
    let group = call.store.writable_server_group(&id)?;
    let removed = read_known(group, &params.servers, "Servers")?;
    let job = change(call, &id, Operate::Delete, BTreeMap::new(), removed)?;
    Ok(json!({ "JobId": job }))
}

pub(super) fn replace(call: &mut Call<'_>) -> Answer {
    let params: Servers = call.parse()?;
    let id = call.text("ServerGroupId").to_owned();
    let group = call.store.writable_server_group(&id)?;
    if group.attributes.server_group_type.as_deref() == Some("Fc") {
        return Err(ApiError::denied(
            "ServerGroupType",
            "The operation is not allowed: servers of a Function Compute group cannot be replaced.",
        ));
    }
    let removed = read_known(group, &params.removed_servers, "RemovedServers")?;
    let added = read_added(group, &params.added_servers, "AddedServers", &removed)?;
    check_quotas(call, group, &added, removed.len())?;
    let job = change(call, &id, Operate::Update, added, removed)?;
    Ok(json!({ "JobId": job }))
}

pub(super) fn update(call: &mut Call<'_>) -> Answer {
    let params: Servers = call.parse()?;
    let id = call.text("ServerGroupId").to_owned();
    let group = call.store.writable_server_group(&id)?;
    let keys = read_known(group, &params.servers, "Servers")?;
    let mut changes: Vec<(ServerKey, Option<u16>, Option<String>)> = Vec::new();
    for (i, server) in params.servers.iter().enumerate() {
        let path = format!("Servers.{}", i + 1);
        let weight = read_weight(server, &path)?;
        let description = read_description(server, &path)?;
        changes.push((read_key(server, &path)?, weight, description));
    }
    let apply = move |group: &mut ServerGroup| {
        for (key, weight, description) in changes {
            if let Some(server) = group.servers.get_mut(&key) {
                server.status = ServerStatus::Available;
                server.weight = weight.unwrap_or(server.weight);
                if let Some(description) = description {
                    server.description = description;
                }
            }
        }
    };
    let latency = Some(call.config.job_latency.servers);
    let job = change_group(call, &id, Operate::Update, latency, apply, settle)?;
    mark(call, &id, &keys, ServerStatus::Configuring);
    Ok(json!({ "JobId": job }))
}

fn mark(call: &mut Call<'_>, id: &str, keys: &BTreeSet<ServerKey>, status: ServerStatus) {
    if let Some(group) = call.store.server_groups.get_mut(id) {
        for key in keys {
            if let Some(server) = group.servers.get_mut(key) {
                server.status = status;
            }
        }
    }
}

/// A failed job leaves servers as they were: what was being added is gone, all else stays.
fn settle(group: &mut ServerGroup) {
    group
        .servers
        .retain(|_, server| server.status != ServerStatus::Adding);
    for server in group.servers.values_mut() {
        server.status = ServerStatus::Available;
    }
}

/// Starts the job after which `added` are in the group and `removed` are not. A server in both is changed.
fn change(
    call: &mut Call<'_>,
    id: &str,
    operate: Operate,
    added: BTreeMap<ServerKey, Server>,
    removed: BTreeSet<ServerKey>,
) -> ApiResult<String> {
    let result = added.clone();
    let leaving: BTreeSet<ServerKey> = removed
        .iter()
        .filter(|key| !added.contains_key(*key))
        .cloned()
        .collect();
    let apply = move |group: &mut ServerGroup| {
        for (key, mut server) in result {
            server.status = ServerStatus::Available;
            // It has its place in lists since the call.
            server.position = group.servers.get(&key).map_or(0, |shown| shown.position);
            group.servers.insert(key, server);
        }
        group.servers.retain(|key, _| !leaving.contains(key));
    };
    let latency = Some(call.config.job_latency.servers);
    let job = change_group(call, id, operate, latency, apply, settle)?;
    let status = if operate == Operate::Delete {
        ServerStatus::Removing
    } else {
        ServerStatus::Replacing
    };
    mark(call, id, &removed, status);
    for (key, mut server) in added {
        server.position = call.store.ids.position();
        if let Some(group) = call.store.server_groups.get_mut(id) {
            group.servers.entry(key).or_insert(server);
        }
    }
    Ok(job)
}

/// Reads servers to add: each with a type that fits the group, none of them there already. `leaving` are removed by
/// the same call.
fn read_added(
    group: &ServerGroup,
    servers: &[wire::Server],
    name: &str,
    leaving: &BTreeSet<ServerKey>,
) -> ApiResult<BTreeMap<ServerKey, Server>> {
    check::at_most(name, servers.len(), limits::SERVERS_PER_CALL)?;
    let mut added = BTreeMap::new();
    for (i, server) in servers.iter().enumerate() {
        let path = format!("{name}.{}", i + 1);
        let key = read_key(server, &path)?;
        let server_type = read_type(group, server, &key, &path)?;
        if group.servers.contains_key(&key) && !leaving.contains(&key) {
            return Err(ApiError::already_exists(
                "BackendServer",
                &format!("{} {}:{}", key.id, key.ip, key.port),
            ));
        }
        let server = Server {
            position: 0,
            status: ServerStatus::Adding,
            server_type,
            // The API's default as other implementations found it; unverified.
            weight: read_weight(server, &path)?.unwrap_or(0),
            description: read_description(server, &path)?.unwrap_or_default(),
            remote_ip_enabled: server.remote_ip_enabled.unwrap_or(false),
        };
        if added.insert(key, server).is_some() {
            return Err(duplicated(&path));
        }
    }
    Ok(added)
}

fn duplicated(path: &str) -> ApiError {
    ApiError::bad_request(
        "DuplicatedParam.Server",
        format!("The param of {path} is duplicated."),
    )
}

/// Reads the identities of servers that must be in the group.
fn read_known(group: &ServerGroup, servers: &[wire::Server], name: &str) -> ApiResult<BTreeSet<ServerKey>> {
    check::at_most(name, servers.len(), limits::SERVERS_PER_CALL)?;
    let mut keys = BTreeSet::new();
    for (i, server) in servers.iter().enumerate() {
        let path = format!("{name}.{}", i + 1);
        let key = read_key(server, &path)?;
        if !group.servers.contains_key(&key) {
            let what = format!("{} {}:{}", key.id, key.ip, key.port);
            return Err(ApiError::not_found("BackendServer", &what));
        }
        if !keys.insert(key) {
            return Err(duplicated(&path));
        }
    }
    Ok(keys)
}

fn read_key(server: &wire::Server, path: &str) -> ApiResult<ServerKey> {
    let id = server.server_id.clone().unwrap_or_default();
    if id.is_empty() {
        return Err(ApiError::missing(&format!("{path}.ServerId")));
    }
    let kind = server.server_type.as_deref().unwrap_or_default();
    let mut ip = server.server_ip.clone().unwrap_or_default();
    if kind == ServerType::Ip.as_str() {
        if id.parse::<IpAddr>().is_err() {
            return Err(ApiError::illegal(
                &format!("{path}.ServerId"),
                format_args!("{id:?} must be the address for type Ip"),
            ));
        }
        if ip.is_empty() {
            ip.clone_from(&id);
        }
    }
    if !ip.is_empty() && ip.parse::<IpAddr>().is_err() {
        return Err(ApiError::illegal(
            &format!("{path}.ServerIp"),
            format_args!("{ip:?} is not an IP address"),
        ));
    }
    let port = match server.port {
        Some(port) => {
            check::range(&format!("{path}.Port"), port, &(1..=65_535_i64))?;
            port as u16
        }
        None if kind == ServerType::Fc.as_str() => 0,
        None => return Err(ApiError::missing(&format!("{path}.Port"))),
    };
    Ok(ServerKey { id, ip, port })
}

/// A group of type Instance takes Ecs, Eni and Eci, one of type Ip takes Ip, one of type Fc takes one Fc.
fn read_type(
    group: &ServerGroup,
    server: &wire::Server,
    key: &ServerKey,
    path: &str,
) -> ApiResult<ServerType> {
    let path = |name: &str| format!("{path}.{name}");
    let kind = server.server_type.as_deref().unwrap_or_default();
    let types: Vec<_> = ServerType::ALL.iter().map(|v| v.as_str()).collect();
    check::one_of(&path("ServerType"), kind, &types)?;
    let group_type = group.attributes.server_group_type.as_deref().unwrap_or_default();
    let fits = match group_type {
        "Ip" => kind == "Ip",
        "Fc" => kind == "Fc",
        _ => matches!(kind, "Ecs" | "Eni" | "Eci"),
    };
    if !fits {
        return Err(ApiError::bad_request(
            "Mismatch.ServerType",
            format!("The ServerType is mismatched for {kind} and a server group of type {group_type}."),
        ));
    }
    if server.remote_ip_enabled == Some(true) && kind != "Ip" {
        return Err(ApiError::illegal(
            &path("RemoteIpEnabled"),
            "only servers of type Ip have it",
        ));
    }
    let ipv6 = key.ip.parse::<IpAddr>().is_ok_and(|ip| ip.is_ipv6());
    if ipv6 && group.attributes.ipv6_enabled != Some(true) {
        return Err(ApiError::illegal(
            &path("ServerIp"),
            "the server group takes no IPv6 servers",
        ));
    }
    kind.parse()
        .map_err(|error| ApiError::illegal(&path("ServerType"), error))
}

fn read_weight(server: &wire::Server, path: &str) -> ApiResult<Option<u16>> {
    check::optional_range(&format!("{path}.Weight"), server.weight, &limits::WEIGHT)?;
    Ok(server.weight.map(|weight| weight as u16))
}

fn read_description(server: &wire::Server, path: &str) -> ApiResult<Option<String>> {
    if let Some(text) = server.description.as_deref().filter(|text| !text.is_empty()) {
        check::length(&format!("{path}.Description"), text, &limits::DESCRIPTION_CHARS)?;
    }
    Ok(server.description.clone())
}

fn check_quotas(
    call: &Call<'_>,
    group: &ServerGroup,
    added: &BTreeMap<ServerKey, Server>,
    removed: usize,
) -> ApiResult<()> {
    let quotas = &call.store.quotas;
    let (used, limit) = (group.servers.len(), quotas.servers_per_server_group);
    if used + added.len() > limit + removed {
        return Err(ApiError::quota("ServersNum", used, limit));
    }
    let more = added.len().saturating_sub(removed);
    if more > 0 {
        // A server counts once for each listener or rule that refers to its group.
        let references = call.store.references_to(&group.id);
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for reference in references.iter() {
            *counts.entry(&reference.load_balancer_id).or_default() += 1;
        }
        for (balancer, count) in counts {
            let used = servers_of(call, balancer);
            let limit = quotas
                .servers_per_load_balancer
                .of(call.store.load_balancer(balancer)?.edition);
            if used + more * count > limit {
                return Err(ApiError::quota("LoadBalancerServersNum", used, limit));
            }
        }
    }
    let limit = quotas.groups_per_server;
    for id in added.keys().map(|key| &key.id) {
        let used = call
            .store
            .server_groups
            .values()
            .filter(|group| holds(group, id))
            .count();
        if used >= limit && !holds(group, id) {
            return Err(ApiError::quota("ServerAddedNum", used, limit));
        }
    }
    Ok(())
}

fn holds(group: &ServerGroup, id: &str) -> bool {
    // Most groups are small, and there are many.
    if group.servers.len() <= 8 {
        return group.servers.keys().any(|key| key.id == id);
    }
    let from = ServerKey {
        id: id.to_owned(),
        ip: String::new(),
        port: 0,
    };
    group
        .servers
        .range(from..)
        .next()
        .is_some_and(|(key, _)| key.id == id)
}

/// Servers of a load balancer, each counted once for each listener and rule that refers to its group.
fn servers_of(call: &Call<'_>, balancer: &str) -> usize {
    let size = |group: &str| {
        call.store
            .server_groups
            .get(group)
            .map_or(0, |group| group.servers.len())
    };
    let distinct = |groups: BTreeSet<&str>| groups.into_iter().map(size).sum::<usize>();
    call.store
        .listeners_of(balancer)
        .map(|listener| {
            let in_rules = listener
                .rules
                .values()
                .map(|rule| distinct(rule.server_groups().collect()));
            distinct(listener.server_groups().collect()) + in_rules.sum::<usize>()
        })
        .sum()
}

pub(super) fn list(call: &mut Call<'_>) -> Answer {
    let ids = call.texts("ServerIds", 40)?;
    let tags = call.tag_filter(20)?;
    let wanted = call.optional("ServerGroupId");
    if let Some(id) = wanted {
        call.store.server_group(id)?;
    }
    let groups = call
        .store
        .server_groups
        .values()
        .filter(|group| wanted.is_none_or(|id| group.id == id) && check::has_tags(&group.tags, &tags));
    let servers = groups.flat_map(|group| {
        group
            .servers
            .iter()
            .map(move |(key, server)| (group, key, server))
    });
    let found = servers.filter(|(_, key, _)| check::named(&ids, &key.id));
    let page = call.page(found.map(|found| (found.2.position, found)), 100)?;
    page.answer("Servers", |(group, key, server)| render(&group.id, key, server))
}

pub(crate) fn render(group_id: &str, key: &ServerKey, server: &Server) -> Value {
    json!({
        "ServerGroupId": group_id,
        "ServerId": key.id,
        "ServerIp": key.ip,
        "Port": key.port,
        "ServerType": server.server_type.as_str(),
        "Weight": server.weight,
        "Status": server.status.as_str(),
        "Description": server.description,
        "RemoteIpEnabled": server.remote_ip_enabled,
    })
}
