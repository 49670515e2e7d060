//! The bounds of a persister.

use std::time::Duration;

use crate::domain::limits::{
    BATCH_MAX_AGE, BATCH_MAX_TICKETS, CONSUMER_GONE, READ_BLOCK, TAKE_OVER_EVERY, TAKE_OVER_IDLE,
};

/// The bounds of a persister.
#[derive(Debug, Clone)]
pub struct Bounds {
    /// Tickets per transaction.
    pub batch_max_tickets: usize,
    /// How long a batch that is not full may wait for more records.
    pub batch_max_age: Duration,
    pub read_block: Duration,
    /// The entries of a consumer that was silent for this long are taken over.
    pub take_over_idle: Duration,
    /// How often this consumer shows that it is alive and looks for silent ones.
    pub take_over_every: Duration,
    /// A consumer that was silent for this long and has no entries is removed from the groups.
    pub gone_after: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            batch_max_tickets: BATCH_MAX_TICKETS,
            batch_max_age: BATCH_MAX_AGE,
            read_block: READ_BLOCK,
            take_over_idle: TAKE_OVER_IDLE,
            take_over_every: TAKE_OVER_EVERY,
            gone_after: CONSUMER_GONE,
        }
    }
}
