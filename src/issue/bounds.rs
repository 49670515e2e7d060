//! What an operator may change of the hot path.

use std::time::Duration;

/// The bounds of the hot path that an operator may change.
#[derive(Debug, Clone)]
pub struct Bounds {
    /// Requests that may wait in the queue of one worker.
    pub queue_max_requests: usize,
    /// Requests that one call answers, 1..=512.
    pub group_max_requests: usize,
    /// Unpersisted tickets of a shard beyond which nothing is issued.
    pub backlog_max_tickets: u64,
    /// How long a request may wait in the queue before it is `overloaded`. Rounds are kept so small
    /// that Redis answers them in half of it; so it must be well below the time-out of Redis.
    pub queue_max_wait: Duration,
    /// How long a request may wait in the queue for a connection to open again.
    pub reopen_wait: Duration,
}

impl Bounds {
    /// Whoever waited for Redis to come back may have waited longer than for their turn.
    pub(super) fn longest_wait(&self) -> Duration {
        self.queue_max_wait.max(self.reopen_wait)
    }
}
