//! The loops of a process that serve nobody and everybody: prove, relay, watch, persist, and keep a
//! private Redis alive. They end together: one that ends by itself ends the process.

use std::time::Duration;

use data_encoding::HEXLOWER;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use super::{Failure, House, now_ms};
use crate::config::Settings;
use crate::embedded::LocalRedis;
use crate::issue::FilterBuilder;
use crate::observe::Gauges;
use crate::persist::{self, Persister};
use crate::prepare::Relay;
use crate::reconcile::Prover;

/// The longest pause between two starts of a private Redis that keeps dying.
const RESTART_PAUSE_MAX: Duration = Duration::from_secs(10);

/// The consumer of whoever owns the data directory. Its lock proves that no other owner lives, so
/// what the last one had in hand is this one's own, and read first. Workers that visit the private
/// Redis live on, and have names of their own.
const OWNER: &str = "owner";

/// The background loops of a process.
pub(super) struct Loops {
    running: TaskTracker,
    shutdown: CancellationToken,
    fallen: CancellationToken,
    grace: Duration,
}

impl Loops {
    /// Starts what every process needs. `fallen` is cancelled when any of the loops ends.
    pub(super) fn start(
        settings: &Settings,
        house: &House,
        prover: Prover,
        gauges: Gauges,
        metrics: PrometheusHandle,
        fallen: CancellationToken,
    ) -> Self {
        let loops = Self {
            running: TaskTracker::new(),
            shutdown: CancellationToken::new(),
            fallen,
            grace: settings.grace(),
        };
        let shutdown = &loops.shutdown;
        loops.spawn(prover.run(shutdown.clone()));
        loops.spawn(Relay::new(&house.preparer).run(shutdown.clone()));
        loops.spawn(gauges.run(shutdown.clone()));
        loops.spawn(house.sweep().run(shutdown.clone()));
        loops.spawn(upkeep(metrics, shutdown.clone()));
        loops
    }

    /// A process without this loop would go on and break its word: nothing proven, nothing
    /// persisted. So its end, also by a panic, is the end of the process.
    fn spawn(&self, vital: impl Future<Output = ()> + Send + 'static) {
        let alive = self.fallen.clone().drop_guard();
        self.running.spawn(async move {
            let _alive = alive;
            vital.await;
        });
    }

    /// Starts what a process needs that issues.
    pub(super) fn build_filters(&self, filters: FilterBuilder) {
        self.spawn(filters.run(self.shutdown.clone()));
    }

    /// Starts a persister too.
    pub(super) fn persist(&mut self, settings: &Settings, house: &House) -> Result<(), Failure> {
        let persister = persister(settings, house)?;
        self.spawn(persister.run(self.shutdown.clone(), self.grace));
        Ok(())
    }

    /// Tells all of them, and waits until the stream is drained.
    pub(super) async fn stop(self) {
        self.shutdown.cancel();
        self.running.close();
        self.running.wait().await;
    }
}

fn persister(settings: &Settings, house: &House) -> Result<Persister, Failure> {
    let consumer = match house.local {
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
    let persister = Persister::new(&house.redis, house.store.clone(), &consumer, bounds, now_ms);
    Ok(persister.reporting_to(house.health.clone()))
}

/// Starts the private Redis again on its data whenever it dies, with a growing pause, until
/// shutdown. `_alive` is dropped when this ends.
pub(super) async fn keep_alive(
    mut local: LocalRedis,
    shutdown: CancellationToken,
    _alive: DropGuard,
) -> LocalRedis {
    let mut pause = Duration::from_millis(100);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return local,
            _ = local.wait() => tracing::error!("the private Redis died; it is started again"),
        }
        while let Err(error) = local.restart().await {
            tracing::error!(%error, "the private Redis does not start");
            tokio::select! {
                () = shutdown.cancelled() => return local,
                () = tokio::time::sleep(pause) => pause = (pause * 2).min(RESTART_PAUSE_MAX),
            }
        }
        pause = Duration::from_millis(100);
    }
}

/// Histograms keep every value until somebody looks; without a scraper nobody does.
async fn upkeep(metrics: PrometheusHandle, shutdown: CancellationToken) {
    while !shutdown.is_cancelled() {
        metrics.run_upkeep();
        tokio::select! {
            () = tokio::time::sleep(Duration::from_secs(1)) => {}
            () = shutdown.cancelled() => {}
        }
    }
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
