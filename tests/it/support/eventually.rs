//! Waiting for what becomes true by itself: by looking again and again, never by a sleep that hopes
//! to be long enough.

use std::fmt::Display;
use std::time::{Duration, Instant};

/// Generous, because only a failing test takes this long.
const DEADLINE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(10);

/// Tries until it succeeds, and returns what came of it.
///
/// # Panics
/// After 30 s, with the last failure.
pub async fn eventually_ok<T, E: Display>(
    what: &str,
    mut attempt: impl AsyncFnMut() -> Result<T, E>,
) -> T {
    let deadline = Instant::now() + DEADLINE;
    loop {
        match attempt().await {
            Ok(value) => return value,
            Err(error) => assert!(Instant::now() < deadline, "{what}: not in time: {error}"),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Looks until there is something to see, and returns it.
///
/// # Panics
/// After 30 s, with the name of what never came.
pub async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    eventually_ok(what, async || look().await.ok_or("nothing to see")).await
}

/// Looks until this holds.
///
/// # Panics
/// As [`eventually`].
pub async fn eventually_holds(what: &str, mut look: impl AsyncFnMut() -> bool) {
    eventually(what, async || look().await.then_some(())).await;
}

/// Lets a time pass that chance has chosen: how long a fault lasts, or a client rests. Nothing is
/// expected to be true afterwards; whatever a test waits for, it waits for by looking.
pub async fn let_pass(duration: Duration) {
    tokio::time::sleep(duration).await;
}
