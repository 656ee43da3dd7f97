//! An allocator that counts what is asked of another one, while somebody wants to know.
//!
//! At all other times it costs one load of a flag that does not change: all cores share the counters, so that counting
//! all the time would slow down what runs on several of them and is to be timed.

use std::alloc::{GlobalAlloc, Layout};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Counts what is asked of the allocator in it, as long as there is a [`Region`].
#[derive(Debug)]
pub struct Counting<A>(A);

static REGIONS: AtomicUsize = AtomicUsize::new(0);
static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);
static ALLOCATED: AtomicUsize = AtomicUsize::new(0);
static FREED: AtomicUsize = AtomicUsize::new(0);

impl<A> Counting<A> {
    /// Around an allocator.
    pub const fn new(allocator: A) -> Self {
        Self(allocator)
    }
}

fn count(allocations: usize, allocated: usize, freed: usize) {
    if REGIONS.load(Relaxed) > 0 {
        ALLOCATIONS.fetch_add(allocations, Relaxed);
        ALLOCATED.fetch_add(allocated, Relaxed);
        FREED.fetch_add(freed, Relaxed);
    }
}

// SAFETY: each method hands its arguments to the same method of another allocator and gives back what that gives; counting
// neither allocates nor panics.
unsafe impl<A: GlobalAlloc> GlobalAlloc for Counting<A> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(1, layout.size(), 0);
        // SAFETY: the caller keeps the contract, which is the same.
        unsafe { self.0.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(0, 0, layout.size());
        // SAFETY: the caller keeps the contract, which is the same.
        unsafe { self.0.dealloc(pointer, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(1, layout.size(), 0);
        // SAFETY: the caller keeps the contract, which is the same.
        unsafe { self.0.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(1, size, layout.size());
        // SAFETY: the caller keeps the contract, which is the same.
        unsafe { self.0.realloc(pointer, layout, size) }
    }
}

/// What all threads asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    /// Times that memory was asked for, anew or for more or less of it.
    pub allocations: usize,
    /// Bytes asked for.
    pub allocated: usize,
    /// Bytes given back.
    pub freed: usize,
}

impl Counts {
    fn now() -> Self {
        Self {
            allocations: ALLOCATIONS.load(Relaxed),
            allocated: ALLOCATED.load(Relaxed),
            freed: FREED.load(Relaxed),
        }
    }

    /// Bytes that are held now and were not before; negative if fewer are.
    #[allow(clippy::cast_precision_loss)]
    pub fn held(&self) -> f64 {
        self.allocated as f64 - self.freed as f64
    }
}

/// A time in which is counted: from when it is made until it is dropped.
#[derive(Debug)]
pub struct Region(Counts);

impl Region {
    /// Starts counting.
    #[allow(clippy::new_without_default)]
    pub fn new() -> Self {
        REGIONS.fetch_add(1, Relaxed);
        Self(Counts::now())
    }

    /// What was counted so far.
    pub fn change(&self) -> Counts {
        let now = Counts::now();
        Counts {
            allocations: now.allocations - self.0.allocations,
            allocated: now.allocated - self.0.allocated,
            freed: now.freed - self.0.freed,
        }
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        REGIONS.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[global_allocator]
    static ALLOCATOR: Counting<std::alloc::System> = Counting::new(std::alloc::System);

    #[test]
    fn what_happens_in_a_region_is_counted() {
        let before: Vec<u8> = Vec::with_capacity(1_000_000);
        let region = Region::new();
        let first = std::hint::black_box(vec![1_u8; 3_000_000]);
        drop(before);
        let change = region.change();
        // The test's own machinery may allocate a little meanwhile.
        assert!((1..100).contains(&change.allocations), "{change:?}");
        assert!((3_000_000..3_100_000).contains(&change.allocated), "{change:?}");
        assert!((1_000_000..1_100_000).contains(&change.freed), "{change:?}");
        assert!((change.held() - 2_000_000.0).abs() < 1e5, "{change:?}");
        drop(region);
        let after = Counts::now();
        drop(first);
        assert_eq!(Counts::now(), after);
    }
}
