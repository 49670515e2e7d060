//! Chance that can be repeated.

use std::time::{SystemTime, UNIX_EPOCH};

/// Numbers from a seed (xorshift64).
#[derive(Debug, Clone)]
pub struct Random(u64);

/// Another seed every time.
pub fn seed() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    since.as_nanos() as u64
}

impl Random {
    /// The same seed gives the same numbers.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// 0..`end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }

    /// True in this many of a hundred cases.
    pub fn is(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}
