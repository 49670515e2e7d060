//! Whether the database takes rows: a ticket is inserted and taken back, unless real ones were
//! committed lately.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

/// A commit proves for this long that the database takes rows.
const PROVES_FOR: Duration = Duration::from_secs(5);

/// The ticket that is inserted: of no coupon, because every real one has an id.
pub(super) const INSERT: &str = "INSERT INTO tickets
     (coupon_id, serial, epoch, user_id, claim, issued_at_ms, source)
     VALUES ('', $1, 1, $2, 1, 0, 'rehearsal')";

/// A serial that no other server rehearses with at this moment: nobody waits for the other.
pub(super) fn serial() -> i64 {
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    1 + i64::from(now.subsec_nanos()) + i64::from(std::process::id()) % 1_000 * 1_000_000_000
}

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
