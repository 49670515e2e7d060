//! What a signal means to a server.

use futures_util::future::select_all;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::Failure;

/// Listens from now on, and completes at the first signal that asks for an end: SIGTERM, SIGINT,
/// SIGQUIT, and SIGHUP, which a terminal sends when it is closed. SIGUSR1 and SIGUSR2 mean nothing
/// here and are taken without a word: left alone, they would end the process at once.
pub(super) fn told_to_stop() -> Result<impl Future<Output = ()>, Failure> {
    let mut ends = [
        SignalKind::terminate(),
        SignalKind::interrupt(),
        SignalKind::quit(),
        SignalKind::hangup(),
    ]
    .map(signal)
    .into_iter()
    .collect::<Result<Vec<Signal>, _>>()?;
    for ignored in [SignalKind::user_defined1(), SignalKind::user_defined2(), SignalKind::alarm()] {
        drop(signal(ignored)?);
    }
    Ok(async move {
        select_all(ends.iter_mut().map(|end| Box::pin(end.recv()))).await;
    })
}
