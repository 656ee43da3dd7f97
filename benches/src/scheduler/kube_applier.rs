//! kube-runtime's applier: what `Controller::run` does with its queue. It coalesces, so it can run only workloads
//! with one operation per key or with re-triggers.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    time::Duration,
};

use futures::{StreamExt, channel::mpsc, future::BoxFuture, stream};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::runtime::{
    controller::{self, Action, Config},
    reflector::{self, ObjectRef},
    watcher,
};
use tokio::time::{Instant, sleep};

#[derive(Debug, thiserror::Error)]
#[error("never")]
struct Never;

fn object(key: u32) -> ConfigMap {
    let mut object = ConfigMap::default();
    object.metadata.name = Some(format!("key-{key}"));
    object.metadata.namespace = Some("default".to_owned());
    object
}

/// A store that holds its objects, and has been told that these are all: the applier waits for that.
fn store(keys: u32) -> reflector::Store<ConfigMap> {
    let (store, mut writer) = reflector::store();
    writer.apply_watcher_event(&watcher::Event::Init);
    for key in 0..keys {
        writer.apply_watcher_event(&watcher::Event::InitApply(object(key)));
    }
    writer.apply_watcher_event(&watcher::Event::InitDone);
    store
}

/// Seconds until `keys` keys that take `duration` each are done, `slots` at once.
pub(crate) async fn makespan(keys: u32, duration: Duration, slots: u16) -> f64 {
    let store = store(keys);
    let queue = stream::iter((0..keys).map(|key| Ok::<_, Never>(ObjectRef::from(&object(key)))));
    let queue = queue.chain(stream::pending()).boxed();
    let begun = Instant::now();
    let reconcile = move |_: Arc<ConfigMap>, _: Arc<()>| -> BoxFuture<'static, Result<Action, Never>> {
        // Spawned, as `Controller::run` does.
        Box::pin(async move {
            let task = tokio::spawn(async move {
                if !duration.is_zero() {
                    sleep(duration).await;
                }
            });
            let _ = task.await;
            Ok(Action::await_change())
        })
    };
    let config = Config::default().concurrency(slots);
    let applier = controller::applier(
        reconcile,
        |_, _, _| Action::await_change(),
        Arc::new(()),
        store,
        queue,
        config,
    );
    // The queue stays open, as a controller's does: the applier is done when every key was worked on.
    applier.take(keys as usize).for_each(|_| async {}).await;
    begun.elapsed().as_secs_f64()
}

/// What became of the cold keys while the hot ones kept re-triggering themselves.
pub(crate) struct Starvation {
    pub(crate) never_ran: u32,
    /// When the last of those that ran was started, seconds.
    pub(crate) last_start: f64,
}

/// `hot` keys trigger themselves again half-way through each run; `cold` keys are triggered once.
pub(crate) async fn starvation(
    hot: u32,
    cold: u32,
    slots: u16,
    duration: Duration,
    length: Duration,
) -> Starvation {
    let store = store(hot + cold);
    let (trigger, queue) = mpsc::unbounded::<Result<ObjectRef<ConfigMap>, Never>>();
    for key in 0..hot + cold {
        let _ = trigger.unbounded_send(Ok(ObjectRef::from(&object(key))));
    }
    let begun = Instant::now();
    let ran: Arc<Mutex<Vec<Option<f64>>>> = Arc::new(Mutex::new(vec![None; (hot + cold) as usize]));
    let hot_runs = Arc::new(AtomicU32::new(0));
    let reconcile = {
        let (ran, hot_runs) = (Arc::clone(&ran), Arc::clone(&hot_runs));
        move |object: Arc<ConfigMap>, _: Arc<()>| -> BoxFuture<'static, Result<Action, Never>> {
            let name = object.metadata.name.clone().unwrap_or_default();
            let key = name.trim_start_matches("key-").parse().unwrap_or(0_u32);
            if let Ok(mut ran) = ran.lock() {
                ran[key as usize].get_or_insert(begun.elapsed().as_secs_f64());
            }
            let (trigger, hot_runs) = (trigger.clone(), Arc::clone(&hot_runs));
            Box::pin(async move {
                let task = tokio::spawn(async move {
                    sleep(duration / 2).await;
                    if key < hot {
                        hot_runs.fetch_add(1, Relaxed);
                        let _ = trigger.unbounded_send(Ok(ObjectRef::from(&*object)));
                    }
                    sleep(duration / 2).await;
                });
                let _ = task.await;
                Ok(Action::await_change())
            })
        }
    };
    let config = Config::default().concurrency(slots);
    let applier = controller::applier(
        reconcile,
        |_, _, _| Action::await_change(),
        Arc::new(()),
        store,
        queue.boxed(),
        config,
    );
    // Time alone ends it: hot keys never do.
    let _ = tokio::time::timeout(length, applier.for_each(|_| async {})).await;
    let ran = ran.lock().map(|ran| ran.clone()).unwrap_or_default();
    let cold = &ran[hot as usize..];
    Starvation {
        never_ran: cold.iter().filter(|start| start.is_none()).count() as u32,
        last_start: cold.iter().flatten().copied().fold(0.0, f64::max),
    }
}
