//! The feed: one watch for each kind, trimmed and sent to the index. kube-rs does nothing else here: what runs when,
//! how often and how many at once is the scheduler's business.

use std::fmt::Debug;
use std::pin::pin;

use albconfig_crd::Reading;
use futures::StreamExt;
use k8s_openapi::api::core::v1::{Secret, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::{Ingress, IngressClass};
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::warn;

/// A watch event of one of the kinds the controller reads.
#[derive(Debug)]
pub(crate) enum Change {
    Ingress(Event<Ingress>),
    IngressClass(Event<IngressClass>),
    Service(Event<Service>),
    EndpointSlice(Event<EndpointSlice>),
    Secret(Event<Secret>),
    /// Of a type that can always be read: a malformed AlbConfig must not stall the watch.
    AlbConfig(Event<Reading>),
}

/// How many watch events may wait for the index before the watches are slowed down.
const QUEUE: usize = 4096;

/// Starts all watches. They end when `stop` is cancelled.
pub(crate) fn start(
    client: &Client,
    stop: &CancellationToken,
    tasks: &TaskTracker,
) -> mpsc::Receiver<Change> {
    let (sender, receiver) = mpsc::channel(QUEUE);
    let all = watcher::Config::default;
    // Only TLS Secrets are read: no other Secret of the cluster ever reaches this process.
    let tls = all().fields("type=kubernetes.io/tls");
    spawn(client, all(), Change::Ingress, &sender, stop, tasks);
    spawn(client, all(), Change::IngressClass, &sender, stop, tasks);
    spawn(client, all(), Change::Service, &sender, stop, tasks);
    spawn(client, all(), Change::EndpointSlice, &sender, stop, tasks);
    spawn(client, tls, Change::Secret, &sender, stop, tasks);
    spawn(client, all(), Change::AlbConfig, &sender, stop, tasks);
    receiver
}

fn spawn<K>(
    client: &Client,
    config: watcher::Config,
    wrap: fn(Event<K>) -> Change,
    sender: &mpsc::Sender<Change>,
    stop: &CancellationToken,
    tasks: &TaskTracker,
) where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + 'static,
{
    let api = Api::<K>::all(client.clone());
    let sender = sender.clone();
    let stop = stop.clone();
    tasks.spawn(async move {
        let mut events = pin!(watcher(api, config).default_backoff());
        while let Some(Some(event)) = stop.run_until_cancelled(events.next()).await {
            match event {
                // The index is gone only when the process ends.
                Ok(event) => drop(sender.send(wrap(event.modify(trim))).await),
                Err(error) => warn!(kind = %K::kind(&()), %error, "watch failed; trying again"),
            }
        }
    });
}

/// Drops what nobody here reads and what makes up most of an object's memory.
fn trim<K: Resource>(object: &mut K) {
    object.managed_fields_mut().clear();
    object
        .annotations_mut()
        .remove("kubectl.kubernetes.io/last-applied-configuration");
}
