//! The servers of one group.

use std::time::Duration;

use alb_api::{Client, ErrorClass, alb};
use alb_model::Server;
use alb_plan::{ServerStep, observe as read, servers_request};
use rand::RngExt;
use tokio_util::sync::CancellationToken;

use super::ExecError;
use super::call::call;

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

/// Makes the calls of [`alb_plan::plan_servers`] one after the other.
///
/// # Errors
/// A call fails for good. The calls before it are in force.
pub async fn execute_servers(
    client: &Client,
    group_id: &str,
    steps: &[ServerStep],
    poll: Duration,
    cancel: &CancellationToken,
) -> Result<(), ExecError> {
    let scope = format!("{:016x}", rand::rng().random::<u64>());
    for (done, step) in steps.iter().enumerate() {
        if cancel.is_cancelled() {
            return Err(ExecError::Cancelled {
                done,
                total: steps.len(),
            });
        }
        change_servers(client, group_id, step, &scope, poll)
            .await
            .map_err(|source| ExecError::Step {
                step: format!("change {} server(s) of group {group_id}", step.len()),
                source: Box::new(source),
            })?;
    }
    Ok(())
}

/// One change; in smaller parts if the API refuses it as a whole, for older deployments take fewer servers in a call.
pub(super) async fn change_servers(
    client: &Client,
    group_id: &str,
    step: &ServerStep,
    scope: &str,
    poll: Duration,
) -> Result<(), alb_api::Error> {
    let mut waiting = vec![step.clone()];
    while let Some(step) = waiting.pop() {
        let request = servers_request(group_id, &step, scope);
        let removal = matches!(step, ServerStep::Remove(_));
        match call(client, &request, removal, poll).await {
            Ok(_) => {}
            Err(error) if error.class() == ErrorClass::Permanent && !error.may_have_taken_effect() => {
                // Additions come before removals: the last part pushed is made first.
                let Some([first, second]) = step.split().filter(|_| step.len() > SMALLEST_BATCH) else {
                    return Err(error);
                };
                waiting.push(second);
                waiting.push(first);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// A batch of this size is not refused for its size by any documented limit.
const SMALLEST_BATCH: usize = 30;
