//! What one would write first: a task per operation, a lock per key, a semaphore, a ticking interval as the rate.

use std::{collections::HashMap, sync::Arc, time::Duration};

use tokio::{
    sync::{Mutex, Semaphore},
    task::JoinSet,
    time::{Instant, Interval, interval, sleep},
};

use super::workload::Operation;

pub(crate) type Locks = Arc<Mutex<HashMap<u32, Arc<Mutex<()>>>>>;

/// The lock of a key, made when first asked for (and never given back, as in most code of this kind).
pub(crate) async fn lock_of(locks: &Locks, key: u32) -> Arc<Mutex<()>> {
    Arc::clone(locks.lock().await.entry(key).or_default())
}

/// Seconds until all operations are done.
pub(crate) async fn makespan(slots: usize, rate_per_s: Option<f64>, operations: &[Operation]) -> f64 {
    let (locks, semaphore) = (Locks::default(), Arc::new(Semaphore::new(slots)));
    let pace: Option<Arc<Mutex<Interval>>> =
        rate_per_s.map(|rate| Arc::new(Mutex::new(interval(Duration::from_secs_f64(1.0 / rate)))));
    let begun = Instant::now();
    let mut tasks = JoinSet::new();
    for &Operation { key, duration } in operations {
        let (locks, semaphore, pace) = (Arc::clone(&locks), Arc::clone(&semaphore), pace.clone());
        tasks.spawn(async move {
            let lock = lock_of(&locks, key).await;
            let _key = lock.lock().await;
            let _slot = semaphore.acquire().await;
            if let Some(pace) = pace {
                pace.lock().await.tick().await;
            }
            sleep(duration).await;
        });
    }
    tasks.join_all().await;
    begun.elapsed().as_secs_f64()
}
