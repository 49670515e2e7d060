//! Who lives, and who does not: persisters are seen by each other, and what a silent one holds is
//! taken over (P5 step 1). To take from one that only stopped is harmless (I9).

use std::collections::BTreeMap;
use std::pin::pin;
use std::time::{Duration, Instant};

use super::bounds::Bounds;
use crate::domain::coupon::Shard;
use crate::domain::limits::READ_MAX_RECORDS;
use crate::lua::retire;
use crate::lua::take_over::{self, Args, Reply};
use crate::redis::generation::Accepted;
use crate::redis::{self, Redis};

/// A member of the groups of all shards.
pub(super) struct Consumer {
    redis: Redis,
    name: String,
    bounds: Bounds,
    /// When the shards are looked at again.
    look_at: Instant,
    /// Shards whose streams can be read.
    readable: Vec<Shard>,
    /// Shards whose streams cannot, and why; they hold up no other.
    unreadable: BTreeMap<Shard, String>,
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
        }
    }

    /// Shards whose streams can be read.
    pub(super) fn readable(&self) -> &[Shard] {
        &self.readable
    }

    /// Whether the stream of this shard is there and cannot be read.
    pub(super) fn is_unreadable(&self, shard: Shard) -> bool {
        self.unreadable.contains_key(&shard)
    }

    /// The sentences about the shards that cannot be read.
    pub(super) fn sentences(&self) -> impl Iterator<Item = &String> {
        self.unreadable.values()
    }

    /// The next look at the shards is due at once.
    pub(super) fn look_soon(&mut self) {
        self.look_at = Instant::now();
    }

    /// Whether the next look at the shards is due.
    pub(super) fn is_look_due(&self) -> bool {
        self.look_at <= Instant::now()
    }

    /// Looks at every shard: is seen there, takes over what silent consumers hold, and finds out
    /// which shards can be read. A shard that cannot holds up no other. Says whether this consumer
    /// may hold records now that it has not read: taken over, or of a shard that can be read again.
    ///
    /// # Errors
    /// When Redis cannot be reached.
    pub(super) async fn look_around(&mut self, accepted: &Accepted) -> redis::Result<bool> {
        let mut readable = Vec::new();
        let (mut taken, mut has_more) = (0, false);
        for shard in Shard::all() {
            match self.attend(accepted, shard, READ_MAX_RECORDS).await {
                Ok(Reply::Taken(records)) => {
                    taken += records;
                    // The pass that went on without this shard left there what it holds.
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
            tracing::info!(records = taken, "took over records of a silent persister");
        }
        // Only now: a look that is cut off in the middle is done again.
        self.readable = readable;
        self.look_at = Instant::now() + self.bounds.take_over_every;
        Ok(has_more)
    }

    /// Works, and lets this consumer be seen meanwhile, however long it takes: what a living
    /// persister has in hand is left to it.
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
        let Ok(accepted) = self.redis.generation().proven() else { return };
        for shard in &self.readable {
            if let Err(error) = self.attend(&accepted, *shard, 0).await {
                // Whoever takes over meanwhile writes the same rows.
                tracing::debug!(%error, "this persister could not be seen");
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
        };
        take_over::take_over(&self.redis, &args).await
    }

    /// Leaves the groups, so that they do not grow with every start.
    pub(super) async fn retire(&self) {
        let Ok(accepted) = self.redis.generation().proven() else { return };
        for shard in Shard::all() {
            let args = retire::Args { accepted: &accepted, shard, consumer: &self.name };
            if let Err(error) = retire::retire(&self.redis, &args).await {
                tracing::debug!(%error, shard = shard.number(), "the consumer was not retired");
            }
        }
    }
}
