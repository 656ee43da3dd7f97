//! One change of our servers in a server group of somebody else.

use std::collections::BTreeMap;
use std::sync::Arc;

use alb_api::ErrorClass;
use alb_model::Server;
use alb_plan::plan_servers_beside;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::{Failed, Failure, Report, Worker};
use crate::cloud;
use crate::index::{FollowedWish, Key};

impl Worker {
    /// Makes our servers in a group what is wanted at this moment, which may be newer than the job.
    pub(super) async fn change_followed(
        &self,
        group: &Arc<str>,
        attempt: u32,
        cancelled: &CancellationToken,
    ) -> Result<(), Failure> {
        let Some(wish) = self.shared.followed.get(group).map(|wish| wish.clone()) else {
            return Ok(());
        };
        let result = self.keep_servers(group, &wish, cancelled).await;
        let failed = result.as_ref().err().map(|failure| Failed::new(failure, attempt));
        self.report(Report::Followed {
            group: group.clone(),
            wish,
            failed,
        });
        result
    }

    async fn keep_servers(
        &self,
        group: &Arc<str>,
        wish: &FollowedWish,
        cancelled: &CancellationToken,
    ) -> Result<(), Failure> {
        if !wish.servers.is_empty() {
            let usable = cloud::check_followed_group(&self.alb, group, &self.vpc_id).await?;
            usable.map_err(Failure::Unusable)?;
        }
        // Others change the group too, so what it had the last time says nothing.
        let mut servers = match cloud::observe_servers(&self.alb, group).await {
            Err(error) if wish.servers.is_empty() && error.class() == Some(ErrorClass::NotFound) => {
                return Ok(());
            }
            servers => servers?,
        };
        let ours = |server: &Server| {
            let service = self.mark.service(&server.description);
            service.is_some_and(|(namespace, name)| !wish.held.contains(&Key::new(namespace, name)))
        };
        let steps = plan_servers_beside(&servers, &self.marked(wish), ours);
        if steps.is_empty() {
            return Ok(());
        }
        let poll = self.poll_interval;
        cloud::execute_servers(&self.alb, group, &steps, &mut servers, poll, cancelled).await?;
        info!(%group, calls = steps.len(), "servers changed in a server group of somebody else");
        Ok(())
    }

    /// The servers of all Services in the group, each with its mark. A pod of two Services is the first one's.
    fn marked(&self, wish: &FollowedWish) -> Vec<Server> {
        let mut marked = BTreeMap::new();
        for (service, servers) in &wish.servers {
            for server in servers {
                let (id, ip, port) = server.identity();
                marked
                    .entry((id.to_owned(), ip.to_owned(), port))
                    .or_insert_with(|| Server {
                        description: self.mark.of(&service.namespace, &service.name),
                        ..server.clone()
                    });
            }
        }
        marked.into_values().collect()
    }

    /// Looks for servers that nobody here knows of any more: a Service may have lost its annotation, or have been deleted,
    /// while no controller ran.
    pub(super) async fn find_marked(&self) -> Result<(), Failure> {
        let found = match cloud::marked_servers(&self.alb, &self.vpc_id, &self.mark).await {
            Ok(found) => found,
            Err(error) => {
                let failure = Failure::from(error);
                if !failure.is_passing() {
                    warn!(%failure, "cannot look for servers left behind in server groups of others");
                }
                return Err(failure);
            }
        };
        for (group, services) in found {
            let services = services
                .iter()
                .map(|(namespace, name)| Key::new(namespace, name))
                .collect();
            let group = group.into();
            self.report(Report::Marked { group, services });
        }
        Ok(())
    }
}
