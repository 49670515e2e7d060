//! How much is written at once, and how long the pause is after a failure (P5 step 5).

use std::time::Duration;

use crate::domain::back_off::BackOff;

/// The longest pause after a first failure.
const PAUSE_FIRST: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(5);

pub(super) struct Pace {
    batch_max_tickets: usize,
    /// Tickets per transaction now. Halved when the database is away, because a database that is
    /// too slow for a whole batch looks the same; an eighth more after each batch.
    batch_tickets: usize,
    back_off: BackOff,
}

impl Pace {
    pub(super) fn new(batch_max_tickets: usize) -> Self {
        let back_off = BackOff::new(PAUSE_FIRST, PAUSE_MAX);
        Self { batch_max_tickets, batch_tickets: batch_max_tickets, back_off }
    }

    /// How many tickets the next transaction may have.
    pub(super) fn batch_tickets(&self) -> usize {
        self.batch_tickets
    }

    /// Called after a batch was written.
    pub(super) fn grow(&mut self) {
        let more = self.batch_tickets + self.batch_tickets.div_ceil(8);
        self.batch_tickets = more.min(self.batch_max_tickets);
    }

    /// Called after a batch could not be written.
    pub(super) fn shrink(&mut self) {
        self.batch_tickets = (self.batch_tickets / 2).max(1);
    }

    /// The pause after this failure: at most 0.1, 0.2, 0.4 … 5 seconds.
    pub(super) fn pause(&mut self) -> Duration {
        self.back_off.pause()
    }

    /// Called when all went well: the next pause is the shortest again.
    pub(super) fn recover(&mut self) {
        self.back_off.reset();
    }
}
