//! From the stream into the database. A record is acknowledged after its tickets' commit and never
//! before, so a crash at any moment means that it comes again, and coming again changes nothing
//! (I3, I9).

mod consume;
mod contested;
mod living;
mod refused;
mod write;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use crate::domain::coupon::Shard;
use crate::domain::limits::{
    BATCH_MAX_AGE, BATCH_MAX_TICKETS, CONSUMER_GONE, READ_BLOCK, TAKE_OVER_EVERY, TAKE_OVER_IDLE,
};
use crate::lua::retire;
use crate::redis::generation::{Accepted, Life};
use crate::redis::stream::{Entry, Reader};
use crate::redis::{self, Redis};
use crate::store::Store;
use crate::telemetry::health::{Health, Part, Report};
use contested::Contested;
use refused::Refused;

/// The bounds of a persister.
#[derive(Debug, Clone)]
pub struct Bounds {
    /// Tickets of one transaction.
    pub batch_max_tickets: usize,
    /// How long a batch that is not full may gather.
    pub batch_max_age: Duration,
    /// How long the read of new records blocks.
    pub read_block: Duration,
    /// Entries of a consumer that was silent for this long are taken over.
    pub take_over_idle: Duration,
    /// How often silent consumers are looked for, and this one is seen.
    pub take_over_every: Duration,
    /// A consumer that was silent for this long and holds nothing is taken out of the groups.
    pub gone_after: Duration,
    /// How often a record that the database refuses is tried again, and logged.
    pub refused_retry: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            batch_max_tickets: BATCH_MAX_TICKETS,
            batch_max_age: BATCH_MAX_AGE,
            read_block: READ_BLOCK,
            take_over_idle: TAKE_OVER_IDLE,
            take_over_every: TAKE_OVER_EVERY,
            gone_after: CONSUMER_GONE,
            refused_retry: Duration::from_secs(30),
        }
    }
}

/// What a step did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// This many tickets were committed and acknowledged.
    Persisted(usize),
    /// There was nothing to do.
    Idle,
    /// Redis or the database was away; the step has waited before it returned.
    Waited,
}

