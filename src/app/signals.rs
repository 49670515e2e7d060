//! What a signal means to a process that runs until it is told to stop.

use futures_util::future::select_all;
use tokio::signal::unix::{SignalKind, signal};

use super::Failure;

/// Listens from now on, and completes at the first signal that asks for an end: SIGTERM, SIGINT,
/// SIGQUIT, or SIGHUP, which a terminal sends when it is closed. All but SIGTERM are left ignored
/// if the process was started with them ignored. SIGUSR1 and SIGUSR2 are caught and do nothing,
/// because by default they would kill the process.
pub fn told_to_stop() -> Result<impl Future<Output = ()>, Failure> {
    let ignored = ignored_from_the_start();
    let is_ignored = |kind: &SignalKind| ignored >> (kind.as_raw_value() - 1) & 1 == 1;
    let mut ends = vec![signal(SignalKind::terminate())?];
    for kind in [SignalKind::interrupt(), SignalKind::quit(), SignalKind::hangup()] {
        if !is_ignored(&kind) {
            ends.push(signal(kind)?);
        }
    }
    for ignored in [SignalKind::user_defined1(), SignalKind::user_defined2(), SignalKind::alarm()] {
        drop(signal(ignored)?);
    }
    Ok(async move {
        select_all(ends.iter_mut().map(|end| Box::pin(end.recv()))).await;
    })
}

/// The signals that this process ignores, one bit each; `nohup` for example makes it ignore
/// SIGHUP. Only Linux shows them, in a file.
fn ignored_from_the_start() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default()
}
