//! The loop that keeps a private Redis running.

use std::time::Duration;

use async_trait::async_trait;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::repeat::{Pause, Steps, Wake, exactly, repeat};
use crate::domain::back_off::BackOff;
use crate::embedded::LocalRedis;
use crate::telemetry::loops::{Loop, Stepped};

/// For steps that wait themselves.
const NONE: Duration = Duration::ZERO;
/// The first pause between two starts of a private Redis that keeps dying is at most this long.
const RESTART_PAUSE_FIRST: Duration = Duration::from_millis(100);
/// No pause between two such starts is longer.
const RESTART_PAUSE_MAX: Duration = Duration::from_secs(10);

/// A private Redis that is started again with its data whenever it dies.
struct Restarted {
    local: LocalRedis,
    is_down: bool,
    back_off: BackOff,
}

#[async_trait]
impl Steps for Restarted {
    /// Waits until the process dies, however long that takes; or starts it again, which takes as
    /// long as Redis needs to load its data.
    async fn step(&mut self) -> (Stepped, Pause) {
        if !self.is_down {
            // Its log says why it ended.
            let _ = self.local.wait().await;
            self.is_down = true;
            tracing::error!("the private Redis died; it is started again");
        }
        match self.local.restart().await {
            Ok(()) => {
                self.is_down = false;
                self.back_off.reset();
                (Stepped::Done, exactly(NONE))
            }
            Err(error) => {
                tracing::error!(%error, "the private Redis does not start");
                (Stepped::Failed, exactly(self.back_off.pause()))
            }
        }
    }
}

/// Keeps the private Redis running until shutdown, then returns it. `_alive` is dropped when this
/// ends.
pub(super) async fn keep_alive(
    local: LocalRedis,
    shutdown: CancellationToken,
    _alive: DropGuard,
) -> LocalRedis {
    let back_off = BackOff::new(RESTART_PAUSE_FIRST, RESTART_PAUSE_MAX);
    let mut restarted = Restarted { local, is_down: false, back_off };
    repeat(Loop::EmbeddedRedis, &mut restarted, Wake::Never, &shutdown).await;
    restarted.local
}
