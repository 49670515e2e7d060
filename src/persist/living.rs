//! Who lives, and who does not: persisters are seen by each other, and what a silent one holds is
//! taken over (P5 step 1). To take from one that only stopped is harmless (I9).

use std::pin::pin;
use std::time::{Duration, Instant};

use super::{Persister, from_the_beginning};
use crate::domain::coupon::Shard;
use crate::domain::limits::READ_MAX_RECORDS;
use crate::lua::take_over::{self, Args, Reply};
use crate::redis;
use crate::redis::generation::Accepted;

impl Persister {
    /// Looks at every shard: is seen there, takes over what silent consumers hold, and finds out
    /// which shards can be read. A shard that cannot holds up no other.
    ///
    /// # Errors
    /// When Redis cannot be reached.
    pub(super) async fn look_around(&mut self, accepted: &Accepted) -> redis::Result<()> {
        let mut readable = Vec::new();
        let mut taken = 0;
        for shard in Shard::all() {
            match self.attend(accepted, shard, READ_MAX_RECORDS).await {
                Ok(Reply::Taken(records)) => {
                    taken += records;
                    // The pass that went on without this shard left there what it holds.
                    let is_back = self.unreadable.remove(&shard).is_some();
                    self.is_pass_due |= records > 0 || is_back;
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
        let is_refused_due = self.refused.is_due(|shard| self.unreadable.contains_key(&shard));
        if self.pending_after.is_none() && (self.is_pass_due || is_refused_due) {
            self.is_pass_due = false;
            self.pending_after = Some(from_the_beginning());
        }
        Ok(())
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
            consumer: &self.consumer,
            silent: self.bounds.take_over_idle,
            gone: self.bounds.gone_after,
            records_max,
        };
        take_over::take_over(&self.redis, &args).await
    }
}
