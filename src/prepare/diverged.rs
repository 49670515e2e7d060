//! Coupons for which Redis has acts that the database lost: it was restored from a backup, or a
//! standby took over without the last commits. Acts with equal numbers may then be different acts.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::stream::{self, StreamExt as _};

use super::refusal::Refusal;
use crate::domain::coupon::CouponId;
use crate::domain::limits::{DIVERGED_MAX, PAGE_DEFAULT_ROWS};
use crate::lua::audit;
use crate::redis::Redis;
use crate::store::Store;
use crate::telemetry::health::{Health, Part, Report};
use crate::telemetry::metrics;

/// How many coupons are checked at once: a distant database takes its time for each.
const CHECKS_AT_ONCE: usize = 8;

/// The diverged coupons that this process has found; cheap to clone.
#[derive(Clone)]
pub(super) struct Diverged {
    redis: Redis,
    store: Arc<dyn Store>,
    ids: Arc<Mutex<BTreeSet<CouponId>>>,
    health: Health,
}

impl Diverged {
    /// None so far.
    pub(super) fn new(redis: Redis, store: Arc<dyn Store>) -> Self {
        Self { redis, store, ids: Arc::default(), health: Health::default() }
    }

    /// Reports them to this register.
    pub(super) fn told_to(self, health: Health) -> Self {
        Self { health, ..self }
    }

    /// Remembers a coupon, and logs it when it is new. At the bound, further coupons are not
    /// remembered.
    pub(super) fn add(&self, id: &CouponId) {
        let mut ids = self.ids.lock().unwrap_or_else(PoisonError::into_inner);
        if ids.len() < DIVERGED_MAX && ids.insert(id.clone()) {
            tracing::error!(coupon.id = %id,
                "Redis has acts of this coupon that the database lost: it can only be paused and \
                 closed (docs/operate.md#diverged)");
            self.report(&ids);
        }
    }

    pub(super) fn remove(&self, id: &CouponId) {
        let mut ids = self.ids.lock().unwrap_or_else(PoisonError::into_inner);
        if ids.remove(id) {
            self.report(&ids);
        }
    }

    pub(super) fn has(&self, id: &CouponId) -> bool {
        self.ids.lock().unwrap_or_else(PoisonError::into_inner).contains(id)
    }

    /// A warning, not a reason against requests: the coupon still issues correctly, like all
    /// others.
    fn report(&self, ids: &BTreeSet<CouponId>) {
        let warning = ids.first().map(|first| {
            let more = if ids.len() < DIVERGED_MAX { "" } else { " or more" };
            let coupons = if ids.len() == 1 { "coupon" } else { "coupons" };
            format!(
                "The database went back: Redis has acts that it lost, of {}{more} {coupons}, such \
                 as {first}. They can only be paused and closed.",
                ids.len()
            )
        });
        metrics::diverged_coupons(ids.len());
        let report = Report { reasons: Vec::new(), warnings: warning.into_iter().collect() };
        self.health.report(Part::Relay, report);
    }

    /// Fails when the database has no row for the coupon's last act in Redis. Rows come first, so
    /// there is one, unless the database lost it.
    pub(super) async fn check(&self, id: &CouponId) -> Result<(), Refusal> {
        let audit::Reply::Balance(balance) = audit::audit(&self.redis, id).await? else {
            return Ok(());
        };
        let act = self.store.find_act(id, balance.act_no).await?;
        if act.is_some_and(|act| act.token() == balance.act_token) {
            self.remove(id);
            return Ok(());
        }
        Err(self.refusal_of(id))
    }

    /// Checks every coupon once for acts that the database lost; they are reported in the relay's
    /// words. It writes nothing, and finishes nothing.
    ///
    /// # Errors
    /// When Redis or the database is away. Faults of a single coupon are reported elsewhere.
    pub(super) async fn look_at_all(&self) -> Result<(), Refusal> {
        let mut after = None;
        loop {
            let page = self.store.list_coupons(after.as_ref(), PAGE_DEFAULT_ROWS).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = Some(last.definition.id.clone());
            let checks = page.iter().map(|coupon| self.check(&coupon.definition.id));
            let mut checks = stream::iter(checks).buffer_unordered(CHECKS_AT_ONCE);
            while let Some(checked) = checks.next().await {
                checked.or_else(|refusal| match refusal.concerns_all() {
                    true => Err(refusal),
                    false => Ok(()),
                })?;
            }
        }
    }

    /// The refusal of an act of this coupon, which is remembered as diverged.
    pub(super) fn refusal_of(&self, id: &CouponId) -> Refusal {
        self.add(id);
        Refusal::Diverged
    }
}
