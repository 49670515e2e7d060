//! A commit of tickets shows, for a while, that the database accepts rows.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// For how long a commit shows it.
const PROVES_FOR: Duration = Duration::from_secs(5);

/// When this process last committed tickets.
#[derive(Debug, Default)]
pub(super) struct LastCommit(Mutex<Option<Instant>>);

impl LastCommit {
    /// Tickets were committed just now.
    pub(super) fn is_now(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// Whether a commit is so recent that a rehearsal would show nothing new.
    pub(super) fn is_recent(&self) -> bool {
        let last = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        last.is_some_and(|at| at.elapsed() < PROVES_FOR)
    }
}
