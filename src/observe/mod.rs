//! What is true now: of one coupon, and of the whole service.

mod balance;
mod differences;
mod encryption;
mod error;
mod gauges;
mod page;
mod page_rows;
mod ready;
mod rows;
mod serials;
mod state;
mod stuck;
mod undecided;

use std::sync::Arc;

use serde::Serialize;

use crate::domain::coupon::{Coupon, CouponId, State};
use crate::domain::limits::PAGE_DEFAULT_ROWS;
use crate::lua::audit::Balance;
use crate::redis::Redis;
use crate::store::{Counts, Store};
use crate::telemetry::health::Health;

pub use balance::Audit;
pub use differences::{Difference, Kind};
pub use error::Error;
pub use gauges::Gauges;
pub use page::{Page, PublicView};
pub use ready::Readiness;

use page::Pages;
use rows::Rows;
pub use state::CouponState;
use state::{balance, balance_of, preloaded};

/// The statistics of a coupon, for admins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Stats {
    #[serde(flatten)]
    pub audit: Audit,
    /// Its rows, counted one by one.
    pub rows: u64,
    pub cancelled: u64,
    /// Records of the coupon's shard that wait for the database.
    pub shard_records: u64,
    /// Tickets in these records.
    pub shard_unpersisted: u64,
}

/// Observes; cheap to clone.
#[derive(Clone)]
pub struct Observer {
    redis: Redis,
    store: Arc<dyn Store>,
    pages: Arc<Pages>,
    health: Health,
}

impl Observer {
    pub fn new(redis: &Redis, store: Arc<dyn Store>) -> Self {
        Self {
            redis: redis.clone(),
            pages: Arc::new(Pages::new(redis.clone(), store.clone())),
            store,
            health: Health::default(),
        }
    }

    /// Adds the reports of this process's parts to its readiness.
    #[must_use]
    pub fn told_by(self, health: Health) -> Self {
        Self { health, ..self }
    }

    /// The public data of a coupon. Its balance is never older than 200 ms plus one look-up;
    /// callers that ask during that time get the same one.
    ///
    /// # Errors
    /// [`Error::CouponNotFound`], also for drafts.
    pub async fn page(&self, id: &CouponId) -> Result<Arc<Page>, Arc<Error>> {
        self.pages.find(id).await
    }

    /// The balance of a coupon at this instant (I1, I2, I5).
    ///
    /// # Errors
    /// [`Error::CouponNotFound`], also for drafts.
    pub async fn audit(&self, id: &CouponId) -> Result<Audit, Error> {
        // The rows first: Redis may be ahead of what they say, but never behind.
        let before = match preloaded(&*self.store, id).await {
            Err(Error::CouponNotFound) => match self.audit_without_row(id).await? {
                Some(audit) => return Ok(audit),
                None => preloaded(&*self.store, id).await?,
            },
            before => before?,
        };
        let balance = balance_of(&self.redis, &*self.store, &before).await?;
        let epochs = self.store.epochs(id, PAGE_DEFAULT_ROWS).await?;
        let contested = self.store.contested(id).await?;
        let audit = Audit::of(id, &balance, before.persisted);
        let (parked, faults) = self.rows_differ(before, &balance).await?;
        let mut audit = audit.with(&epochs, contested, parked);
        audit.add(faults);
        Ok(audit)
    }

    /// What differs between a balance and the rows around it.
    async fn rows_differ(
        &self,
        before: Coupon,
        balance: &Balance,
    ) -> Result<(u64, Vec<String>), Error> {
        if before.state == State::Archived {
            return Ok((0, archive_faults(balance, before.persisted, balance.returned)));
        }
        let rows = Rows::around(&*self.store, before, balance).await?;
        Ok((rows.parked, rows.faults(balance)))
    }

    /// How Redis and the database differ in a coupon, ticket by ticket; reads all of its tickets on
    /// both sides.
    ///
    /// # Errors
    /// Those of any call; [`Error::CouponNotFound`], also for drafts.
    pub async fn differences(&self, id: &CouponId) -> Result<Vec<Difference>, Error> {
        differences::differences(&self.redis, &*self.store, id).await
    }

