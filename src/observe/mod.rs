//! What is true right now: of a coupon, and of the whole service.

mod balance;
mod contested;
mod encryption;
mod error;
mod gauges;
mod page;
mod ready;
mod rows;
mod state;
mod stuck;

use std::sync::Arc;

use serde::Serialize;

use crate::domain::coupon::{Coupon, CouponId, State};
use crate::redis::Redis;
use crate::store::{Counts, Store};
use crate::telemetry::health::Health;

pub use balance::Audit;
pub use error::Error;
pub use gauges::Gauges;
pub use page::{Page, PublicView};
pub use ready::Readiness;

use page::Pages;
use rows::Rows;
pub use state::CouponState;
use state::{balance, preloaded};

/// What an admin sees of a coupon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Stats {
    /// The balance at this instant.
    #[serde(flatten)]
    pub audit: Audit,
    /// Its rows, counted one by one.
    pub rows: u64,
    /// Rows that are cancelled.
    pub cancelled: u64,
    /// Contested tickets.
    pub contested: u64,
    /// Records of the coupon's shard that wait for the database.
    pub shard_records: u64,
    /// Tickets in them.
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
    /// An observer of this Redis and this database.
    pub fn new(redis: &Redis, store: Arc<dyn Store>) -> Self {
        Self {
            redis: redis.clone(),
            pages: Arc::new(Pages::new(redis.clone(), store.clone())),
            store,
            health: Health::default(),
        }
    }

    /// Its readiness says also what the parts of this process report here.
    #[must_use]
    pub fn told_by(self, health: Health) -> Self {
        Self { health, ..self }
    }

    /// What everybody may know of a coupon. Its balance is at most 200 ms and one look-up old; who
    /// asks meanwhile is told the same.
    ///
    /// # Errors
    /// [`Error::CouponNotFound`] for drafts too.
    pub async fn page(&self, id: &CouponId) -> Result<Arc<Page>, Arc<Error>> {
        self.pages.find(id).await
    }

    /// The balance of a coupon at this instant (I1, I2, I5).
    ///
    /// # Errors
    /// [`Error::CouponNotFound`] for drafts too.
    pub async fn audit(&self, id: &CouponId) -> Result<Audit, Error> {
        // The rows first: what they say can only be overtaken by Redis, never the other way round.
        let before = match preloaded(&*self.store, id).await {
            Err(Error::CouponNotFound) => match self.audit_without_row(id).await? {
                Some(audit) => return Ok(audit),
                None => preloaded(&*self.store, id).await?,
            },
            before => before?,
        };
        let balance = balance(&self.redis, id).await?;
        let mut audit = Audit::of(id, &balance, before.persisted);
        audit.add(Rows::around(&*self.store, before, &balance).await?.faults(&balance));
        Ok(audit)
    }

    /// Of a coupon that Redis has although it is none by its row: the database went back. `None` if
    /// it was only preloaded meanwhile.
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
    /// [`Error::CouponNotFound`] for drafts too.
    pub async fn stats(&self, id: &CouponId) -> Result<Stats, Error> {
        let before = preloaded(&*self.store, id).await?;
        let counts: Counts = self.store.counts(id).await?;
        let coupon = preloaded(&*self.store, id).await?;
        let balance = balance(&self.redis, id).await?;
        let mut audit = Audit::of(id, &balance, coupon.persisted);
        audit.compare_rows(&counts);
        let rows = Rows::around(&*self.store, before, &balance).await?;
        audit.add(rows.faults(&balance));
        audit.add(rows.count_faults(&balance, &counts));
        Ok(Stats {
            audit,
            rows: counts.rows,
            cancelled: counts.cancelled,
            contested: counts.contested,
            shard_records: balance.shard_records,
            shard_unpersisted: balance.shard_unpersisted,
        })
    }

    /// The state of a coupon as everybody sees it; a draft is one only to admins, and `unknown` one
    /// that Redis cannot tell.
    pub async fn state(&self, coupon: &Coupon) -> &'static str {
        self.states(std::slice::from_ref(coupon)).await[0].state
    }

    /// As [`Observer::state`], of each coupon and with its stock; Redis is asked once for all of
    /// them.
    pub async fn states(&self, coupons: &[Coupon]) -> Vec<CouponState> {
        state::of_all(&self.redis, coupons).await
    }
}
