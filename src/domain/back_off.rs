//! How long to wait before something that failed is tried again.

use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};

/// The pauses after consecutive failures: each may be twice as long as the one before. Each is
/// shortened by a random part, up to half, so that processes that failed at the same time do not
/// try again at the same time.
#[derive(Debug)]
pub struct BackOff {
    policy: ExponentialBuilder,
    longest: Duration,
    pauses: ExponentialBackoff,
}

impl BackOff {
    /// The first pause is no longer than `first`, and none is longer than `longest`.
    pub fn new(first: Duration, longest: Duration) -> Self {
        // The jitter of this policy can double a delay, so both bounds are halved.
        let policy = ExponentialBuilder::new()
            .with_min_delay(first / 2)
            .with_max_delay(longest / 2)
            .without_max_times()
            .with_jitter();
        Self { policy, longest, pauses: policy.build() }
    }

    /// How long to wait after the failure that just happened.
    pub fn pause(&mut self) -> Duration {
        self.pauses.next().map_or(self.longest, |pause| pause.min(self.longest))
    }

    /// After a success: the next pause is short again.
    pub fn reset(&mut self) {
        self.pauses = self.policy.build();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_within_their_bounds_and_differ_between_processes() {
        let mut differ = false;
        for _ in 0..100 {
            let bounds = (Duration::from_millis(100), Duration::from_secs(5));
            let (mut one, mut other) =
                (BackOff::new(bounds.0, bounds.1), BackOff::new(bounds.0, bounds.1));
            for _ in 0..2 {
                for longest_ms in [100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000] {
                    let (pause, longest) = (one.pause(), Duration::from_millis(longest_ms));
                    differ |= pause != other.pause();
                    let least = longest / 2 - Duration::from_millis(1);
                    assert!((least..=longest).contains(&pause), "{pause:?} of {longest:?}");
                }
                one.reset();
                other.reset();
            }
        }
        assert!(differ);
    }
}
