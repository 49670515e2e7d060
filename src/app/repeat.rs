//! The one runner of the background loops. A verb has a step and knows nothing else. The pause
//! between two steps, what ends it early, the shutdown and the count of steps are here.

use std::future::pending;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::issue::Verdicts;
use crate::redis::generation::GenerationWatch;
use crate::telemetry::loops::{Loop, StepMetrics, Stepped};

/// How long to wait until the next step: at least the first value, at most the second. In between,
/// a [`Wake`] ends the wait.
pub(super) type Pause = RangeInclusive<Duration>;

/// A pause that nothing ends early.
pub(super) fn exactly(pause: Duration) -> Pause {
    pause..=pause
}

/// What a loop repeats. A step that is dropped in the middle loses nothing: the next step does the
/// rest.
#[async_trait]
pub(super) trait Steps: Send {
    /// Runs one step; returns its outcome, and when the next step should begin.
    async fn step(&mut self) -> (Stepped, Pause);
}

/// What ends the pause or the step of a loop early.
pub(super) enum Wake {
    Never,
    /// A doubt about the life of Redis ends the pause.
    Doubt(GenerationWatch),
    /// A coupon that may need a filter ends the pause.
    Unfiltered(Arc<Verdicts>),
    /// A coupon was preloaded: the current step is dropped for a new one.
    Preloaded(watch::Receiver<u16>),
}

impl Wake {
    async fn ends_pause(&mut self) {
        match self {
            Self::Doubt(generation) => generation.doubted().await,
            Self::Unfiltered(verdicts) => verdicts.unfiltered().await,
            Self::Never | Self::Preloaded(_) => pending().await,
        }
    }

    async fn ends_step(&mut self) {
        if let Self::Preloaded(shards) = self
            && shards.changed().await.is_ok()
        {
            return;
        }
        pending().await
    }
}

/// Repeats the step until shutdown, which drops a running step and ends a pause.
pub(super) async fn repeat(
    name: Loop,
    steps: &mut dyn Steps,
    mut wake: Wake,
    shutdown: &CancellationToken,
) {
    let metrics = StepMetrics::of(name);
    while !shutdown.is_cancelled() {
        let stepped = tokio::select! {
            stepped = steps.step() => Some(stepped),
            () = wake.ends_step() => None,
            () = shutdown.cancelled() => None,
        };
        let interrupted = (Stepped::Interrupted, exactly(Duration::ZERO));
        let (outcome, pause) = stepped.unwrap_or(interrupted);
        metrics.ended(outcome);
        tokio::select! {
            () = passed(pause, &mut wake) => {}
            () = shutdown.cancelled() => {}
        }
    }
}

async fn passed(pause: Pause, wake: &mut Wake) {
    let (at_least, at_most) = pause.into_inner();
    if !at_least.is_zero() {
        sleep(at_least).await;
    }
    let rest = at_most.saturating_sub(at_least);
    if !rest.is_zero() {
        // If the time-out comes first, that is fine too.
        let _ = timeout(rest, wake.ends_pause()).await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use tokio::time::Instant;

    use super::*;
    use crate::redis::{Redis, Settings};

    /// Says what it was told to say, and cancels when there is no more.
    struct Script {
        said: Vec<(Stepped, Pause)>,
        begun_at: Arc<Mutex<Vec<Instant>>>,
        shutdown: CancellationToken,
    }

    #[async_trait]
    impl Steps for Script {
        async fn step(&mut self) -> (Stepped, Pause) {
            self.begun_at.lock().unwrap().push(Instant::now());
            match self.said.pop() {
                Some(said) => said,
                None => {
                    self.shutdown.cancel();
                    pending().await
                }
            }
        }
    }

    /// How long after one another the steps of a loop began.
    async fn pauses(said: &[(Stepped, Pause)], wake: Wake) -> Vec<Duration> {
        let (begun_at, shutdown) = (Arc::default(), CancellationToken::new());
        let said = said.iter().rev().cloned().collect();
        let mut script =
            Script { said, begun_at: Arc::clone(&begun_at), shutdown: shutdown.clone() };
        repeat(Loop::Upkeep, &mut script, wake, &shutdown).await;
        let begun_at = begun_at.lock().unwrap();
        begun_at.windows(2).map(|pair| pair[1] - pair[0]).collect()
    }

    const HOUR: Duration = Duration::from_secs(3_600);
    const MOMENT: Duration = Duration::from_millis(20);

    #[tokio::test]
    async fn a_pause_is_as_long_as_the_step_says_and_the_end_interrupts_a_step() {
        let said = [(Stepped::Done, exactly(MOMENT)), (Stepped::Idle, MOMENT..=2 * MOMENT)];
        let pauses = pauses(&said, Wake::Never).await;
        assert!(pauses[0] >= MOMENT && pauses[1] >= 2 * MOMENT, "{pauses:?}");
        assert_eq!(pauses.len(), 2);
    }

    #[tokio::test]
    async fn what_wakes_a_loop_ends_its_pause_and_never_before_the_least() {
        let redis = Redis::new(&Settings {
            url: "redis://127.0.0.1:1".to_owned(),
            authorities_pem: None,
            key_prefix: "fc".to_owned(),
            response_timeout: MOMENT,
            pool_max_connections: 1,
        });
        let generation = redis.unwrap().generation().clone();
        generation.doubt();
        let pauses = pauses(&[(Stepped::Failed, MOMENT..=HOUR)], Wake::Doubt(generation)).await;
        assert!(pauses[0] >= MOMENT, "{pauses:?}");
    }

    #[tokio::test]
    async fn a_step_is_given_up_when_a_coupon_is_preloaded() {
        /// Ends only when it is given up. A coupon is preloaded while it runs first.
        struct Stuck(u32, watch::Sender<u16>, CancellationToken);
        #[async_trait]
        impl Steps for Stuck {
            async fn step(&mut self) -> (Stepped, Pause) {
                self.0 += 1;
                match self.0 {
                    1 => drop(self.1.send_replace(1)),
                    _ => self.2.cancel(),
                }
                pending().await
            }
        }
        let (shards, seen) = watch::channel(0);
        let shutdown = CancellationToken::new();
        let mut stuck = Stuck(0, shards, shutdown.clone());
        repeat(Loop::Persister, &mut stuck, Wake::Preloaded(seen), &shutdown).await;
        assert_eq!(stuck.0, 2, "a new step began");
    }
}
