//! The bounds of a persister.

use std::time::Duration;

use crate::domain::limits::{
    BATCH_MAX_AGE, BATCH_MAX_TICKETS, CONSUMER_GONE, READ_BLOCK, TAKE_OVER_EVERY, TAKE_OVER_IDLE,
};

/// The bounds of a persister.
#[derive(Debug, Clone)]
pub struct Bounds {
    /// Tickets of one transaction.
    pub batch_max_tickets: usize,
    /// How long a batch that is not full may gather.
    pub batch_max_age: Duration,
    /// How long the read of new records blocks.
    pub read_block: Duration,
    /// Entries of a consumer that was silent for this long are taken over.
    pub take_over_idle: Duration,
    /// How often silent consumers are looked for, and this one is seen.
    pub take_over_every: Duration,
    /// A consumer that was silent for this long and holds nothing is taken out of the groups.
    pub gone_after: Duration,
    /// How often a record that the database refuses is tried again, and logged.
    pub refused_retry: Duration,
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
            refused_retry: Duration::from_secs(30),
        }
    }
}