/// One consumer of the group; any number may run at once, in any number of processes.
pub struct Persister {
    redis: Redis,
    store: Arc<dyn Store>,
    reader: Reader,
    consumer: String,
    bounds: Bounds,
    now_ms: fn() -> i64,
    /// While own pending entries are read: after which id of each shard. They come first at the
    /// start, after a failure and after a take-over.
    pending_after: Option<Vec<String>>,
    /// After which id of each shard the last read began.
    read_after: Vec<String>,
    /// When the shards are looked at again.
    look_at: Instant,
    /// Shards whose streams can be read.
    readable: Vec<Shard>,
    /// Shards whose streams cannot, and why; they hold up no other.
    unreadable: BTreeMap<Shard, String>,
    /// Whether pending entries wait that are no refused ones: taken over, not acknowledged, or not
    /// written. They are read again with the next look, so that they hold up nobody meanwhile.
    is_pass_due: bool,
    refused: Refused,
    contested: Contested,
    /// Since when no transaction ended well, and why the last one did not.
    away_since: Option<(Instant, String)>,
    health: Health,
    /// Tickets of the next transactions. Halved when the database is away, as it also seems to be
    /// when it is too slow for a whole batch; an eighth more with each batch that was written.
    batch_tickets: usize,
    /// Failures in a row, for the back-off.
    failures: u32,
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
        let refused = Refused::new(bounds.refused_retry);
        Self {
            redis: redis.with_reserved_pool(),
            store,
            reader: Reader::new(redis.clone(), consumer, bounds.read_block),
            consumer: consumer.to_owned(),
            batch_tickets: bounds.batch_max_tickets,
            bounds,
            now_ms,
            pending_after: Some(from_the_beginning()),
            read_after: from_the_beginning(),
            look_at: Instant::now(),
            readable: Vec::new(),
            unreadable: BTreeMap::new(),
            is_pass_due: false,
            refused,
            contested: Contested::default(),
            away_since: None,
            health: Health::default(),
            failures: 0,
        }
    }

    /// The same, which reports what it cannot write to this register.
    #[must_use]
    pub fn reporting_to(self, health: Health) -> Self {
        Self { health, ..self }
    }

    /// Repeats [`Persister::step`] until shutdown, then drains within `grace` and retires.
    pub async fn run(mut self, shutdown: CancellationToken, grace: Duration) {
        let mut preloaded = self.redis.preloaded().new_ones();
        while !shutdown.is_cancelled() {
            // A cancelled step loses nothing: what it had read is pending, and read again.
            tokio::select! {
                _ = self.step() => {}
                // The first ticket of a shard does not wait for the next look.
                _ = preloaded.changed() => self.begin_anew(),
                () = shutdown.cancelled() => {}
            }
        }
        if tokio::time::timeout(grace, self.drain()).await.is_err() {
            tracing::warn!("the stream was not drained in time; its records stay in Redis");
        }
    }

    /// Reads a batch and persists it; waits when there is nothing, or when something is away.
    pub async fn step(&mut self) -> Step {
        self.step_with(true).await
    }

    /// Persists all that stands in the stream by now, own pending entries first, and takes this
    /// consumer out of the group.
    pub async fn drain(&mut self) {
        self.begin_anew();
        // Whoever proves a generation stops at the same time, so nothing is waited for.
        while self.redis.generation().proven().is_ok() {
            let is_idle = self.step_with(false).await == Step::Idle;
            if is_idle && (!self.is_pass_due || self.readable.is_empty()) {
                return self.retire().await;
            }
            if is_idle {
                self.back_off().await;
            }
        }
        tracing::warn!("this life of Redis is not proven; the stream's records stay there");
    }

    /// Own pending entries come first, and all shards are looked at: also one whose first coupon
    /// was preloaded since the last look.
    fn begin_anew(&mut self) {
        self.pending_after = Some(from_the_beginning());
        self.look_at = Instant::now();
    }

    /// Takes this consumer out of the groups, so that they do not grow with every start.
    async fn retire(&self) {
        let Ok(accepted) = self.redis.generation().proven() else { return };
        for shard in Shard::all() {
            let args = retire::Args { accepted: &accepted, shard, consumer: &self.consumer };
            if let Err(error) = retire::retire(&self.redis, &args).await {
                tracing::debug!(%error, shard = shard.number(), "the consumer was not retired");
            }
        }
    }

    async fn step_with(&mut self, block: bool) -> Step {
        let step = self.try_step(block).await;
        self.refused.log();
        self.report();
        step
    }

    fn report(&self) {
        let mut warnings: Vec<String> = self.unreadable.values().cloned().collect();
        warnings.extend(self.refused.sentence());
        warnings.extend(self.contested.sentence());
        if let Some((since, error)) = &self.away_since {
            let seconds = since.elapsed().as_secs();
            warnings.push(format!("no row could be written for {seconds} s: {error}"));
        }
        self.health.report(Part::Persister, Report { reasons: Vec::new(), warnings });
    }

    async fn try_step(&mut self, block: bool) -> Step {
        let known = self.redis.generation().current();
        let Life::Proven(accepted) = known.clone() else {
            let proven = self.redis.generation().differs_from(&known);
            let _ = tokio::time::timeout(self.bounds.read_block, proven).await;
            return Step::Waited;
        };
        let entries = match self.look_and_read(&accepted, block).await {
            Ok(entries) => entries,
            Err(error) => {
                tracing::warn!(%error, "the stream cannot be read");
                if matches!(error, redis::Error::OtherGeneration) {
                    self.redis.generation().doubt();
                }
                self.look_at = Instant::now();
                self.is_pass_due = true;
                return self.back_off().await;
            }
        };
        if entries.is_empty() {
            return Step::Idle;
        }
        self.write_all(&accepted, entries).await
    }

    async fn look_and_read(
        &mut self,
        accepted: &Accepted,
        block: bool,
    ) -> redis::Result<Vec<Entry>> {
        if Instant::now() >= self.look_at {
            self.look_around(accepted).await?;
        }
        if block && self.readable.is_empty() {
            tokio::time::sleep(self.bounds.take_over_every).await;
        }
        self.read(accepted, block).await
    }

    async fn write_all(&mut self, accepted: &Accepted, entries: Vec<Entry>) -> Step {
        let mut persisted = 0;
        let mut after = self.read_after.clone();
        for batch in consume::cut(entries, self.batch_tickets) {
            after = consume::advanced(after, &batch);
            match self.write(accepted, batch).await {
                Ok(tickets) => {
                    persisted += tickets;
                    let more = self.batch_tickets + self.batch_tickets.div_ceil(8);
                    self.batch_tickets = more.min(self.bounds.batch_max_tickets);
                }
                Err(write::Away) => {
                    self.batch_tickets = (self.batch_tickets / 2).max(1);
                    // What comes after it is tried first: perhaps only this one cannot be written.
                    self.pending_after = Some(after);
                    self.is_pass_due = true;
                    return self.back_off().await;
                }
            }
        }
        self.failures = 0;
        Step::Persisted(persisted)
    }

    /// Waits 0.1, 0.2, 0.4 … at most 5 seconds.
    async fn back_off(&mut self) -> Step {
        let wait = Duration::from_millis(100 << self.failures.min(6)).min(Duration::from_secs(5));
        self.failures += 1;
        self.seen_while(tokio::time::sleep(wait)).await;
        Step::Waited
    }
}

fn from_the_beginning() -> Vec<String> {
    vec!["0".to_owned(); Shard::all().count()]
}
