//! The bounds of the hot path that an operator may change.

use std::time::Duration;

/// The bounds of the hot path that an operator may change.
#[derive(Debug, Clone)]
pub struct Bounds {
    /// Requests that may wait in the queue of one worker.
    pub queue_max_requests: usize,
    /// Requests that one call answers, 1..=512.
    pub group_max_requests: usize,
    /// No ticket is issued beyond this many unpersisted tickets of a shard.
    pub backlog_max_tickets: u64,
    /// How long a request may wait in the queue before it gets `overloaded`. Rounds are kept so
    /// small that Redis answers them in half of this time; so it must be well below the Redis
    /// time-out.
    pub queue_max_wait: Duration,
    /// How long a request may wait in the queue for a connection to open again.
    pub reopen_wait: Duration,
}

impl Bounds {
    /// The longest wait before a request gets `overloaded`: a request that waited for Redis to come
    /// back may have waited longer than `queue_max_wait`.
    pub(super) fn longest_wait(&self) -> Duration {
        self.queue_max_wait.max(self.reopen_wait)
    }
}