    /// How many tickets of a coupon can be out without a row: what its rows leave of its total.
    ///
    /// # Errors
    /// Those of any call to the database; [`Error::CouponNotFound`], also for drafts.
    pub async fn without_row_at_most(&self, id: &CouponId) -> Result<u64, Error> {
        let coupon = preloaded(&*self.store, id).await?;
        let counts = self.store.counts(id).await?;
        Ok(coupon.definition.total.saturating_sub(counts.out()))
    }

    /// Why this life of Redis is not proven; `None` when it is.
    pub fn doubt(&self) -> Option<String> {
        self.redis.generation().proven().err().map(|doubt| doubt.to_string())
    }

    /// The audit of a coupon that Redis has and the database does not, or has as a draft: the
    /// database was restored to an earlier state. `None` if the coupon was only preloaded
    /// meanwhile.
    async fn audit_without_row(&self, id: &CouponId) -> Result<Option<Audit>, Error> {
        let balance = match balance(&self.redis, id).await {
            Err(Error::Recovering) => return Err(Error::CouponNotFound),
            balance => balance?,
        };
        let lost = match self.store.find_coupon(id).await? {
            Some(coupon) if coupon.state != State::Draft => return Ok(None),
            Some(_) => "Redis has the coupon, but in the database it is a draft (I8)",
            None => "Redis has the coupon, but the database lost it (I8)",
        };
        let mut audit = Audit::of(id, &balance, 0);
        audit.add(vec![lost.to_owned()]);
        Ok(Some(audit))
    }

    /// The balance with counts over all rows of the coupon, for admins.
    ///
    /// # Errors
    /// [`Error::CouponNotFound`], also for drafts.
    pub async fn stats(&self, id: &CouponId) -> Result<Stats, Error> {
        let before = preloaded(&*self.store, id).await?;
        let counts: Counts = self.store.counts(id).await?;
        let coupon = preloaded(&*self.store, id).await?;
        let balance = balance_of(&self.redis, &*self.store, &coupon).await?;
        let epochs = self.store.epochs(id, PAGE_DEFAULT_ROWS).await?;
        let audit = Audit::of(id, &balance, coupon.persisted);
        let mut audit = audit.with(&epochs, counts.contested, counts.parked);
        audit.compare_rows(&counts);
        if coupon.state == State::Archived {
            audit.add(archive_faults(&balance, counts.rows, counts.cancelled));
        } else {
            let rows = Rows::around(&*self.store, before, &balance).await?;
            audit.add(rows.faults(&balance));
            audit.add(rows.count_faults(&balance, &counts));
        }
        Ok(Stats {
            audit,
            rows: counts.rows,
            cancelled: counts.cancelled,
            shard_records: balance.shard_records,
            shard_unpersisted: balance.shard_unpersisted,
        })
    }

    /// The public state of a coupon. Only admins see `draft`, and `unknown` when Redis does not
    /// answer.
    pub async fn state(&self, coupon: &Coupon) -> &'static str {
        self.states(std::slice::from_ref(coupon)).await[0].state
    }

    /// Like [`Observer::state`], for each coupon and with its stock; asks Redis once for all.
    pub async fn states(&self, coupons: &[Coupon]) -> Vec<CouponState> {
        state::of_all(&self.redis, coupons).await
    }

    /// Whether this process can issue, and what is unsafe about its servers, by the last reports
    /// of its parts. Waits for nobody.
    pub fn readiness(&self) -> Readiness {
        Readiness::of(self.health.told(), self.redis.generation().current())
    }

    /// A sentence about records that stay without rows, if there are any or if that cannot be
    /// found out.
    pub async fn stuck_records(&self) -> Option<String> {
        stuck::told(&self.redis).await
    }

    /// How the connections to Redis are encrypted.
    pub async fn encryption_of_redis(&self) -> String {
        encryption::of_redis(&self.redis).await
    }

    /// How the connections to the database are encrypted.
    pub async fn encryption_of_database(&self) -> String {
        encryption::of_database(&*self.store).await
    }
}

/// The rows of an archived coupon never change.
fn archive_faults(kept: &Balance, rows: u64, cancelled: u64) -> Vec<String> {
    let is_kept = (rows, cancelled) == (kept.issued, kept.returned);
    let sentence = || {
        format!(
            "the coupon was archived with {} tickets, {} of them cancelled, and has {rows} rows, \
             {cancelled} of them cancelled (I3)",
            kept.issued, kept.returned
        )
    };
    if is_kept { Vec::new() } else { vec![sentence()] }
}
