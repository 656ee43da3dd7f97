//! The servers of one group.

use std::time::Duration;

use alb_api::{Client, ErrorClass, alb};
use alb_model::Server;
use alb_plan::{ServerStep, observe as read, servers_request};
use rand::RngExt;
use tokio_util::sync::CancellationToken;

use super::call::{Failed, call};
use super::{ExecError, Unfinished};

/// Reads the servers of a group, sorted by identity. Servers on their way out are left out.
///
/// # Errors
/// The read fails; the class is [`ErrorClass::NotFound`] if the group does not exist.
pub async fn observe_servers(client: &Client, group_id: &str) -> Result<Vec<Server>, ExecError> {
    let request = alb::ListServerGroupServers {
        server_group_id: Some(group_id.to_owned()),
        ..Default::default()
    };
    Ok(read::servers(&client.all_pages(request).await?))
}

/// Makes the calls of [`alb_plan::plan_servers`] one after the other. `servers` follows every call.
///
/// # Errors
/// A call fails. The calls before it are in force; whether `servers` still says what the group has, the error tells.
pub async fn execute_servers(
    client: &Client,
    group_id: &str,
    steps: &[ServerStep],
    servers: &mut Vec<Server>,
    poll: Duration,
    cancel: &CancellationToken,
) -> Result<(), Unfinished> {
    let scope = format!("{:016x}", rand::rng().random::<u64>());
    for (done, step) in steps.iter().enumerate() {
        if cancel.is_cancelled() {
            let total = steps.len();
            return Err(ExecError::Cancelled { done, total }.into());
        }
        change_servers(client, group_id, step, &scope, poll, |part| part.apply(servers))
            .await
            .map_err(|failed| Unfinished {
                is_known: failed.without_effect && !is_stale(&failed.error),
                ..Unfinished::from(ExecError::Step {
                    step: format!("change {} server(s) of group {group_id}", step.len()),
                    source: Box::new(failed.error),
                })
            })?;
    }
    Ok(())
}

/// Whether the group, or a server in it, is not as it was taken to be.
fn is_stale(error: &alb_api::Error) -> bool {
    matches!(error.class(), ErrorClass::NotFound | ErrorClass::AlreadyExists)
}

/// One change; in smaller parts if the API refuses it as a whole, for older deployments take fewer servers in a call.
/// `made` hears of each part that is in force.
pub(super) async fn change_servers(
    client: &Client,
    group_id: &str,
    step: &ServerStep,
    scope: &str,
    poll: Duration,
    mut made: impl FnMut(&ServerStep) + Send,
) -> Result<(), Failed> {
    let mut waiting = vec![step.clone()];
    while let Some(step) = waiting.pop() {
        let request = servers_request(group_id, &step, scope);
        let removal = matches!(step, ServerStep::Remove(_));
        match call(client, &request, removal, poll).await {
            Ok(_) => made(&step),
            Err(failed) if failed.error.class() == ErrorClass::Permanent && failed.without_effect => {
                // Additions come before removals: the last part pushed is made first.
                let Some([first, second]) = step.split().filter(|_| step.len() > SMALLEST_BATCH) else {
                    return Err(failed);
                };
                waiting.push(second);
                waiting.push(first);
            }
            Err(failed) => return Err(failed),
        }
    }
    Ok(())
}

/// A batch of this size is not refused for its size by any documented limit.
const SMALLEST_BATCH: usize = 30;
