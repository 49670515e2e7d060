//! From the stream into the database. A record is acknowledged after its tickets' commit and never
//! before, so a crash at any moment means that it comes again, and coming again changes nothing
//! (I3, I9).

mod consume;
mod write;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use crate::domain::coupon::Shard;
use crate::domain::limits::{
    BATCH_MAX_AGE, BATCH_MAX_TICKETS, GROUP_MAX_REQUESTS, READ_BLOCK, TAKE_OVER_IDLE,
};
use crate::lua::retire;
use crate::redis::Redis;
use crate::redis::stream::{Entry, Reader};
use crate::store::Store;

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
    /// How often silent consumers are looked for.
    pub take_over_every: Duration,
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
            take_over_every: TAKE_OVER_IDLE / 2,
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
    /// When silent consumers are looked for again.
    take_over_at: Instant,
    /// Whether an acknowledgement failed: its records are rows, and read again with the next look
    /// for silent consumers, so that they hold up nobody meanwhile.
    is_acknowledgement_due: bool,
    /// Entries that stay pending because they are refused, and when they are tried again. Bounded
    /// by the stream; a later release parks them as dead letters.
    refused: HashMap<(Shard, String), Instant>,
    /// Those of them that this pass over the pending entries met; the others are gone.
    met: HashSet<(Shard, String)>,
    /// The most tickets that a record had lately; says how many records to ask for.
    record_tickets: usize,
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
        Self {
            redis: redis.with_reserved_pool(),
            store,
            reader: Reader::new(redis.clone(), consumer, bounds.read_block),
            consumer: consumer.to_owned(),
            batch_tickets: bounds.batch_max_tickets,
            bounds,
            now_ms,
            pending_after: Some(from_the_beginning()),
            take_over_at: Instant::now(),
            is_acknowledgement_due: false,
            refused: HashMap::new(),
            met: HashSet::new(),
            record_tickets: GROUP_MAX_REQUESTS,
            failures: 0,
        }
    }

    /// Repeats [`Persister::step`] until shutdown, then drains within `grace` and retires.
    pub async fn run(mut self, shutdown: CancellationToken, grace: Duration) {
        while !shutdown.is_cancelled() {
            tokio::select! {
                _ = self.step() => {}
                // A cancelled step loses nothing: what it had read is pending, and read again
                // below.
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
        self.pending_after = Some(from_the_beginning());
        while self.step_with(false).await != Step::Idle {}
        self.retire().await;
    }

    /// Takes this consumer out of the groups, so that they do not grow with every start.
    async fn retire(&self) {
        let Ok(accepted) = self.redis.generation().current() else { return };
        for shard in Shard::all() {
            let args = retire::Args { accepted: &accepted, shard, consumer: &self.consumer };
            if let Err(error) = retire::retire(&self.redis, &args).await {
                tracing::debug!(%error, shard = shard.number(), "the consumer was not retired");
            }
        }
    }

    async fn step_with(&mut self, block: bool) -> Step {
        let known = self.redis.generation().current();
        let Ok(accepted) = known else {
            let proven = self.redis.generation().differs_from(&known);
            let _ = tokio::time::timeout(self.bounds.read_block, proven).await;
            return Step::Waited;
        };
        let entries = match self.read(block).await {
            Ok(entries) => entries,
            Err(error) => {
                tracing::warn!(%error, "the stream cannot be read");
                return self.back_off().await;
            }
        };
        if entries.is_empty() {
            return Step::Idle;
        }
        let mut persisted = 0;
        for batch in cut(entries, self.batch_tickets) {
            match self.write(&accepted, batch).await {
                Ok(tickets) => {
                    persisted += tickets;
                    let more = self.batch_tickets + self.batch_tickets.div_ceil(8);
                    self.batch_tickets = more.min(self.bounds.batch_max_tickets);
                }
                Err(write::Away) => {
                    self.batch_tickets = (self.batch_tickets / 2).max(1);
                    return self.back_off().await;
                }
            }
        }
        self.failures = 0;
        Step::Persisted(persisted)
    }

    /// Waits 0.1, 0.2, 0.4 … at most 5 seconds. What was read is pending and comes first
    /// afterwards.
    async fn back_off(&mut self) -> Step {
        self.pending_after = Some(from_the_beginning());
        let wait = Duration::from_millis(100 << self.failures.min(6)).min(Duration::from_secs(5));
        self.failures += 1;
        tokio::time::sleep(wait).await;
        Step::Waited
    }
}

fn from_the_beginning() -> Vec<String> {
    vec!["0".to_owned(); Shard::all().count()]
}

/// Cuts entries into batches of at most this many tickets, never through a record.
fn cut(entries: Vec<Entry>, max_tickets: usize) -> Vec<Vec<Entry>> {
    let mut batches: Vec<Vec<Entry>> = Vec::new();
    let mut tickets = 0;
    for entry in entries {
        let more = consume::tickets_of(&entry);
        if batches.is_empty() || tickets + more > max_tickets {
            batches.push(Vec::new());
            tickets = 0;
        }
        tickets += more;
        if let Some(batch) = batches.last_mut() {
            batch.push(entry);
        }
    }
    batches
}
