//! From the stream into the database. A record is acknowledged after the commit of its tickets and
//! never before. So after a crash at any moment it is delivered again, and writing it again
//! changes nothing (I3, I9).

mod bounds;
mod consumer;
mod pace;
mod pending;
mod write;

use std::sync::Arc;

use tokio::sync::watch;

use crate::domain::limits::DEADLY_DEATHS;
use crate::redis::deaths::Suspect;
use crate::redis::generation::Accepted;
use crate::redis::stream::{Entry, Reader};
use crate::redis::{self, Redis};
use crate::store::Store;
use crate::telemetry::health::{Health, Part, Report};

pub use bounds::Bounds;
use consumer::Consumer;
use pace::Pace;
use pending::Pending;
use write::{Away, Writer};

/// The result of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// This many tickets were committed and acknowledged.
    Persisted(usize),
    Idle,
    /// Redis or the database was away; the step has waited before it returned.
    Waited,
}

/// One consumer of the group; any number may run at once, in any number of processes.
pub struct Persister {
    redis: Redis,
    bounds: Bounds,
    consumer: Consumer,
    pending: Pending,
    writer: Writer,
    pace: Pace,
    /// Changes when the first coupon of a shard is preloaded.
    preloaded: watch::Receiver<u16>,
    health: Health,
}

impl Persister {
    /// A consumer with this name, unique among all processes. `now_ms` is the clock of the lag.
    pub fn new(
        redis: &Redis,
        store: Arc<dyn Store>,
        consumer: &str,
        bounds: Bounds,
        now_ms: fn() -> i64,
    ) -> Self {
        let reader = Reader::new(redis.clone(), consumer, bounds.read_block);
        let redis = redis.with_reserved_pool();
        Self {
            consumer: Consumer::new(redis.clone(), consumer, &bounds),
            pending: Pending::new(reader, &bounds),
            writer: Writer::new(redis.clone(), store, now_ms),
            pace: Pace::new(bounds.batch_max_tickets),
            preloaded: redis.preloaded().new_ones(),
            health: Health::default(),
            redis,
            bounds,
        }
    }

    /// Reports what it cannot write to this register.
    #[must_use]
    pub fn reporting_to(self, health: Health) -> Self {
        Self { health, ..self }
    }

    /// Reads a batch and persists it; waits when there is nothing, or when something is away. The
    /// step itself waits, because the consumer must show meanwhile that it is alive: 1 second for
    /// the stream, 5 seconds at most after failures. Every call and every transaction has its own
    /// time-out; a batch that is refused takes one transaction per record. A step that is dropped
    /// loses nothing: the entries that it had read are pending, and are read again.
    pub async fn step(&mut self) -> Step {
        // The first ticket of a shard must not wait for the next look at the shards.
        if self.preloaded.has_changed().unwrap_or(false) {
            self.preloaded.mark_unchanged();
            self.begin_anew();
        }
        self.step_with(true).await
    }

    /// Persists everything that is in the stream by now, own pending entries first, and leaves the
    /// group.
    pub async fn drain(&mut self) {
        self.begin_anew();
        // The prover stops at the same time, so what cannot be drained now never will be: no wait.
        while self.redis.generation().drainable().is_some() {
            let is_idle = self.step_with(false).await == Step::Idle;
            if is_idle && (!self.pending.is_pass_due() || self.consumer.readable().is_empty()) {
                return self.consumer.retire().await;
            }
            if is_idle {
                self.back_off().await;
            }
        }
        tracing::warn!("this life of Redis is not proven; the stream's records stay there");
    }

    /// Reads own pending entries first, and looks at all shards: also at one whose first coupon
    /// was preloaded since the last look.
    fn begin_anew(&mut self) {
        self.pending.begin_anew();
        self.consumer.look_soon();
    }

    async fn step_with(&mut self, block: bool) -> Step {
        let step = self.try_step(block).await;
        self.report();
        step
    }

