//! Redis forgets, the service does not: what Redis lost is put back from the rows, from its own
//! stream and holders as far as they are left, and from what the servers remember (P2 steps 7, 9
//! and 10).
//!
//! A recovery raises the epoch in the database first, by compare-and-set. Each coupon is then
//! recovered alone, the small ones first, and opens as soon as it is done. Every step may be
//! repeated. After a crash the next recoverer begins the unfinished coupons anew, with a higher
//! epoch, which fences the last one.

mod error;
mod fence;
mod gone;
mod lacking;
mod lease;
mod lost_rows;
mod mandate;
mod plan;
mod process_row;
mod recovery;
mod refill;
mod stop;
mod union;

use std::sync::Arc;
use std::time::Instant;

use crate::domain::coupon::CouponId;
use crate::domain::generation::Generation;
use crate::domain::limits::{COUNT_SILENCE, PAGE_MAX_ROWS};
use crate::domain::time::UnixMs;
use crate::redis::Redis;
use crate::redis::generation::{Accepted, Life};
use crate::store::Store;
use crate::telemetry::health::{Health, Part, Report};
use crate::telemetry::loops::Stepped;

pub use mandate::Mandate;
pub use process_row::ProcessRow;

use error::{Error, Result};
use fence::Fence;
use lacking::Search;
use lease::Lease;
use lost_rows::LostRows;
use recovery::Recovery;
use refill::Refill;
use union::Left;

/// Coupons with withheld stock that `/readyz` names.
const WITHHELD_TOLD: usize = 10;

/// Recovers coupons; its loop is [`Recoverer::step`] repeated. Every server and worker has one,
/// and one of them at a time has the lease.
pub struct Recoverer {
    redis: Redis,
    store: Arc<dyn Store>,
    lease: Lease,
    now: fn() -> UnixMs,
    mandate: Mandate,
    /// Coupons that the operator wants to be recovered.
    ordered: Vec<CouponId>,
    health: Health,
    search: Search,
    lost_rows: LostRows,
    recovery: Option<Recovery>,
    /// The coupons with withheld stock.
    withheld: Vec<(CouponId, u64)>,
    /// The last generation, its count, and since when this process sees this count.
    last_count: Option<((u64, u64), Instant)>,
    /// Why the last step failed.
    failure: Option<String>,
}

impl Recoverer {
    /// A recoverer of this name, unique among all processes.
    pub fn new(redis: &Redis, store: Arc<dyn Store>, name: String, now: fn() -> UnixMs) -> Self {
        Self {
            redis: redis.with_reserved_pool(),
            lease: Lease::new(store.clone(), name),
            store,
            now,
            mandate: Mandate::Safe,
            ordered: Vec::new(),
            health: Health::default(),
            search: Search::default(),
            lost_rows: LostRows::default(),
            recovery: None,
            withheld: Vec::new(),
            last_count: None,
            failure: None,
        }
    }

    /// Reports its progress to this register.
    #[must_use]
    pub fn reporting_to(self, health: Health) -> Self {
        Self { health, ..self }
    }

    /// Which recoveries it begins.
    #[must_use]
    pub fn mandated(self, mandate: Mandate) -> Self {
        Self { mandate, ..self }
    }

    /// Also recovers these coupons, whatever they have.
    #[must_use]
    pub fn ordered(self, ordered: Vec<CouponId>) -> Self {
        Self { ordered, ..self }
    }

    /// Whether nothing is left to recover, as far as it has looked.
    pub fn is_done(&self) -> bool {
        self.recovery.is_none() && self.ordered.is_empty() && self.search.has_found_none()
    }

