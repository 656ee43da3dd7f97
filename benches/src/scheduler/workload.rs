//! Operations, random durations, clocks.

use std::{future::Future, time::Duration};

/// One operation on a key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Operation {
    pub(crate) key: u32,
    pub(crate) duration: Duration,
}

/// Runs a future in virtual time: clocks jump to the next timer whenever nothing else is left to do.
pub(crate) fn virtual_time<F: Future>(future: F) -> anyhow::Result<F::Output> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()?;
    Ok(runtime.block_on(future))
}

/// Runs a future in real time on two threads.
pub(crate) fn real_time<F: Future>(future: F) -> anyhow::Result<F::Output> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_time()
        .build()?;
    Ok(runtime.block_on(future))
}

/// SplitMix64.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform in `0.0..1.0`.
    pub(crate) fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        (-2.0 * (1.0 - self.unit()).ln()).sqrt() * (std::f64::consts::TAU * self.unit()).cos()
    }

    /// Log-normal with this median and σ = 0.5, in whole milliseconds (the resolution of tokio's timers).
    pub(crate) fn log_normal(&mut self, median: Duration) -> Duration {
        let millis = median.as_secs_f64() * 1000.0 * (0.5 * self.normal()).exp();
        Duration::from_millis(millis.ceil() as u64)
    }
}

/// Draws keys with Zipf's law.
pub(crate) struct Zipf {
    cumulative: Vec<f64>,
}

impl Zipf {
    pub(crate) fn new(keys: u32, exponent: f64) -> Self {
        let mut sum = 0.0;
        let cumulative = (1..=keys).map(|rank| {
            sum += f64::from(rank).powf(-exponent);
            sum
        });
        Self {
            cumulative: cumulative.collect(),
        }
    }

    pub(crate) fn draw(&self, random: &mut Random) -> u32 {
        let at = random.unit() * self.cumulative.last().copied().unwrap_or(0.0);
        self.cumulative.partition_point(|&sum| sum < at) as u32
    }
}

/// The value below which this share of the sorted values lies.
pub(crate) fn percentile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let index = ((values.len() as f64 * share).ceil() as usize).clamp(1, values.len().max(1)) - 1;
    values.get(index).copied().unwrap_or(0.0)
}

/// max(longest chain, work / slots), seconds.
pub(crate) fn bound(operations: &[Operation], slots: u32) -> f64 {
    let mut chains = std::collections::BTreeMap::new();
    for operation in operations {
        *chains.entry(operation.key).or_insert(Duration::ZERO) += operation.duration;
    }
    let work: Duration = operations.iter().map(|operation| operation.duration).sum();
    let longest = chains.values().max().copied().unwrap_or_default();
    longest.as_secs_f64().max(work.as_secs_f64() / f64::from(slots))
}
