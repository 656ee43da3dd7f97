//! Ids of resources, jobs and requests.

/// Draws ids from a seed: the same seed gives the same ids.
#[derive(Debug)]
pub(crate) struct Ids {
    state: u64,
    created: u64,
    next_certificate: i64,
}

/// Id alphabet: what ids of the cloud are made of.
const ALPHABET: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";

impl Ids {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            state: seed,
            created: 0,
            next_certificate: 10_000_001,
        }
    }

    /// A resource id such as `alb-…` for the prefix `alb`.
    pub(crate) fn resource(&mut self, prefix: &str) -> String {
        let mut id = format!("{prefix}-");
        for _ in 0..18 {
            let index = (self.next() % ALPHABET.len() as u64) as usize;
            id.push(char::from(ALPHABET[index]));
        }
        id
    }

    /// A UUID in lower case, as jobs have.
    pub(crate) fn uuid(&mut self) -> String {
        let (high, low) = (self.next(), self.next());
        format!(
            "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
            high >> 32,
            (high >> 16) & 0xffff,
            high & 0xffff,
            low >> 48,
            low & 0xffff_ffff_ffff
        )
    }

    /// Position of the next resource in the order of creation.
    pub(crate) fn position(&mut self) -> u64 {
        self.created += 1;
        self.created
    }

    pub(crate) fn certificate(&mut self) -> i64 {
        let id = self.next_certificate;
        self.next_certificate += 1;
        id
    }

    /// A number below `bound`; 0 for a bound of 0.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next().checked_rem(bound).unwrap_or(0)
    }

    /// SplitMix64: small, seedable, and good enough to make ids differ.
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}
