//! Which persisters are alive. Each one shows that it is, and takes over the entries of a silent
//! one (P5 step 1). Taking them from one that was only slow is harmless (I9).

use std::collections::{BTreeMap, VecDeque};
use std::pin::pin;
use std::time::{Duration, Instant};

use super::bounds::Bounds;
use crate::domain::coupon::Shard;
use crate::domain::limits::READ_MAX_RECORDS;
use crate::lua::retire;
use crate::lua::take_over::{self, Args, Reply};
use crate::redis::deaths::{self, Suspect};
use crate::redis::generation::Accepted;
use crate::redis::{self, Redis};

/// A member of the consumer groups of all shards.
pub(super) struct Consumer {
    redis: Redis,
    name: String,
    bounds: Bounds,
    /// When the next look at the shards is due.
    look_at: Instant,
    /// Shards whose streams can be read.
    readable: Vec<Shard>,
    /// Shards whose streams cannot be read, and why; they delay no other shard.
    unreadable: BTreeMap<Shard, String>,
    /// Whether no look at the shards was completed yet.
    is_start: bool,
    /// Own pending records that persisters did not survive; they are tried alone, before others.
    suspects: VecDeque<Suspect>,
}

impl Consumer {
    pub(super) fn new(redis: Redis, name: &str, bounds: &Bounds) -> Self {
        Self {
            redis,
            name: name.to_owned(),
            bounds: bounds.clone(),
            look_at: Instant::now(),
            readable: Vec::new(),
            unreadable: BTreeMap::new(),
            is_start: true,
            suspects: VecDeque::new(),
        }
    }

    /// Shards whose streams can be read.
    pub(super) fn readable(&self) -> &[Shard] {
        &self.readable
    }

    /// The next record to try alone.
    pub(super) fn next_suspect(&mut self) -> Option<Suspect> {
        self.suspects.pop_front()
    }

    /// Called when a suspect could not be written, because the database is away: this persister
    /// survived it.
    pub(super) async fn acquit(&self, suspect: &Suspect) {
        if let Err(error) = deaths::acquit(&self.redis, suspect, &self.name).await {
            // If this persister dies now, the record is blamed for it.
            tracing::debug!(%error, record.id = %suspect.id, "not acquitted");
        }
    }

    /// One sentence for each shard that cannot be read.
    pub(super) fn sentences(&self) -> impl Iterator<Item = &String> {
        self.unreadable.values()
    }

    /// Makes the next look at the shards due at once.
    pub(super) fn look_soon(&mut self) {
        self.look_at = Instant::now();
    }

    /// Whether the next look at the shards is due.
    pub(super) fn is_look_due(&self) -> bool {
        self.look_at <= Instant::now()
    }

    /// Looks at every shard: shows that this consumer is alive, takes over the entries of silent
    /// consumers, and finds out which shards can be read. A shard that cannot be read delays no
    /// other. Returns whether this consumer may now have pending entries that it has not read:
    /// taken over, or of a shard that can be read again.
    ///
    /// # Errors
    /// When Redis cannot be reached.
    pub(super) async fn look_around(&mut self, accepted: &Accepted) -> redis::Result<bool> {
        let mut readable = Vec::new();
        let (mut taken, mut has_more) = (0, false);
        let mut suspects = VecDeque::new();
        for shard in Shard::all() {
            match self.attend(accepted, shard, READ_MAX_RECORDS).await {
                Ok(Reply::Taken(records)) => {
                    taken += records;
                    if records > 0 {
                        let found = deaths::suspects(&self.redis, shard, &self.name).await?;
                        suspects.extend(found);
                    }
                    // The last pass left the pending entries of this shard unread.
                    let is_back = self.unreadable.remove(&shard).is_some();
                    has_more |= records > 0 || is_back;
                    readable.push(shard);
                }
                Ok(Reply::Absent) => drop(self.unreadable.remove(&shard)),
                Ok(Reply::OtherGeneration) => return Err(redis::Error::OtherGeneration),
                Err(error) if error.doubts_connection() => return Err(error),
                Err(error) => {
                    let sentence = format!("shard {} cannot be read: {error}", shard.number());
                    if self.unreadable.insert(shard, sentence).is_none() {
                        tracing::error!(%error, shard = shard.number(), "a shard cannot be read");
                    }
                }
            }
        }
        if taken > 0 {
            tracing::info!(records = taken, "took over records of a persister that died");
        }
        // Only at the end: a look that is cut off is repeated.
        self.readable = readable;
        self.is_start = false;
        if taken > 0 {
            self.suspects = suspects;
        }
        self.look_at = Instant::now() + self.bounds.take_over_every;
        Ok(has_more)
    }

    /// Runs the work, and meanwhile shows that this consumer is alive, however long it takes: the
    /// entries of a running persister are not taken over.
    pub(super) async fn seen_while<T>(&self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        let every = self.bounds.take_over_every.max(Duration::from_millis(10));
        loop {
            match tokio::time::timeout(every, &mut work).await {
                Ok(done) => return done,
                Err(_) => self.be_seen().await,
            }
        }
    }

    async fn be_seen(&self) {
        let Some(accepted) = self.redis.generation().drainable() else { return };
        for shard in &self.readable {
            if let Err(error) = self.attend(&accepted, *shard, 0).await {
                // A persister that takes over meanwhile writes the same rows.
                tracing::debug!(%error, "could not show that this persister is alive");
                return;
            }
        }
    }

    async fn attend(
        &self,
        accepted: &Accepted,
        shard: Shard,
        records_max: usize,
    ) -> redis::Result<Reply> {
        let args = Args {
            accepted,
            shard,
            consumer: &self.name,
            silent: self.bounds.take_over_idle,
            gone: self.bounds.gone_after,
            records_max,
            is_start: self.is_start && records_max > 0,
        };
        take_over::take_over(&self.redis, &args).await
    }

    /// Leaves the groups, so that they do not grow with every start.
    pub(super) async fn retire(&self) {
        let Some(accepted) = self.redis.generation().drainable() else { return };
        for shard in Shard::all() {
            let args = retire::Args { accepted: &accepted, shard, consumer: &self.name };
            if let Err(error) = retire::retire(&self.redis, &args).await {
                tracing::debug!(%error, shard = shard.number(), "the consumer was not retired");
            }
        }
    }
}
