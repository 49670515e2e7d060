//! Coupons that Redis has and the database lost completely: it was restored to a state before
//! their creation. A search by rows cannot find them, so each step looks at a page of the keys.

use std::collections::BTreeSet;

use super::error::Error;
use super::lost::named;
use crate::domain::coupon::CouponId;
use crate::domain::limits::LOST_COUPONS_MAX;
use crate::redis::Redis;
use crate::redis::holders;
use crate::store::Store;

/// The coupons without a row, as far as this process has looked.
#[derive(Default)]
pub(super) struct Rowless {
    /// Where the next page of keys begins.
    cursor: u64,
    /// Those that the current pass over the keys has found.
    met: BTreeSet<CouponId>,
    /// Those that are reported; at the bound, no more are added.
    told: BTreeSet<CouponId>,
}

impl Rowless {
    /// Looks for the rows of a page of keys, and of the coupons that had none before.
    pub(super) async fn look(&mut self, redis: &Redis, store: &dyn Store) -> Result<(), Error> {
        // Rows come first: a coupon in Redis has its row by the time the row is looked for.
        let (next, page) = holders::page_of_coupons(redis, self.cursor).await?;
        let page: BTreeSet<CouponId> = page.into_iter().collect();
        let asked: Vec<CouponId> = page.union(&self.told).cloned().collect();
        let mut rowless = store.without_row(&asked).await?;
        rowless.truncate(LOST_COUPONS_MAX);
        self.told = rowless.into_iter().collect();
        self.met.extend(self.told.intersection(&page).cloned());
        self.met.retain(|id| self.told.contains(id));
        if next == 0 {
            // The keys of the others are gone too.
            self.told = std::mem::take(&mut self.met);
        }
        self.cursor = next;
        Ok(())
    }

    /// Whether the pass has reached its last page.
    pub(super) fn is_through(&self) -> bool {
        self.cursor == 0
    }

    /// A sentence about them, if there are any.
    pub(super) fn sentence(&self) -> Option<String> {
        let (coupons, ids) = named(&self.told)?;
        Some(format!("Redis has {coupons} that the database lost: {ids}"))
    }
}
