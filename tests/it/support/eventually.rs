//! Waits until a condition becomes true by checking it repeatedly, never by a sleep that may be too
//! short.

use std::fmt::Display;
use std::time::{Duration, Instant};

/// Generous, because only a failing test takes this long.
const DEADLINE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(10);

/// Tries until it succeeds, and returns the result.
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

/// Checks until there is a value, and returns it.
///
/// # Panics
/// After 30 s, with the name of the value that never came.
pub async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    eventually_ok(what, async || look().await.ok_or("nothing to see")).await
}

/// Checks until this is true.
///
/// # Panics
/// As [`eventually`].
pub async fn eventually_holds(what: &str, mut look: impl AsyncFnMut() -> bool) {
    eventually(what, async || look().await.then_some(())).await;
}

/// Waits for a random time, such as the duration of a fault or the pause of a client. A test must
/// not expect anything to be true afterwards; for that it uses the functions above.
pub async fn let_pass(duration: Duration) {
    tokio::time::sleep(duration).await;
}
