//! Coupons of which somebody doubts that their keys are there.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use crate::domain::coupon::CouponId;
use crate::domain::limits::SUSPECTS_MAX;

/// Coupons that a script did not find although their rows say that they were preloaded; cheap to
/// clone. Whoever sweeps takes them.
#[derive(Debug, Clone, Default)]
pub struct Suspects(Arc<Mutex<BTreeSet<CouponId>>>);

impl Suspects {
    /// Tells that this coupon was not found. At the bound it is left to the sweep.
    pub fn add(&self, id: &CouponId) {
        let mut suspects = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if suspects.len() < SUSPECTS_MAX {
            suspects.insert(id.clone());
        }
    }

    /// Takes all of them.
    pub fn take(&self) -> BTreeSet<CouponId> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
