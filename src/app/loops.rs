//! The background loops of a process: prover, relay, gauges, persister, and the one that keeps a
//! private Redis running. They end together: if one ends by itself, the process ends.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use data_encoding::HEXLOWER;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::repeat::{Pause, Steps, Wake, exactly, repeat};
use super::{Context, Failure, now_ms};
use crate::archive::Archiver;
use crate::config::Settings;
use crate::issue::{FilterBuilder, Verdicts};
use crate::observe::Gauges;
use crate::persist::{self, Persister};
use crate::prepare::Relay;
use crate::reconcile::{HeartbeatFile, HeartbeatRow, Prover, Sweep};
use crate::recover::{ProcessRow, Recoverer};
use crate::telemetry::loops::{Loop, Stepped};

/// The pause between two looks of the prover. A doubt shortens it, but never to nothing, however
/// many callers doubt.
const PROVER: Pause = Duration::from_millis(50)..=EVERY_SECOND;
/// The pause of loops that look once a second.
const EVERY_SECOND: Duration = Duration::from_secs(1);
const RECOVERER: Duration = Duration::from_millis(500);
const PROCESS_ROW: Duration = Duration::from_millis(250);
const RELAY: Duration = Duration::from_millis(500);
/// For loops whose step itself waits.
const NONE: Duration = Duration::ZERO;
/// The consumer name of the owner of the data directory. The lock on that directory proves that no
/// other owner runs, so this owner may take the pending entries of the last one, and reads them
/// first. Workers that use the private Redis may still run, and have names of their own.
const OWNER: &str = "owner";

#[async_trait]
impl Steps for Prover {
    async fn step(&mut self) -> (Stepped, Pause) {
        (Self::step(self).await, PROVER)
    }
}

#[async_trait]
impl Steps for HeartbeatFile {
    async fn step(&mut self) -> (Stepped, Pause) {
        (Self::step(self).await, exactly(NONE))
    }
}

#[async_trait]
impl Steps for HeartbeatRow {
    async fn step(&mut self) -> (Stepped, Pause) {
        (Self::step(self).await, exactly(NONE))
    }
}

#[async_trait]
impl Steps for Relay {
    async fn step(&mut self) -> (Stepped, Pause) {
        let stepped = match Self::step(self).await {
            Ok(0) => Stepped::Idle,
            Ok(_) => Stepped::Done,
            Err(_) => Stepped::Failed,
        };
        (stepped, exactly(RELAY))
    }
}

#[async_trait]
impl Steps for Gauges {
    async fn step(&mut self) -> (Stepped, Pause) {
        (Self::step(self).await, exactly(EVERY_SECOND))
    }
}

#[async_trait]
impl Steps for Sweep {
    async fn step(&mut self) -> (Stepped, Pause) {
        (Self::step(self).await, exactly(EVERY_SECOND))
    }
}

#[async_trait]
impl Steps for Recoverer {
    async fn step(&mut self) -> (Stepped, Pause) {
        let stepped = Self::step(self).await;
        let pause = if stepped == Stepped::Done { NONE } else { RECOVERER };
        (stepped, exactly(pause))
    }
}

#[async_trait]
impl Steps for Archiver {
    async fn step(&mut self) -> (Stepped, Pause) {
        let (stepped, pause) = Self::step(self).await;
        (stepped, exactly(pause))
    }
}

#[async_trait]
impl Steps for ProcessRow {
    async fn step(&mut self) -> (Stepped, Pause) {
        (Self::step(self).await, exactly(PROCESS_ROW))
    }
}

/// Histograms keep every value until they are read; without a scraper nobody reads them.
#[async_trait]
impl Steps for PrometheusHandle {
    async fn step(&mut self) -> (Stepped, Pause) {
        self.run_upkeep();
        (Stepped::Done, exactly(EVERY_SECOND))
    }
}

#[async_trait]
impl Steps for FilterBuilder {
    async fn step(&mut self) -> (Stepped, Pause) {
        Self::step(self).await
    }
}

#[async_trait]
impl Steps for Persister {
    async fn step(&mut self) -> (Stepped, Pause) {
        let stepped = match Self::step(self).await {
            persist::Step::Persisted(_) => Stepped::Done,
            persist::Step::Idle => Stepped::Idle,
            persist::Step::Waited => Stepped::Failed,
        };
        (stepped, exactly(NONE))
    }
}

pub(super) struct Loops {
    running: TaskTracker,
    shutdown: CancellationToken,
    /// What this process says when the others have ended.
    ending: TaskTracker,
    drained: CancellationToken,
    fallen: CancellationToken,
    grace: Duration,
}

