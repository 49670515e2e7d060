//! How many requests a round may have: a queue bounded by time needs rounds bounded by time.
//!
//! A call in flight cannot be taken back, and after the Redis time-out its outcome is unknown. So a
//! round has about as many requests as Redis answered within a bound of time before. The limit
//! begins small, and grows as long as rounds are full and quick.

use std::time::Duration;

use crate::domain::limits::{GROUP_MAX_REQUESTS, ROUND_MAX_GROUPS, ROUND_MIN_REQUESTS};

/// The limit of one batcher.
pub(super) struct RoundLimit {
    max_requests: usize,
    /// A round that takes longer was too large.
    within: Duration,
}

impl RoundLimit {
    /// A limit for rounds that take no longer than this.
    pub(super) fn new(within: Duration) -> Self {
        Self { max_requests: GROUP_MAX_REQUESTS, within }
    }

    /// The most requests of the next round.
    pub(super) fn max_requests(&self) -> usize {
        self.max_requests
    }

    /// Learns from a round of this many requests. Twice as many can take twice as long, which is
    /// still far from the time-out.
    pub(super) fn learn(&mut self, requests: usize, took: Duration) {
        if took > self.within {
            let fit = requests as f64 * self.within.as_secs_f64() / took.as_secs_f64();
            self.max_requests = (fit as usize).clamp(ROUND_MIN_REQUESTS, self.max_requests);
        } else if requests > self.max_requests / 2 {
            let most = ROUND_MAX_GROUPS * GROUP_MAX_REQUESTS;
            self.max_requests = (self.max_requests * 2).min(most);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WITHIN: Duration = Duration::from_millis(250);

    #[test]
    fn it_grows_while_full_rounds_are_quick_and_not_by_small_ones() {
        let mut limit = RoundLimit::new(WITHIN);
        limit.learn(20, WITHIN);
        assert_eq!(limit.max_requests(), 512);
        limit.learn(400, WITHIN);
        assert_eq!(limit.max_requests(), 1_024);
        (0..20).for_each(|_| limit.learn(limit.max_requests(), WITHIN));
        assert_eq!(limit.max_requests(), 8_192);
    }

    #[test]
    fn a_slow_redis_gets_what_it_answers_in_time() {
        let mut limit = RoundLimit::new(WITHIN);
        limit.learn(400, WITHIN * 4);
        assert_eq!(limit.max_requests(), 100);
        // Whatever the size of a round, Redis answers 200 requests per second.
        for _ in 0..20 {
            let requests = limit.max_requests();
            limit.learn(requests, Duration::from_millis(requests as u64 * 5));
            assert!(limit.max_requests() <= 100, "twice {WITHIN:?} at most");
        }
        (0..20).for_each(|_| limit.learn(20, WITHIN * 40));
        assert_eq!(limit.max_requests(), ROUND_MIN_REQUESTS, "and some always get through");
    }
}
