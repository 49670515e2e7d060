//! Pause and close: they only take away, so nothing may delay them. When the row cannot be written
//! in time, or Redis and the database have diverged, they go to Redis first (P9 step 7).

use std::sync::atomic::Ordering;

use super::act::{self, Acts};
use super::refusal::Refusal;
use super::request::Request;
use crate::domain::act::{Applied, Change};
use crate::domain::coupon::{Coupon, CouponId};
use crate::domain::limits::ROW_WAIT;
use crate::domain::who::Who;
use crate::lua::state::{StateChange, change_state_first};
use crate::lua::{ActReply, audit};
use crate::redis::{Redis, facts};
use crate::store;

/// A change that may be in Redis before its row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    Pause,
    Close,
}

impl Stop {
    fn of(change: &Change) -> Option<Self> {
        match change {
            Change::Pause => Some(Self::Pause),
            Change::Close => Some(Self::Close),
            _ => None,
        }
    }

    /// Stops a coupon in Redis alone. It needs neither the database nor a proven life of Redis:
    /// this is the one write that is allowed without a proof, but for a Redis without the id of our
    /// installation. A relay writes the act afterwards.
    pub async fn go_first(self, redis: &Redis, id: &CouponId) -> Result<Applied, Refusal> {
        let change = match self {
            Self::Pause => StateChange::Pause,
            Self::Close => StateChange::Close,
        };
        let ours = redis.generation().installation_id();
        if ours.is_some() && facts::installation_id(redis).await?.as_deref() != ours {
            return Err(Refusal::Recovering("this Redis has not the id of our installation"));
        }
        match change_state_first(redis, id, change).await? {
            ActReply::Decided(result) => act::told(&result),
            ActReply::Unknown => Err(Refusal::CouponNotFound),
            _ => Err(Refusal::Recovering("Redis cannot take the act now")),
        }
    }
}

#[derive(Clone)]
pub(super) struct Stops {
    acts: Acts,
}

impl Stops {
    pub(super) fn new(acts: &Acts) -> Self {
        Self { acts: acts.clone() }
    }

    /// Pauses, resumes or closes. A pause or close goes to Redis first when its row cannot be
    /// written within half a second, when Redis and the database have diverged, or when
    /// `redis_first` asks for it; its act is written afterwards (P9 step 7). A close cannot be
    /// undone: with an `If-Match` or an idempotency key it waits for its row, which alone can
    /// refuse it. A pause does not wait: in an emergency nobody needs to know the latest version.
    ///
    /// # Errors
    /// [`Refusal::AlreadyClosed`], [`Refusal::Superseded`] and those of an act.
    pub(super) async fn change_state(
        &self,
        id: &CouponId,
        change: Change,
        request: &Request,
        redis_first: bool,
    ) -> Result<Applied, Refusal> {
        let waits_for_its_row = change == Change::Close && request.is_conditional() && !redis_first;
        let Some(stop) = Stop::of(&change).filter(|_| !waits_for_its_row) else {
            // If Redis does not answer, the act itself finds out and stays intended.
            if let Err(error) = self.write_what_went_first(id).await {
                tracing::debug!(%error, coupon.id = %id, "not known whether a pause came first");
            }
            return self.acts.act(id, change, request).await;
        };
        let first = if redis_first { Some(self.go_first(id, stop).await?) } else { None };
        // After the time-out, the relay carries out what was intended.
        let row = tokio::time::timeout(ROW_WAIT, async {
            if !redis_first {
                self.write_what_went_first(id).await?;
            }
            self.acts.act(id, change, request).await
        });
        let row = row.await;
        let refusal = match row.unwrap_or_else(|_| Err(store::Error::late().into())) {
            Err(refusal) if !refusal.is_final() => refusal,
            told => return told,
        };
        let told = match first {
            Some(applied) => Ok(applied),
            None => self.go_first(id, stop).await,
        };
        // Redis does not have the coupon, so the refusal of the row is the better answer.
        if let Err(Refusal::CouponNotFound) = told {
            return Err(refusal);
        }
        tracing::warn!(%refusal, coupon.id = %id, ?stop, "the act went to Redis before its row");
        told
    }

    async fn go_first(&self, id: &CouponId, stop: Stop) -> Result<Applied, Refusal> {
        // Set before the call, for a caller that is dropped, and after it, for a relay that looks
        // in between.
        self.acts.redis_may_be_ahead.store(true, Ordering::Relaxed);
        let told = stop.go_first(&self.acts.redis, id).await;
        self.acts.redis_may_be_ahead.store(true, Ordering::Relaxed);
        told
    }

    /// Writes the acts of a pause and a close that went first, so that the change asked for now
    /// comes after them.
    async fn write_what_went_first(&self, id: &CouponId) -> Result<(), Refusal> {
        // There may be a pause, and a close after it.
        for _ in 0..2 {
            let coupon = self.acts.coupon(id).await?;
            let audit::Reply::Balance(balance) = audit::audit(&self.acts.redis, id).await? else {
                break;
            };
            let Some(change) = balance.unwritten else { break };
            self.write_first(&coupon, change).await?;
        }
        Ok(())
    }

    /// Writes and applies the act of a change that went first. The relay then looks again: another
    /// change may be left, or the coupon's row may have changed since it was read, also by an
    /// older act that was finished on the way.
    pub(super) async fn write_first(&self, coupon: &Coupon, change: Change) -> Result<(), Refusal> {
        let if_version = Some(coupon.version);
        let request = Request { if_version, ..Request::by(Who::Relay) };
        self.acts.redis_may_be_ahead.store(true, Ordering::Relaxed);
        match self.acts.act(&coupon.definition.id, change, &request).await {
            Ok(_) | Err(Refusal::AlreadyClosed | Refusal::VersionConflict { .. }) => Ok(()),
            Err(refusal) => Err(refusal),
        }
    }
}
