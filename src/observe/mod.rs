//! What is true right now: of a coupon, and of the whole service.

mod balance;
mod contested;
mod encryption;
mod error;
mod gauges;
mod ready;
mod remembered;
mod rows;
mod stuck;

use std::sync::Arc;

use serde::Serialize;

use crate::domain::coupon::{Coupon, CouponId, State};
use crate::domain::limits::ANSWER_WAIT;
use crate::domain::time::UnixMs;
use crate::lua::audit::{self, Balance};
use crate::redis::Redis;
use crate::store::{self, Counts, Store};
use crate::telemetry::health::Health;

pub use balance::Audit;
pub use error::Error;
pub use gauges::Gauges;
pub use ready::Readiness;

use remembered::{Age, Remembered};
use rows::Rows;

/// What everybody may know of a coupon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PublicView {
    /// Its id.
    pub id: CouponId,
    /// Its name for people.
    pub name: String,
    /// `scheduled`, `open`, `sold_out`, `paused`, `closed` or `recovering`.
    pub state: &'static str,
    /// Tickets in all.
    pub total: u64,
    /// Stock that nobody has.
    pub remaining: u64,
    /// Tickets that one user may hold.
    pub per_user_limit: u8,
    /// First instant of issuing.
    pub opens_at: Option<UnixMs>,
    /// First instant after issuing.
    pub closes_at: Option<UnixMs>,
    /// The time of Redis, for countdowns.
    pub server_time: UnixMs,
}

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
    remembered: Remembered,
    health: Health,
}

impl Observer {
    /// An observer of this Redis and this database.
    pub fn new(redis: &Redis, store: Arc<dyn Store>) -> Self {
        Self {
            redis: redis.clone(),
            store,
            remembered: Remembered::default(),
            health: Health::default(),
        }
    }

    /// Its readiness says also what the parts of this process report here.
    #[must_use]
    pub fn told_by(self, health: Health) -> Self {
        Self { health, ..self }
    }

    /// What everybody may know of a coupon, at this instant.
    ///
    /// # Errors
    /// [`Error::CouponNotFound`] for drafts too.
    pub async fn public_view(&self, id: &CouponId) -> Result<PublicView, Error> {
        let coupon = self.remember(id).await?;
        let balance = self.balance(id).await?;
        Ok(PublicView {
            id: id.clone(),
            name: coupon.definition.name.clone(),
            state: state_at(&balance),
            total: balance.total,
            remaining: balance.remaining,
            per_user_limit: balance.per_user_limit,
            opens_at: balance.opens_at,
            closes_at: balance.closes_at,
            server_time: balance.now,
        })
    }

    /// The balance of a coupon at this instant (I1, I2, I5).
    ///
    /// # Errors
    /// [`Error::CouponNotFound`] for drafts too.
    pub async fn audit(&self, id: &CouponId) -> Result<Audit, Error> {
        // The rows first: what they say can only be overtaken by Redis, never the other way round.
        let before = match self.preloaded(id).await {
            Err(Error::CouponNotFound) => match self.audit_without_row(id).await? {
                Some(audit) => return Ok(audit),
                None => self.preloaded(id).await?,
            },
            before => before?,
        };
        let balance = self.balance(id).await?;
        let mut audit = Audit::of(id, &balance, before.persisted);
        audit.add(Rows::around(&*self.store, before, &balance).await?.faults(&balance));
        Ok(audit)
    }

