//! Rows of coupons, remembered for their public pages.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::domain::coupon::{Coupon, CouponId};
use crate::domain::limits::DEFINITIONS_MAX;

/// How long a row is as good as the database's own.
const YOUNG: Duration = Duration::from_secs(1);

/// How old a remembered row is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Age {
    /// A second at most, or somebody else is looking at this moment.
    Young,
    /// Older: whoever hears this looks.
    Stale,
}

/// Rows, and since when they are remembered.
type Rows = HashMap<CouponId, (Instant, Arc<Coupon>)>;

/// The memory; every clone is the same.
#[derive(Clone, Default)]
pub(super) struct Remembered(Arc<Mutex<Rows>>);

impl Remembered {
    /// The row of a coupon. A stale one is young for all others from now on, so that one of them
    /// looks and not all.
    pub(super) fn find(&self, id: &CouponId) -> Option<(Arc<Coupon>, Age)> {
        let mut rows = self.rows();
        let (since, coupon) = rows.get_mut(id)?;
        let age = match since.elapsed() < YOUNG {
            true => Age::Young,
            false => Age::Stale,
        };
        if age == Age::Stale {
            *since = Instant::now();
        }
        Some((coupon.clone(), age))
    }

    /// Remembers a row. At the bound the memory is emptied.
    pub(super) fn keep(&self, id: CouponId, coupon: Arc<Coupon>) {
        let mut rows = self.rows();
        if rows.len() >= DEFINITIONS_MAX {
            rows.clear();
        }
        rows.insert(id, (Instant::now(), coupon));
    }

    fn rows(&self) -> MutexGuard<'_, Rows> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
