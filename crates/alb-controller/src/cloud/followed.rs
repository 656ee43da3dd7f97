//! Server groups that somebody else made, in which servers of ours are kept.

use std::collections::{BTreeMap, BTreeSet};

use alb_api::{Client, ErrorClass, alb};
use alb_model::ServerType;
use alb_plan::{CLUSTER_TAG, ServerMark};
use futures::{StreamExt, TryStreamExt, stream};

use super::{ExecError, observe_servers};

/// Reads of servers at the same time.
const PARALLEL_READS: usize = 5;

/// Whether endpoints of Services can be kept in a server group: it exists in the VPC, takes addresses, and belongs to no
/// controller. If not, the inner error says why and what to do.
///
/// # Errors
/// The read fails.
pub async fn check_followed_group(
    client: &Client,
    group_id: &str,
    vpc_id: &str,
) -> Result<Result<(), String>, ExecError> {
    let request = alb::ListServerGroups {
        server_group_ids: vec![group_id.to_owned()],
        ..Default::default()
    };
    let found = client.all_pages(request).await?;
    Ok(
        match found.iter().find(|group| group.server_group_id == group_id) {
            None => Err(format!(
                "server group {group_id} does not exist in this region; create it, or correct the id"
            )),
            Some(group) => is_usable(group, vpc_id),
        },
    )
}

fn is_usable(group: &alb::ServerGroup, vpc_id: &str) -> Result<(), String> {
    let alb::ServerGroup {
        server_group_id: id,
        server_group_type: kind,
        vpc_id: vpc,
        ..
    } = group;
    if kind != ServerType::Ip.as_str() {
        return Err(format!(
            "server group {id} is of type {kind}, and pods are servers by their addresses; name a group of type Ip"
        ));
    }
    if vpc != vpc_id {
        return Err(format!(
            "server group {id} is in VPC {vpc}, and the pods are in {vpc_id}; name a group of that VPC"
        ));
    }
    if let Some(cluster) = cluster_of(group) {
        return Err(format!(
            "server group {id} belongs to the controller of cluster {cluster}, which removes servers it does not know; \
             name a group made by hand"
        ));
    }
    Ok(())
}

/// The cluster whose controller made a group.
fn cluster_of(group: &alb::ServerGroup) -> Option<&str> {
    let tag = group.tags.iter().find(|tag| tag.key == CLUSTER_TAG)?;
    Some(&tag.value)
}

/// Server groups of a VPC that no controller made and in which servers carry a cluster's mark, with the namespaces and
/// names of their Services. A group that may not be read is passed over.
///
/// # Errors
/// A read fails.
pub async fn marked_servers(
    client: &Client,
    vpc_id: &str,
    mark: &ServerMark,
) -> Result<BTreeMap<String, BTreeSet<(String, String)>>, ExecError> {
    let request = alb::ListServerGroups {
        vpc_id: Some(vpc_id.to_owned()),
        server_group_type: Some(ServerType::Ip.as_str().to_owned()),
        ..Default::default()
    };
    let groups = client.all_pages(request).await?;
    let candidates = groups
        .into_iter()
        .filter(|group| is_usable(group, vpc_id).is_ok());
    stream::iter(candidates.map(|group| group.server_group_id))
        .map(|id| async move {
            let servers = match observe_servers(client, &id).await {
                // Deleted between the two reads.
                Err(error) if error.class() == Some(ErrorClass::NotFound) => Vec::new(),
                // Whoever may not read a group has put nothing into it, or cannot take it out.
                Err(error) if error.class() == Some(ErrorClass::Permanent) => {
                    tracing::warn!(group = id, %error, "cannot look for servers left behind");
                    Vec::new()
                }
                servers => servers?,
            };
            let services: BTreeSet<_> = servers
                .iter()
                .filter_map(|server| mark.service(&server.description))
                .map(|(namespace, name)| (namespace.to_owned(), name.to_owned()))
                .collect();
            Ok((id, services))
        })
        .buffered(PARALLEL_READS)
        .try_filter(|(_, services)| std::future::ready(!services.is_empty()))
        .try_collect()
        .await
}
