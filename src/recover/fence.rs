//! How a recovery begins: coupons are stopped, and the epoch rises (P2 step 7).

use std::collections::VecDeque;

use super::error::{Error, Result};
use super::lease::Lease;
use super::recovery::Recovery;
use super::stop::{has_only_our_coupons, stop, stop_all};
use crate::domain::coupon::Coupon;
use crate::domain::generation::{Durability, Generation, RECOVERY};
use crate::domain::limits::PAGE_MAX_ROWS;
use crate::domain::time::UnixMs;
use crate::redis::Redis;
use crate::redis::append_only;
use crate::redis::facts;
use crate::redis::generation::Accepted;
use crate::store::Store;

/// What a recoverer needs to begin a recovery.
pub(super) struct Fence<'a> {
    pub(super) redis: &'a Redis,
    pub(super) store: &'a dyn Store,
    pub(super) lease: &'a Lease,
    pub(super) now: UnixMs,
}

impl Fence<'_> {
    /// Takes over a life of Redis that may have forgotten something. Every coupon is stopped in it
    /// before any server accepts it, also those that it does not have. A Redis that has a coupon
    /// without a row is another database's, and is left alone.
    pub(super) async fn begin_life(&self) -> Result<Option<Recovery>> {
        let facts = facts::read(self.redis).await?;
        let Some(last) = self.store.last_generation().await? else { return Ok(None) };
        if facts.is_loading || !has_only_our_coupons(self.redis, self.store).await? {
            return Ok(None);
        }
        self.lease.renew().await?;
        append_only::renew(self.redis, &facts, &last).await;
        let must_keep = self.must_keep(&last).await?;
        let epoch = last.epoch + 1;
        let mut left = stop_all(self.redis, self.store, &facts.replid, epoch).await?;
        left.sort_by_key(|(persisted, _, _)| *persisted);
        let heartbeat = facts::heartbeat(self.redis).await?;
        let next = Generation {
            generation_no: last.generation_no + 1,
            epoch,
            durability: facts.level_after(None),
            run_id: facts.run_id,
            replid: facts.replid,
            reason: RECOVERY.to_owned(),
            accepted_heartbeat: heartbeat,
            heartbeat,
            seen_at: self.now,
            refused_run_id: None,
        };
        self.raise(&next).await?;
        let left = left.into_iter().map(|(_, id, stopped)| (id, stopped)).collect();
        Ok(Some(Recovery::of(&next, must_keep, left)))
    }

    /// Begins the recovery of these coupons, which lack keys in a proven life.
    pub(super) async fn begin_lacking(
        &self,
        accepted: &Accepted,
        lacking: Vec<Coupon>,
    ) -> Result<Option<Recovery>> {
        self.lease.renew().await?;
        let last = self.store.last_generation().await?.ok_or(Error::Overtaken)?;
        if last.generation_no != accepted.generation_no {
            self.redis.generation().outdated();
            return Ok(None);
        }
        let heartbeat = facts::heartbeat(self.redis).await?;
        if heartbeat < last.heartbeat {
            // More than some coupons is lost: the prover judges.
            self.redis.generation().outdated();
            return Ok(None);
        }
        let must_keep = self.must_keep(&last).await?;
        let epoch = last.epoch + 1;
        let next = Generation {
            generation_no: last.generation_no + 1,
            epoch,
            reason: RECOVERY.to_owned(),
            accepted_heartbeat: heartbeat,
            heartbeat,
            seen_at: self.now,
            ..last
        };
        self.raise(&next).await?;
        let mut left = VecDeque::new();
        for coupon in lacking {
            if let Some(stopped) = stop(self.redis, &coupon, &accepted.replid, epoch).await? {
                left.push_back((coupon.definition.id, stopped));
            }
        }
        Ok(Some(Recovery::of(&next, must_keep, left)))
    }

    /// Whether a ticket that was told must not be lost: the level in force was `always`. After a
    /// recovery it is also the level before that one, because it may not be complete.
    async fn must_keep(&self, last: &Generation) -> Result<bool> {
        let from = last.generation_no.saturating_sub(u64::from(PAGE_MAX_ROWS)) + 1;
        for generation in self.store.generations_from(from, PAGE_MAX_ROWS).await?.iter().rev() {
            if generation.durability == Durability::Always {
                return Ok(true);
            }
            if generation.reason != RECOVERY {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn raise(&self, next: &Generation) -> Result<()> {
        if !self.store.append_generation(next).await? {
            return Err(Error::Overtaken);
        }
        tracing::warn!(generation = next.generation_no, epoch = next.epoch, "a recovery begins");
        self.redis.generation().outdated();
        Ok(())
    }
}
