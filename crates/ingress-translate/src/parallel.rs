//! The same for many things, on all cores.
//!
//! Threads live as long as one call: it happens at the start and when the settings of all change, and whoever embeds this
//! crate should find no pool of threads that it did not ask for.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// How many parts there are of the work for each thread.
const PARTS_PER_THREAD: usize = 4;

/// How many threads work on so many things: one for each core, but only where each has enough to do. Starting one costs
/// about 50 microseconds.
fn threads(count: usize, enough: usize) -> usize {
    let wanted = count / enough.max(1);
    if wanted < 2 {
        return 1;
    }
    wanted.min(thread::available_parallelism().map_or(1, usize::from))
}

/// What is made of each thing, in their order. Beside the caller's own, threads are started as far as each has `enough`
/// things; where none can be started, the caller makes all.
pub(crate) fn map<T: Sync, R: Send>(things: &[T], enough: usize, make: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let threads = threads(things.len(), enough);
    if threads < 2 {
        return things.iter().map(make).collect();
    }
    // A thread that is held up leaves its share to the others.
    let parts: Vec<&[T]> = things
        .chunks(things.len().div_ceil(threads * PARTS_PER_THREAD))
        .collect();
    let next = AtomicUsize::new(0);
    let work = || {
        let mut made = Vec::with_capacity(parts.len());
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(part) = parts.get(number) else {
                return made;
            };
            made.push((number, part.iter().map(&make).collect::<Vec<R>>()));
        }
    };
    let mut all = thread::scope(|scope| {
        let started: Vec<_> = (1..threads)
            .filter_map(|_| thread::Builder::new().spawn_scoped(scope, work).ok())
            .collect();
        let mut all = work();
        for thread in started {
            match thread.join() {
                Ok(made) => all.extend(made),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        all
    });
    all.sort_unstable_by_key(|(number, _)| *number);
    let mut made = Vec::with_capacity(things.len());
    for (_, part) in all {
        made.extend(part);
    }
    made
}

/// Two things at once, the first on the caller's own thread; one after the other where that does not pay, or no thread can
/// be started.
pub(crate) fn both<A, B: Send>(
    pays: bool,
    first: impl FnOnce() -> A,
    second: impl Fn() -> B + Sync,
) -> (A, B) {
    if !pays || thread::available_parallelism().map_or(1, usize::from) < 2 {
        return (first(), second());
    }
    thread::scope(|scope| {
        let started = thread::Builder::new().spawn_scoped(scope, &second);
        let first = first();
        let second = match started.map(thread::ScopedJoinHandle::join) {
            Ok(Ok(made)) => made,
            Ok(Err(panic)) => std::panic::resume_unwind(panic),
            Err(_) => second(),
        };
        (first, second)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_made_once_and_in_order() {
        for count in [0, 1, 7, 8, 100, 101] {
            let things: Vec<usize> = (0..count).collect();
            for enough in [0, 1, 50, 1000] {
                assert_eq!(map(&things, enough, |n| n + 1), (1..=count).collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn both_are_made() {
        for pays in [false, true] {
            let mut own = 1;
            assert_eq!(both(pays, || own += 1, || 3), ((), 3));
            assert_eq!(own, 2);
        }
    }

    #[test]
    fn threads_have_enough_to_do() {
        assert_eq!(threads(199, 100), 1);
        let cores = thread::available_parallelism().map_or(1, usize::from);
        assert_eq!(threads(200, 100), cores.min(2));
        assert_eq!(threads(usize::MAX, 0), cores);
    }
}
