//! How much is written at once, and how long is waited after a failure (P5 step 5).

use std::time::Duration;

use crate::domain::back_off::BackOff;

/// The longest pause after a first failure.
const PAUSE_FIRST: Duration = Duration::from_millis(100);
/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// The pace of one persister.
pub(super) struct Pace {
    /// Tickets of one transaction at most.
    batch_max_tickets: usize,
    /// Tickets of the next transactions. Halved when the database is away, as it also seems to be
    /// when it is too slow for a whole batch; an eighth more with each batch that was written.
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

    /// A batch was written.
    pub(super) fn grow(&mut self) {
        let more = self.batch_tickets + self.batch_tickets.div_ceil(8);
        self.batch_tickets = more.min(self.batch_max_tickets);
    }

    /// A batch could not be written.
    pub(super) fn shrink(&mut self) {
        self.batch_tickets = (self.batch_tickets / 2).max(1);
    }

    /// How long to wait after this failure: at most 0.1, 0.2, 0.4 … 5 seconds.
    pub(super) fn pause(&mut self) -> Duration {
        self.back_off.pause()
    }

    /// All went well: the next pause is the shortest again.
    pub(super) fn recover(&mut self) {
        self.back_off.reset();
    }
}
