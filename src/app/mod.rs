//! Wires everything together. Starts first connections, then verbs, then listeners; stops in
//! reverse.

mod banner;
mod context;
mod examine;
mod failure;
mod loops;
mod open_files;
mod places;
mod recovering;
mod repeat;
mod restarted;
mod serve;
mod signals;

pub use context::Context;
pub use examine::Examination;
pub use failure::Failure;
pub use places::Database;
pub use recovering::recover;
pub use serve::{serve, work};
pub use signals::told_to_stop;

use std::time::{SystemTime, UNIX_EPOCH};

use crate::domain::time::UnixMs;

/// The clock of this process, for rows and for the lag. Windows are decided by the clock of Redis.
pub fn now() -> UnixMs {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMs(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// [`now`] as a plain number.
fn now_ms() -> i64 {
    now().0
}
