//! Coupons of which Redis has acts that the database lost: it went back to a backup, or a standby
//! that lacked the last commits took over. Equal numbers are then not the same act.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use crate::domain::coupon::CouponId;
use crate::domain::limits::DIVERGED_MAX;
use crate::telemetry::health::{Health, Part, Report};
use crate::telemetry::metrics;

/// The diverged coupons that this process has met; cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Diverged {
    ids: Arc<Mutex<BTreeSet<CouponId>>>,
    health: Health,
}

impl Diverged {
    /// None so far, and told to this register.
    pub(super) fn told_to(health: Health) -> Self {
        Self { ids: Arc::default(), health }
    }

    /// Remembers a coupon, and logs it when it is new. At the bound the others are not remembered.
    pub(super) fn add(&self, id: &CouponId) {
        let mut ids = self.ids.lock().unwrap_or_else(PoisonError::into_inner);
        if ids.len() < DIVERGED_MAX && ids.insert(id.clone()) {
            tracing::error!(coupon.id = %id,
                "Redis has acts of this coupon that the database lost: it can be paused and \
                 closed, and is changed in no other way (docs/operate.md#diverged)");
            self.report(&ids);
        }
    }

    pub(super) fn remove(&self, id: &CouponId) {
        let mut ids = self.ids.lock().unwrap_or_else(PoisonError::into_inner);
        if ids.remove(id) {
            self.report(&ids);
        }
    }

    /// Whether this coupon is one of them.
    pub(super) fn has(&self, id: &CouponId) -> bool {
        self.ids.lock().unwrap_or_else(PoisonError::into_inner).contains(id)
    }

    /// A warning and no reason: the coupon goes on issuing exactly, and so do all others.
    fn report(&self, ids: &BTreeSet<CouponId>) {
        let warning = ids.first().map(|first| {
            let more = if ids.len() < DIVERGED_MAX { "" } else { " or more" };
            let coupons = if ids.len() == 1 { "coupon" } else { "coupons" };
            format!(
                "The database went back: Redis has acts that it lost, of {}{more} {coupons}, such \
                 as {first}. They can be paused and closed, and are changed in no other way.",
                ids.len()
            )
        });
        metrics::diverged_coupons(ids.len());
        let report = Report { reasons: Vec::new(), warnings: warning.into_iter().collect() };
        self.health.report(Part::Relay, report);
    }
}
