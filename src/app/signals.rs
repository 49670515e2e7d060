//! What a signal means to a server.

use futures_util::future::select_all;
use tokio::signal::unix::{SignalKind, signal};

use super::Failure;

/// Listens from now on, and completes at the first signal that asks for an end: SIGTERM, and,
/// unless whoever started this process had it ignore them, SIGINT, SIGQUIT, and SIGHUP, which a
/// terminal sends when it is closed. SIGUSR1 and SIGUSR2 mean nothing here and are taken without a
/// word: left alone, they would end the process at once.
pub(super) fn told_to_stop() -> Result<impl Future<Output = ()>, Failure> {
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

/// The signals that this process ignores, a bit each, as `nohup` has it ignore SIGHUP. Linux tells
/// them in a file; elsewhere none is known.
fn ignored_from_the_start() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default()
}
