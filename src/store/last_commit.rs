//! A commit of tickets proves for a while that the database takes rows.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// It proves that for this long.
const PROVES_FOR: Duration = Duration::from_secs(5);

/// When this process committed tickets last.
#[derive(Debug, Default)]
pub(super) struct LastCommit(Mutex<Option<Instant>>);

impl LastCommit {
    /// Tickets were committed now.
    pub(super) fn is_now(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// Whether a rehearsal would say nothing new.
    pub(super) fn is_recent(&self) -> bool {
        let last = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        last.is_some_and(|at| at.elapsed() < PROVES_FOR)
    }
}
