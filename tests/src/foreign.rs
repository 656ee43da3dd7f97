//! Server groups that a person makes, as with the console.

use std::time::Duration;

use alb_api::{Client, alb};
use anyhow::{Context, Result};
use examples::stack;
use serde_json::Value;

use crate::Stack;

const POLL: Duration = Duration::from_millis(2);
const LIMIT: Duration = Duration::from_secs(20);

/// A server group that a person made.
#[derive(Debug)]
pub struct ForeignGroup {
    /// Its id (`sgp-…`).
    pub id: String,
    client: Client,
}

impl ForeignGroup {
    /// Makes a group of a type (`Ip`, `Instance`) in a VPC, without servers.
    ///
    /// # Errors
    /// What the API refuses.
    pub async fn create(stack: &Stack, name: &str, kind: &str, vpc: &str) -> Result<Self> {
        let client = stack::alb_client(&stack.sim)?;
        let made = client
            .send(&alb::CreateServerGroup {
                server_group_name: name.into(),
                server_group_type: Some(kind.into()),
                vpc_id: Some(vpc.into()),
                ..Default::default()
            })
            .await?;
        let id = made.server_group_id;
        settled(&client, made.job_id).await?;
        Ok(Self { id, client })
    }

    /// Adds a server on port 8080, with weight 100.
    ///
    /// # Errors
    /// What the API refuses.
    pub async fn add(&self, address: &str, description: &str) -> Result<()> {
        let server = alb::BackendServer {
            server_id: address.into(),
            server_type: "Ip".into(),
            server_ip: Some(address.into()),
            port: Some(8080),
            weight: Some(100),
            description: Some(description.into()),
            remote_ip_enabled: None,
        };
        let added = self
            .client
            .send(&alb::AddServersToServerGroup {
                server_group_id: self.id.clone(),
                servers: vec![server],
                ..Default::default()
            })
            .await?;
        settled(&self.client, added.job_id).await
    }

    /// Removes a server on port 8080.
    ///
    /// # Errors
    /// What the API refuses.
    pub async fn remove(&self, address: &str) -> Result<()> {
        let server = alb::RemovedServer {
            server_id: address.into(),
            server_type: "Ip".into(),
            server_ip: Some(address.into()),
            port: Some(8080),
        };
        let removed = self
            .client
            .send(&alb::RemoveServersFromServerGroup {
                server_group_id: self.id.clone(),
                servers: vec![server],
                ..Default::default()
            })
            .await?;
        settled(&self.client, removed.job_id).await
    }

    /// Its servers, as `address description`, sorted.
    pub fn servers(&self, stack: &Stack) -> Vec<String> {
        let state = stack.sim.state();
        let servers = state["server_groups"][&self.id]["Servers"].as_array();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let mut servers: Vec<String> = servers
            .into_iter()
            .flatten()
            .map(|server| format!("{} {}", text(&server["ServerIp"]), text(&server["Description"])))
            .collect();
        servers.sort();
        servers
    }

    /// Waits until it has these servers, as `address description`, sorted.
    ///
    /// # Errors
    /// After a minute; the message has the servers it has then.
    pub async fn has(&self, stack: &Stack, expected: &[String]) -> Result<()> {
        let what = format!("servers {expected:?} in {}", self.id);
        let has = stack::until(&what, crate::LIMIT, || async {
            Ok((stack.sim.is_settled() && self.servers(stack) == expected).then_some(()))
        });
        has.await
            .with_context(|| format!("it has {:?}", self.servers(stack)))
    }

    /// The group without its servers, in the API's shape: nothing of it may change.
    pub fn attributes(&self, stack: &Stack) -> Value {
        let mut group = stack.sim.state()["server_groups"][&self.id].clone();
        if let Some(group) = group.as_object_mut() {
            group.remove("Servers");
            group.remove("ServerCount");
        }
        group
    }
}

async fn settled(client: &Client, job: Option<String>) -> Result<()> {
    if let Some(job) = job {
        client.wait_job(&job, POLL, LIMIT).await?;
    }
    Ok(())
}
