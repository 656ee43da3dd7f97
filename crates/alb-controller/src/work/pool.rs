//! One change of the servers of one group.

use std::sync::Arc;

use alb_plan::plan_servers;
use tokio_util::sync::CancellationToken;
use tracing::info;

use super::{Failure, Report, Worker};
use crate::cloud;
use crate::index::PoolKey;
use crate::shared::KnownPool;

impl Worker {
    /// Makes a group's servers what is wanted at this moment, which may be newer than the job.
    pub(super) async fn change_pool(
        &self,
        key: &PoolKey,
        reread: bool,
        cancelled: &CancellationToken,
    ) -> Result<(), Failure> {
        // Not there yet: the change of the gateway that creates it fills it, and looks again when it is done.
        let Some(known) = self.shared.pools.get(key).map(|pool| pool.clone()) else {
            return Ok(());
        };
        let Some(wanted) = self.shared.wanted_servers.get(key).map(|servers| servers.clone()) else {
            return Ok(());
        };

        let result = self.move_servers(&known, &wanted, reread, cancelled).await;
        match result {
            Ok(servers) => {
                // Only if it is still the same group: it may have been deleted and made anew meanwhile.
                if let Some(mut pool) = self.shared.pools.get_mut(key).filter(|pool| pool.id == known.id) {
                    pool.servers = Some(Arc::new(servers));
                }
                Ok(())
            }
            Err(failure) if failure.is_not_found() => {
                self.shared.pools.remove_if(key, |_, pool| pool.id == known.id);
                self.report(Report::PoolLost { key: key.clone() });
                Ok(())
            }
            Err(failure) => {
                // How far it came is not known.
                if let Some(mut pool) = self.shared.pools.get_mut(key) {
                    pool.servers = None;
                }
                Err(failure)
            }
        }
    }

    async fn move_servers(
        &self,
        known: &KnownPool,
        wanted: &[alb_model::Server],
        reread: bool,
        cancelled: &CancellationToken,
    ) -> Result<Vec<alb_model::Server>, Failure> {
        let observed = match &known.servers {
            Some(servers) if !reread => servers.to_vec(),
            _ => cloud::observe_servers(&self.alb, &known.id).await?,
        };
        let steps = plan_servers(&observed, wanted);
        if steps.is_empty() {
            return Ok(observed);
        }
        cloud::execute_servers(&self.alb, &known.id, &steps, self.poll_interval, cancelled).await?;
        info!(
            group = known.id,
            calls = steps.len(),
            servers = wanted.len(),
            "servers changed"
        );
        Ok(wanted.to_vec())
    }
}
