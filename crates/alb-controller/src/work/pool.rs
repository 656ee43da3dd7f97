//! One change of the servers of one group.

use std::sync::Arc;

use alb_model::Server;
use alb_plan::plan_servers;
use tokio_util::sync::CancellationToken;
use tracing::info;

use super::{Failed, Failure, Report, Worker};
use crate::cloud;
use crate::index::PoolKey;
use crate::shared::KnownPool;

impl Worker {
    /// Makes a group's servers what is wanted at this moment, which may be newer than the job.
    pub(super) async fn change_pool(
        &self,
        key: &PoolKey,
        reread: bool,
        attempt: u32,
        cancelled: &CancellationToken,
    ) -> Result<(), Failure> {
        // Not there yet: the change of the gateway that creates it fills it, and looks again when it is done.
        let Some(known) = self.shared.pools.get(key).map(|pool| pool.clone()) else {
            return Ok(());
        };
        let Some(wanted) = self.shared.wanted_servers.get(key).map(|servers| servers.clone()) else {
            return Ok(());
        };
        // A repetition goes on from what the attempt before it found.
        let reread = reread && attempt == 1;

        // Until it is done nobody knows what the group has: an attempt that is cut short leaves it to be read again.
        self.note_servers(key, &known, None);
        let (servers, result) = self.move_servers(&known, &wanted, reread, cancelled).await;
        self.note_servers(key, &known, servers);
        match result {
            Err(failure) if failure.is_not_found() => {
                self.shared.pools.remove_if(key, |_, pool| pool.id == known.id);
                self.report(Report::PoolLost { key: key.clone() });
                Ok(())
            }
            Err(failure) => {
                self.report(Report::PoolFailed {
                    key: key.clone(),
                    failed: Failed::new(&failure, attempt),
                });
                Err(failure)
            }
            Ok(()) => Ok(()),
        }
    }

    /// Only if it is still the same group: it may have been deleted and made anew meanwhile.
    fn note_servers(&self, key: &PoolKey, known: &KnownPool, servers: Option<Vec<Server>>) {
        if let Some(mut pool) = self.shared.pools.get_mut(key).filter(|pool| pool.id == known.id) {
            pool.servers = servers.map(Arc::new);
        }
    }

    /// Moves servers in and out; also says what the group has then, if that is known.
    async fn move_servers(
        &self,
        known: &KnownPool,
        wanted: &[Server],
        reread: bool,
        cancelled: &CancellationToken,
    ) -> (Option<Vec<Server>>, Result<(), Failure>) {
        let mut servers = match &known.servers {
            Some(servers) if !reread => servers.to_vec(),
            _ => match cloud::observe_servers(&self.alb, &known.id).await {
                Ok(servers) => servers,
                Err(error) => return (None, Err(error.into())),
            },
        };
        let steps = plan_servers(&servers, wanted);
        if steps.is_empty() {
            return (Some(servers), Ok(()));
        }
        let poll = self.poll_interval;
        match cloud::execute_servers(&self.alb, &known.id, &steps, &mut servers, poll, cancelled).await {
            Ok(()) => {
                let (group, calls) = (&known.id, steps.len());
                info!(group, calls, servers = wanted.len(), "servers changed");
                // As wanted, and not as the steps say: they leave out what makes no difference.
                (Some(wanted.to_vec()), Ok(()))
            }
            Err(unfinished) => (unfinished.is_known.then_some(servers), Err(unfinished.into())),
        }
    }
}