    fn report(&self) {
        let mut warnings: Vec<String> = self.consumer.sentences().cloned().collect();
        warnings.extend(self.writer.sentence());
        self.health.report(Part::Persister, Report { reasons: Vec::new(), warnings });
    }

    async fn try_step(&mut self, block: bool) -> Step {
        let known = self.redis.generation().current();
        let Some(accepted) = self.redis.generation().drainable() else {
            let proven = self.redis.generation().differs_from(&known);
            let _ = tokio::time::timeout(self.bounds.read_block, proven).await;
            return Step::Waited;
        };
        let tried = match self.look_around(&accepted).await {
            Err(error) => Err(error),
            Ok(()) => match self.consumer.next_suspect() {
                Some(suspect) => self.try_alone(&accepted, &suspect).await,
                None => match self.read(&accepted, block).await {
                    Ok(entries) if entries.is_empty() => Ok(Step::Idle),
                    Ok(entries) => Ok(self.write_all(&accepted, entries).await),
                    Err(error) => Err(error),
                },
            },
        };
        match tried {
            Ok(step) => step,
            Err(error) => {
                tracing::warn!(%error, "the stream cannot be read");
                if matches!(error, redis::Error::OtherGeneration) {
                    self.redis.generation().doubt();
                }
                self.consumer.look_soon();
                self.pending.read_again();
                self.back_off().await
            }
        }
    }

    async fn look_around(&mut self, accepted: &Accepted) -> redis::Result<()> {
        if self.consumer.is_look_due() {
            if self.consumer.look_around(accepted).await? {
                self.pending.read_again();
            }
            self.pending.begin_due_pass();
        }
        Ok(())
    }

    /// Reads and writes a record that persisters did not survive, and no other with it: if this
    /// one dies too, only this record is to blame. After that it is parked (P5 step 4).
    async fn try_alone(&mut self, accepted: &Accepted, suspect: &Suspect) -> redis::Result<Step> {
        let Some(entry) = self.pending.read_alone(accepted, suspect).await? else {
            return Ok(Step::Persisted(0));
        };
        let Self { consumer, pending, writer, .. } = self;
        let written = match suspect.deaths >= DEADLY_DEATHS {
            true => writer.park(accepted, entry, consumer, pending).await,
            false => writer.write(accepted, vec![entry], consumer, pending).await,
        };
        match written {
            Ok(tickets) => Ok(Step::Persisted(tickets)),
            Err(Away) => {
                consumer.acquit(suspect).await;
                pending.read_again();
                Ok(self.back_off().await)
            }
        }
    }

    async fn read(&mut self, accepted: &Accepted, block: bool) -> redis::Result<Vec<Entry>> {
        if block && self.consumer.readable().is_empty() {
            tokio::time::sleep(self.bounds.take_over_every).await;
        }
        self.pending.read(accepted, &self.consumer, self.pace.batch_tickets(), block).await
    }

    async fn write_all(&mut self, accepted: &Accepted, entries: Vec<Entry>) -> Step {
        let Self { consumer, pending, writer, pace, .. } = self;
        let mut persisted = 0;
        let mut after = pending.read_after();
        for batch in pending::cut(entries, pace.batch_tickets()) {
            after = pending::advanced(after, &batch);
            match writer.write(accepted, batch, consumer, pending).await {
                Ok(tickets) => {
                    persisted += tickets;
                    pace.grow();
                }
                Err(Away) => {
                    pace.shrink();
                    // Goes on with the records after it: perhaps only this one cannot be written.
                    pending.go_on_behind(after);
                    pending.read_again();
                    return self.back_off().await;
                }
            }
        }
        pace.recover();
        Step::Persisted(persisted)
    }

    async fn back_off(&mut self) -> Step {
        let pause = self.pace.pause();
        self.consumer.seen_while(tokio::time::sleep(pause)).await;
        Step::Waited
    }
}
