//! Coupons whose keys, or whose rows, may be lost.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use crate::domain::coupon::CouponId;
use crate::domain::limits::SUSPECTS_MAX;

/// Coupons that one part of the process met and another one takes and checks. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Suspects(Arc<Mutex<BTreeSet<CouponId>>>);

impl Suspects {
    /// Adds a coupon. If the bound is reached it is not added: it is met again later.
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
