//! Waiting for what becomes true on its own time.

use std::fmt::Display;
use std::time::{Duration, Instant};

/// How long anything may take before its test fails.
const DEADLINE: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(10);

/// Tries until it succeeds; panics with the last failure when the deadline has passed.
pub async fn eventually<T, E: Display>(
    what: &str,
    mut attempt: impl AsyncFnMut() -> Result<T, E>,
) -> T {
    let begun = Instant::now();
    loop {
        match attempt().await {
            Ok(value) => return value,
            Err(error) if begun.elapsed() > DEADLINE => {
                panic!("{what}: not within {} s: {error}", DEADLINE.as_secs())
            }
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}
