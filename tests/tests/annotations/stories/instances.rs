//! Load balancers that are made, or used, because an Ingress asks for them.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::Value;

use super::get;
use crate::lab::{FORCED, Lab, REUSED, THIRD_ZONE};

pub(crate) fn generated(lab: &Lab) -> BoxFuture<'_, Result<()>> {
    async {
        let ask = get("http://generated.example.com/");
        let reply = lab
            .stack
            .ask_at("generated", &ask)
            .await?
            .context("no listener")?;
        ensure!(reply.summary() == "200 app", "{}", reply.summary());
        let zones = |host: &str| -> Result<BTreeSet<String>> {
            let balancer = lab.balancer_of(host)?;
            let zones = balancer["ZoneMappings"].as_array().cloned().unwrap_or_default();
            let vswitch = |zone: &Value| zone["VSwitchId"].as_str().unwrap_or_default().to_owned();
            Ok(zones.iter().map(vswitch).collect())
        };
        let (named, found) = (
            zones("generated.example.com")?,
            zones("generated-plain.example.com")?,
        );
        ensure!(
            named == BTreeSet::from(["vsw-sim-a".into(), "vsw-sim-b".into()]),
            "{named:?}"
        );
        // Without it, one in each zone.
        let of_third = THIRD_ZONE.iter().filter(|id| found.contains(**id)).count();
        ensure!(of_third == 1 && found.len() == 3, "{found:?}");
        let plain = lab.balancer_of("generated-plain.example.com")?;
        let name = plain["LoadBalancerName"].as_str().unwrap_or_default();
        ensure!(name.starts_with("k8s-"), "{name}");
        Ok(())
    }
    .boxed()
}

pub(crate) fn reused(lab: &Lab) -> BoxFuture<'_, Result<()>> {
    async {
        let (reused, forced) = (lab.foreign(REUSED), lab.foreign(FORCED));
        for (host, id) in [("reused.example.com", reused), ("forced.example.com", forced)] {
            let serves = lab.balancer_of(host)?;
            ensure!(serves["LoadBalancerId"] == *id, "{host} is not on {id}");
        }
        // A listener that was there before is left alone, unless the annotation says otherwise.
        let own = lab
            .stack
            .ask_on(reused, &get("http://reused.example.com:8080/"))
            .await?;
        let foreign = lab
            .stack
            .ask_on(reused, &get("http://reused.example.com/"))
            .await?;
        let taken = lab
            .stack
            .ask_on(forced, &get("http://forced.example.com/"))
            .await?;
        let told = [own, foreign, taken].map(|reply| reply.map(|r| r.summary()).unwrap_or_default());
        ensure!(told == ["200 app", "503", "200 app"], "{told:?}");
        // Without an id, a new one is made.
        let new = lab.balancer_of("generated-plain.example.com")?;
        ensure!(
            new["LoadBalancerId"] != *reused && new["LoadBalancerId"] != *forced,
            "{new}"
        );
        Ok(())
    }
    .boxed()
}