impl Loops {
    /// Starts the loops that every process needs. `fallen` is cancelled when any loop ends by
    /// itself.
    pub(super) fn start(
        settings: &Settings,
        context: &Context,
        prover: Prover,
        gauges: Gauges,
        metrics: PrometheusHandle,
        fallen: CancellationToken,
    ) -> Self {
        let loops = Self {
            running: TaskTracker::new(),
            shutdown: CancellationToken::new(),
            ending: TaskTracker::new(),
            drained: CancellationToken::new(),
            fallen,
            grace: settings.grace(),
        };
        if let Some(file) = prover.heartbeat_file() {
            loops.repeat(Loop::HeartbeatFile, file, Wake::Never);
        }
        loops.repeat(Loop::HeartbeatRow, prover.heartbeat_row(), Wake::Never);
        loops.repeat(Loop::Prover, prover, Wake::Doubt(context.redis.generation().clone()));
        loops.repeat(Loop::Relay, Relay::new(&context.preparer), Wake::Never);
        loops.repeat(Loop::Gauges, gauges, Wake::Never);
        loops.repeat(Loop::Sweep, context.sweep(), Wake::Never);
        loops.repeat(Loop::Recoverer, context.recoverer(), Wake::Never);
        loops.repeat(Loop::Archiver, context.archiver(), Wake::Never);
        loops.repeat(Loop::Upkeep, metrics, Wake::Never);
        loops
    }

    fn repeat(&self, name: Loop, mut steps: impl Steps + 'static, wake: Wake) {
        let shutdown = self.shutdown.clone();
        self.spawn(async move { repeat(name, &mut steps, wake, &shutdown).await });
    }

    /// Without this loop the process would keep running and silently break its promises: nothing
    /// would be proven, or nothing persisted. So the end of the loop, also by a panic, ends the
    /// process.
    fn spawn(&self, vital: impl Future<Output = ()> + Send + 'static) {
        let alive = self.fallen.clone().drop_guard();
        self.running.spawn(async move {
            let _alive = alive;
            vital.await;
        });
    }

    /// Starts the loop that only issuing processes need.
    pub(super) fn build_filters(&self, filters: FilterBuilder, verdicts: Arc<Verdicts>) {
        self.repeat(Loop::Filters, filters, Wake::Unfiltered(verdicts));
    }

    /// Keeps the row of a process that issues. When the persister has ended, the row says so.
    pub(super) fn keep_row(&self, mut row: ProcessRow) {
        let (shutdown, drained, grace) = (self.shutdown.clone(), self.drained.clone(), self.grace);
        let alive = self.fallen.clone().drop_guard();
        self.ending.spawn(async move {
            let _alive = alive;
            repeat(Loop::ProcessRow, &mut row, Wake::Never, &shutdown).await;
            drained.cancelled().await;
            if tokio::time::timeout(grace, row.end()).await.is_err() {
                tracing::warn!("the database does not know that this process ended cleanly");
            }
        });
    }

    /// Starts a persister too. At shutdown it drains the stream, as far as the grace period
    /// allows.
    pub(super) fn persist(
        &mut self,
        settings: &Settings,
        context: &Context,
    ) -> Result<(), Failure> {
        let mut persister = persister(settings, context)?;
        let wake = Wake::Preloaded(context.redis.preloaded().new_ones());
        let (shutdown, grace) = (self.shutdown.clone(), self.grace);
        self.spawn(async move {
            repeat(Loop::Persister, &mut persister, wake, &shutdown).await;
            if tokio::time::timeout(grace, persister.drain()).await.is_err() {
                tracing::warn!("the stream was not drained in time; its records stay in Redis");
            }
        });
        Ok(())
    }

    /// Stops all loops, and waits until the stream is drained.
    pub(super) async fn stop(self) {
        self.shutdown.cancel();
        self.running.close();
        self.running.wait().await;
        self.drained.cancel();
        self.ending.close();
        self.ending.wait().await;
    }
}

fn persister(settings: &Settings, context: &Context) -> Result<Persister, Failure> {
    let consumer = match context.local {
        Some(_) => OWNER.to_owned(),
        None => {
            let mut bytes = [0; 4];
            getrandom::fill(&mut bytes).map_err(|error| Failure::Missing(error.to_string()))?;
            format!("{}-{}", std::process::id(), HEXLOWER.encode(&bytes))
        }
    };
    let bounds = persist::Bounds {
        batch_max_tickets: settings.bounds.batch_max_tickets as usize,
        batch_max_age: Duration::from_millis(settings.bounds.batch_max_age_ms),
        ..persist::Bounds::default()
    };
    let persister =
        Persister::new(&context.redis, context.store.clone(), &consumer, bounds, now_ms);
    Ok(persister.reporting_to(context.health.clone()))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[tokio::test]
    async fn a_loop_that_panics_is_noticed_and_the_others_are_waited_for() {
        let fallen = CancellationToken::new();
        let loops = Loops {
            running: TaskTracker::new(),
            shutdown: CancellationToken::new(),
            ending: TaskTracker::new(),
            drained: CancellationToken::new(),
            fallen: fallen.clone(),
            grace: Duration::ZERO,
        };
        let shutdown = loops.shutdown.clone();
        let ended = Arc::new(AtomicBool::new(false));
        let late = ended.clone();
        loops.spawn(async move {
            shutdown.cancelled().await;
            tokio::task::yield_now().await;
            late.store(true, Ordering::Relaxed);
        });
        tokio::task::yield_now().await;
        assert!(!fallen.is_cancelled(), "all loops run");
        loops.spawn(async { panic!("planted") });
        fallen.cancelled().await;
        loops.stop().await;
        assert!(ended.load(Ordering::Relaxed));
    }
}
