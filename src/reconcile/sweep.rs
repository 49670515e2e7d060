//! Reports coupons whose keys are gone or damaged at once, not at the next restart of Redis: each
//! second it checks a page of coupons, and also those that a request did not find. It also reports
//! coupons whose rows are gone.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::error::Error;
use super::lost::named;
use super::rowless::Rowless;
use crate::domain::coupon::CouponId;
use crate::domain::limits::{LOST_COUPONS_MAX, PAGE_MAX_ROWS};
use crate::redis::Redis;
use crate::redis::presence;
use crate::store::Store;
use crate::telemetry::health::{Health, Part, Report};
use crate::telemetry::loops::Stepped;
use crate::telemetry::metrics;

/// Checks the keys of all coupons, and their rows; its loop is [`Sweep::step`] repeated.
pub struct Sweep {
    redis: Redis,
    store: Arc<dyn Store>,
    health: Health,
    /// Where the next page begins.
    after: Option<CouponId>,
    lost: BTreeSet<CouponId>,
    rowless: Rowless,
}

impl Sweep {
    /// A sweep over this Redis by the rows of this database, which reports to this register.
    pub fn new(redis: &Redis, store: Arc<dyn Store>, health: Health) -> Self {
        let redis = redis.with_reserved_pool();
        let (lost, rowless) = (BTreeSet::new(), Rowless::default());
        Self { redis, store, health, after: None, lost, rowless }
    }

    /// Checks one page, the coupons that were lost, and those that are doubted, and reports. A few
    /// calls, and one for each of at most 64 doubted coupons; every call has its time-out.
    pub async fn step(&mut self) -> Stepped {
        // In a life of Redis that is not proven any coupon may be missing, and the prover reports
        // that.
        if self.redis.generation().proven().is_err() {
            return Stepped::Idle;
        }
        let mut stepped = Stepped::Done;
        if let Err(error) = self.look().await {
            tracing::debug!(%error, "a page of coupons was not looked at");
            stepped = Stepped::Failed;
        }
        if let Err(error) = self.rowless.look(&self.redis, &*self.store).await {
            tracing::debug!(%error, "the rows of a page of coupons were not looked for");
            stepped = Stepped::Failed;
        }
        self.tell();
        stepped
    }

    /// Checks all pages, and reports; for a process that runs only briefly.
    ///
    /// # Errors
    /// At the first page that could not be checked.
    pub async fn whole(&mut self) -> Result<(), Error> {
        loop {
            self.look().await?;
            self.tell();
            if self.after.is_none() {
                break;
            }
        }
        loop {
            self.rowless.look(&self.redis, &*self.store).await?;
            self.tell();
            if self.rowless.is_through() {
                return Ok(());
            }
        }
    }

    fn tell(&self) {
        let warnings = self.sentence().into_iter().chain(self.rowless.sentence()).collect();
        self.health.report(Part::Coupons, Report { reasons: Vec::new(), warnings });
    }

    async fn look(&mut self) -> Result<(), Error> {
        // The rows first: a coupon that they say Redis must have is in Redis by then.
        let page = self.store.last_serials(self.after.as_ref(), PAGE_MAX_ROWS).await?;
        let last = page.last().map(|(id, _)| id.clone());
        let mut ids: BTreeSet<CouponId> = page.into_iter().map(|(id, _)| id).collect();
        ids.extend(self.lost.iter().cloned());
        for id in self.redis.suspects().take() {
            let preload = self.store.find_act(&id, 1).await?;
            if preload.is_some_and(|act| act.result.is_some()) {
                ids.insert(id);
            }
        }
        let ids: Vec<CouponId> = ids.into_iter().collect();
        let missing: BTreeSet<CouponId> =
            presence::without_their_keys(&self.redis, &ids).await?.into_iter().collect();
        self.after = last;
        self.lost = missing.into_iter().take(LOST_COUPONS_MAX).collect();
        metrics::lost_coupons(self.lost.len());
        Ok(())
    }

    fn sentence(&self) -> Option<String> {
        let (coupons, ids) = named(&self.lost)?;
        Some(format!(
            "keys of {coupons} are gone from Redis or damaged, so nothing is issued (recovering): \
             {ids}"
        ))
    }
}