    /// Why the last step failed.
    pub fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }

    /// How many coupons are left in the recovery that this process leads.
    pub fn left(&self) -> usize {
        self.recovery.as_ref().map_or(0, |recovery| recovery.left.len())
    }

    /// Begins a recovery, or recovers one coupon; without a recovery it forgets processes that
    /// ended.
    /// The step is done if there may be more to do at once. Every call has its time-out; a coupon
    /// takes some milliseconds for each page of its tickets.
    pub async fn step(&mut self) -> Stepped {
        let stepped = self.go_on().await;
        let failure = stepped.as_ref().err().map(ToString::to_string);
        // The same failure comes at every step as long as its cause lasts. Without a recovery of
        // its own, others say what is wrong.
        if failure != self.failure
            && self.recovery.is_some()
            && let Some(error) = &failure
        {
            tracing::warn!(error, "a recovery does not go on");
        }
        self.failure = failure;
        let stepped = stepped.unwrap_or(Stepped::Failed);
        self.tell();
        stepped
    }

    async fn go_on(&mut self) -> Result<Stepped> {
        let Some(last) = self.store.last_generation().await? else { return Ok(Stepped::Idle) };
        self.compare(&last);
        let life = self.redis.generation().current();
        let accepted = match life {
            Life::Doubtful(doubt) if self.mandate.covers(&doubt) => {
                if !self.is_abandoned(&last) {
                    return Ok(Stepped::Idle);
                }
                self.recovery = self.fence().begin_life().await?;
                if self.recovery.is_some() {
                    // They are in it.
                    self.ordered.clear();
                }
                return Ok(Stepped::Idle);
            }
            Life::Doubtful(_) => return Ok(Stepped::Idle),
            Life::Proven(accepted) => accepted,
        };
        match &self.recovery {
            None if !self.ordered.is_empty() => {
                let mut ordered = Vec::new();
                for id in &self.ordered {
                    let coupon = self.store.find_coupon(id).await?;
                    ordered.extend(coupon.filter(|coupon| coupon.state.is_in_redis()));
                }
                self.recovery = self.fence().begin_lacking(&accepted, ordered).await?;
                if self.recovery.is_some() {
                    self.ordered.clear();
                }
                Ok(Stepped::Idle)
            }
            None => {
                let (redis, store, lease) = (&self.redis, &*self.store, &self.lease);
                let left = Left { redis, store, lease, accepted: &accepted };
                self.lost_rows.write(&left, self.mandate).await?;
                self.look_for_lacking(&accepted).await?;
                Ok(Stepped::Idle)
            }
            // The prover has not read the new epoch yet, or the servers are still writing.
            Some(recovery) if accepted.epoch < recovery.epoch => Ok(Stepped::Idle),
            Some(recovery) if accepted.epoch > recovery.epoch => {
                self.recovery = None;
                Err(Error::Overtaken)
            }
            Some(recovery) if !gone::have_confirmed(&*self.store, recovery).await? => {
                Ok(Stepped::Idle)
            }
            Some(_) => self.recover_next(&accepted).await,
        }
    }

    /// Looks at the next page of coupons. When none of all pages lacks anything, processes that
    /// ended are forgotten.
    async fn look_for_lacking(&mut self, accepted: &Accepted) -> Result<()> {
        let is_asked = self.mandate == Mandate::None;
        if is_asked && gone::silent(&*self.store).await?.is_empty() {
            return Ok(());
        }
        let lacking = self.search.next(&self.redis, &*self.store).await?;
        if self.search.is_through() && self.search.has_found_none() {
            gone::forget(&self.redis, &*self.store).await?;
        }
        if self.search.is_through() {
            self.withheld = self.store.withheld(PAGE_MAX_ROWS).await?;
        }
        if !lacking.is_empty() && !is_asked {
            self.recovery = self.fence().begin_lacking(accepted, lacking).await?;
        }
        Ok(())
    }

    /// Whether nobody counts the accepted generation any more. A server that still does issues from
    /// another Redis: this one is a new one beside it, or the address of another one.
    fn is_abandoned(&mut self, last: &Generation) -> bool {
        let count = (last.generation_no, last.heartbeat);
        match self.last_count {
            Some((known, since)) if known == count => since.elapsed() >= COUNT_SILENCE,
            _ => {
                self.last_count = Some((count, Instant::now()));
                false
            }
        }
    }

    /// Recovers the first coupon that is left. One that fails comes again after the others.
    async fn recover_next(&mut self, accepted: &Accepted) -> Result<Stepped> {
        self.lease.renew().await?;
        let Some(mut recovery) = self.recovery.take() else { return Ok(Stepped::Idle) };
        let Some((id, stopped)) = recovery.left.pop_front() else {
            tracing::info!(epoch = recovery.epoch, "the recovery is complete");
            return Ok(Stepped::Done);
        };
        let (redis, store, lease) = (&self.redis, &*self.store, &self.lease);
        let left = Left { redis, store, lease, accepted };
        let is_unknown = gone::is_any_unknown(store, &recovery).await;
        let recovered = match is_unknown {
            Ok(is_unknown) => {
                let (now, must_keep) = ((self.now)(), recovery.must_keep);
                let refill = Refill { left, now, must_keep, is_unknown };
                refill.recover(&mut recovery.drained, &id, &stopped).await
            }
            Err(error) => Err(error),
        };
        if recovered.is_err() {
            recovery.left.push_back((id.clone(), stopped));
        }
        let left = recovery.left.len();
        self.recovery = Some(recovery);
        recovered?;
        tracing::info!(coupon.id = %id, epoch = accepted.epoch, left, "recovered");
        Ok(Stepped::Done)
    }

    /// Another server accepted another Redis, or a recovery began: the prover looks again.
    fn compare(&self, last: &Generation) {
        let generation = self.redis.generation();
        if generation.proven().is_ok_and(|known| known.generation_no < last.generation_no) {
            generation.outdated();
        }
    }

    fn fence(&self) -> Fence<'_> {
        let (redis, store, lease) = (&self.redis, &*self.store, &self.lease);
        Fence { redis, store, lease, now: (self.now)() }
    }

    fn tell(&self) {
        let left = self.left();
        let mut warnings = Vec::new();
        if left > 0 {
            warnings.push(format!("coupons that are being recovered: {left}"));
        }
        if !self.withheld.is_empty() {
            let coupon = |(id, units): &(CouponId, u64)| format!("{id} ({units})");
            let coupons: Vec<String> =
                self.withheld.iter().take(WITHHELD_TOLD).map(coupon).collect();
            warnings.push(format!(
                "stock of {} coupons is withheld, because a server that is gone may have told its \
                 tickets: {}",
                self.withheld.len(),
                coupons.join(", ")
            ));
        }
        self.health.report(Part::Recovery, Report { reasons: Vec::new(), warnings });
    }
}