    /// Of a coupon that Redis has although it is none by its row: the database went back. `None` if
    /// it was only preloaded meanwhile.
    async fn audit_without_row(&self, id: &CouponId) -> Result<Option<Audit>, Error> {
        let balance = match self.balance(id).await {
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
        let before = self.preloaded(id).await?;
        let counts: Counts = self.store.counts(id).await?;
        let coupon = self.preloaded(id).await?;
        let balance = self.balance(id).await?;
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
        self.states(std::slice::from_ref(coupon)).await[0]
    }

    /// As [`Observer::state`], of each coupon. Once Redis cannot be reached, it is asked no more.
    pub async fn states(&self, coupons: &[Coupon]) -> Vec<&'static str> {
        let mut states = Vec::with_capacity(coupons.len());
        let mut is_reachable = true;
        for coupon in coupons {
            states.push(match coupon.state {
                State::Draft => "draft",
                _ if !is_reachable => "unknown",
                _ => match self.balance(&coupon.definition.id).await {
                    Ok(balance) => state_at(&balance),
                    Err(Error::Recovering) => "recovering",
                    Err(error) => {
                        tracing::warn!(%error, coupon.id = %coupon.definition.id, "state unknown");
                        is_reachable =
                            !matches!(&error, Error::Redis(error) if error.doubts_connection());
                        "unknown"
                    }
                },
            });
        }
        states
    }

    /// Whether this process can issue, and what is unsafe about its servers: what its parts
    /// reported last. Waits for nobody.
    pub fn readiness(&self) -> Readiness {
        Readiness::of(self.health.told(), self.redis.generation().current())
    }

    /// The sentence about contested tickets, if there are any; counted coupon by coupon.
    ///
    /// # Errors
    /// Those of any call to the database.
    pub async fn contested(&self) -> store::Result<Option<String>> {
        contested::sentence(&*self.store).await
    }

    /// The sentence about records that stay without rows, if there are any or if nobody can tell.
    pub async fn stuck_records(&self) -> Option<String> {
        stuck::told(&self.redis).await
    }

    /// What encrypts the connections to Redis.
    pub async fn encryption_of_redis(&self) -> String {
        encryption::of_redis(&self.redis).await
    }

    /// What encrypts the connections to the database.
    pub async fn encryption_of_database(&self) -> String {
        encryption::of_database(&*self.store).await
    }

    async fn balance(&self, id: &CouponId) -> Result<Balance, Error> {
        match audit::audit(&self.redis, id).await? {
            audit::Reply::Balance(balance) => Ok(*balance),
            audit::Reply::Unknown => Err(Error::Recovering),
        }
    }

    async fn preloaded(&self, id: &CouponId) -> Result<Coupon, Error> {
        let coupon = self.store.find_coupon(id).await?;
        coupon.filter(|coupon| coupon.state != State::Draft).ok_or(Error::CouponNotFound)
    }

    /// The row, at most a second old as long as the database answers, so that a page that everybody
    /// reloads costs it nothing. When it does not answer, the remembered row is as good: its name
    /// hardly ever changes, and everything that does comes from Redis.
    async fn remember(&self, id: &CouponId) -> Result<Arc<Coupon>, Error> {
        let (observer, id) = (self.clone(), id.clone());
        let remembered = self.remembered.find(&id);
        let look = async move {
            let coupon = Arc::new(observer.preloaded(&id).await?);
            observer.remembered.keep(id, coupon.clone());
            Ok(coupon)
        };
        let stale = match remembered {
            None => return look.await,
            Some((coupon, Age::Young)) => return Ok(coupon),
            Some((coupon, Age::Stale)) => coupon,
        };
        // A look that was given up would keep its connection, so it goes on by itself.
        match tokio::time::timeout(ANSWER_WAIT, tokio::spawn(look)).await {
            Ok(Ok(Err(Error::CouponNotFound))) => Err(Error::CouponNotFound),
            Ok(Ok(Ok(fresh))) => Ok(fresh),
            _ => Ok(stale),
        }
    }
}

/// The state at the instant of the balance. The same order as in `issue.lua`.
fn state_at(balance: &Balance) -> &'static str {
    let is_over = balance.closes_at.is_some_and(|at| at <= balance.now);
    let is_early = balance.opens_at.is_some_and(|at| balance.now < at);
    match balance.state.as_str() {
        "recovering" => "recovering",
        "closed" => "closed",
        _ if is_over => "closed",
        "paused" => "paused",
        _ if is_early => "scheduled",
        _ if balance.available == 0 => "sold_out",
        _ => "open",
    }
}
