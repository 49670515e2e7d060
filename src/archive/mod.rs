//! A finished coupon leaves Redis: closed, all of its tickets rows, its keys deleted (P2 step 14).
//! So the memory of Redis, and the proof at its restart, do not grow for ever.
//!
//! The row says `archived` first, and only then the keys are deleted. Every step may be repeated.

mod compared;
mod error;

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::domain::coupon::{Coupon, CouponId, State};
use crate::domain::limits::RECOVERER_LEASE;
use crate::lua::archive::{Args, Reply, archive};
use crate::redis::Redis;
use crate::store::Store;
use crate::telemetry::loops::Stepped;

pub use error::Error;

use error::Result;

/// A coupon that cannot be archived yet may have ten million tickets to compare: the archiver rests
/// for this many times as long as it worked.
const REST_FACTOR: u32 = 100;
const REST_MIN: Duration = Duration::from_secs(1);
const REST_MAX: Duration = Duration::from_hours(1);

/// Archives coupons; its loop is [`Archiver::step`] repeated.
pub struct Archiver {
    redis: Redis,
    store: Arc<dyn Store>,
    /// Holds the lease of the recoverer while a coupon leaves, so that no recovery is under way.
    name: String,
    /// How long after its close a coupon is archived.
    pause: Duration,
    /// The coupon after which it goes on.
    after: Option<CouponId>,
}

impl Archiver {
    /// An archiver of this name, unique among all processes and recoverers.
    pub fn new(redis: &Redis, store: Arc<dyn Store>, name: String, pause: Duration) -> Self {
        Self { redis: redis.with_reserved_pool(), store, name, pause, after: None }
    }

    /// Archives one coupon, or finishes what another process began. Returns how long to rest.
    pub async fn step(&mut self) -> (Stepped, Duration) {
        let began_at = Instant::now();
        let stepped = self.go_on().await;
        if let Err(error) = &stepped {
            tracing::debug!(%error, "no coupon was archived");
        }
        let rest = (began_at.elapsed() * REST_FACTOR).clamp(REST_MIN, REST_MAX);
        (stepped.unwrap_or(Stepped::Failed), rest)
    }

    /// Archives this coupon now, however lately it was closed.
    ///
    /// # Errors
    /// [`Error::NotClosed`] and [`Error::NotFinished`] for a coupon that cannot be archived now,
    /// and those of any call.
    pub async fn archive(&self, id: &CouponId) -> Result<()> {
        let coupon = self.store.find_coupon(id).await?.ok_or(Error::NotFound)?;
        match coupon.state {
            State::Archived => self.leave(id).await,
            State::Closed => self.archive_closed(&coupon).await,
            State::Draft | State::Open | State::Paused => Err(Error::NotClosed),
        }
    }

    async fn go_on(&mut self) -> Result<Stepped> {
        if self.redis.generation().proven().is_err() {
            return Ok(Stepped::Idle);
        }
        if let Some(id) = self.store.leaving().await? {
            self.leave(&id).await?;
            return Ok(Stepped::Done);
        }
        let found = self.store.closed_since(self.after.as_ref(), self.pause).await?;
        self.after = found.as_ref().map(|coupon| coupon.definition.id.clone());
        let Some(coupon) = found else { return Ok(Stepped::Idle) };
        self.archive_closed(&coupon).await?;
        Ok(Stepped::Done)
    }

    async fn archive_closed(&self, coupon: &Coupon) -> Result<()> {
        let id = &coupon.definition.id;
        let kept = compared::archive_of(&self.redis, &*self.store, coupon).await?;
        let kept = kept.ok_or(Error::NotFinished)?;
        self.led(async {
            match self.store.archive(coupon, &kept).await? {
                true => self.delete(id).await,
                false => Err(Error::NotFinished),
            }
        })
        .await?;
        tracing::info!(coupon.id = %id, tickets = kept.tickets, sha256 = kept.sha256, "archived");
        Ok(())
    }

    /// Finishes what ended after the row said `archived`.
    async fn leave(&self, id: &CouponId) -> Result<()> {
        self.led(self.delete(id)).await
    }

    async fn delete(&self, coupon_id: &CouponId) -> Result<()> {
        let accepted = self.redis.generation().proven().map_err(Error::Unproven)?;
        let replid = &accepted.replid;
        match archive(&self.redis, &Args { replid, coupon_id }).await? {
            Reply::Left => Ok(self.store.note_left(coupon_id).await?),
            Reply::OtherGeneration => Err(crate::redis::Error::OtherGeneration.into()),
        }
    }

    /// Runs this while nobody recovers.
    async fn led(&self, work: impl Future<Output = Result<()>>) -> Result<()> {
        if !self.store.lead_recovery(&self.name, RECOVERER_LEASE).await? {
            return Err(Error::Recovering);
        }
        let done = tokio::time::timeout(RECOVERER_LEASE / 2, work).await;
        self.store.leave_recovery(&self.name).await?;
        done.unwrap_or(Err(Error::Recovering))
    }
}
