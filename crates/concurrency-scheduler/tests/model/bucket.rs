//! A token bucket by its definition: a start is allowed if every window that ends with it holds at most
//! `burst + rate · length` starts. Remembers all starts; quadratic on purpose.

/// In millionths of a token, as the machine counts.
const TOKEN: u64 = 1_000_000;

#[derive(Clone, Debug)]
pub(crate) struct NaiveBucket {
    rate: Option<u64>,
    burst: u64,
    /// Millionths of a token earned up to `base_ns`, in all.
    base: u64,
    base_ns: u64,
    starts: Vec<u64>,
}

impl NaiveBucket {
    pub(crate) fn new(rate_per_s: Option<f64>, burst: u32) -> Self {
        let mut bucket = Self {
            rate: None,
            burst: 0,
            base: 0,
            base_ns: 0,
            starts: Vec::new(),
        };
        bucket.configure(rate_per_s, burst, 0);
        bucket
    }

    pub(crate) fn configure(&mut self, rate_per_s: Option<f64>, burst: u32, now_ns: u64) {
        let rate = rate_per_s.map(|rate| (rate * 1e6).round() as u64);
        self.burst = u64::from(burst);
        if rate != self.rate {
            self.base = self.earned(now_ns);
            self.base_ns = now_ns;
            self.rate = rate;
        }
    }

    fn earned(&self, now_ns: u64) -> u64 {
        let elapsed = u128::from(now_ns - self.base_ns);
        self.base + (elapsed * u128::from(self.rate.unwrap_or(0)) / 1_000_000_000) as u64
    }

    pub(crate) fn allows(&self, now_ns: u64) -> bool {
        if self.rate.is_none() {
            return true;
        }
        let earned = self.earned(now_ns);
        self.starts.iter().enumerate().all(|(index, &start)| {
            let in_window = (self.starts.len() - index) as u64 + 1;
            in_window.saturating_sub(self.burst) * TOKEN <= earned - start
        })
    }

    pub(crate) fn take(&mut self, now_ns: u64) {
        if self.rate.is_some() {
            self.starts.push(self.earned(now_ns));
        }
    }
}
