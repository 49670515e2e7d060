//! The database was put back to an older copy, and Redis still has its tickets: they become rows
//! again (P2 step 13).

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::error::Result;
use super::mandate::Mandate;
use super::union::Left;
use crate::domain::coupon::CouponId;

/// How long a coupon is left alone in which nothing was to be written: its count of rows is too
/// low, and a look at all of its holders does not change that.
const FRUITLESS: Duration = Duration::from_hours(1);

/// The coupons in which nothing was to be written lately.
#[derive(Debug, Default)]
pub(super) struct LostRows(HashMap<CouponId, Instant>);

impl LostRows {
    /// Writes the rows of the coupons that the relay met, unless the operator wants to order that.
    /// Rows are compared, so it does not matter what others write meanwhile.
    pub(super) async fn write(&mut self, left: &Left<'_>, mandate: Mandate) -> Result<()> {
        self.0.retain(|_, at| at.elapsed() < FRUITLESS);
        for id in left.redis.lacking_rows().take() {
            if mandate == Mandate::None || self.0.contains_key(&id) {
                continue;
            }
            left.lease.renew().await?;
            let rows = left.save_accepted_holders(&id).await?;
            if rows == 0 {
                self.0.insert(id, Instant::now());
                continue;
            }
            tracing::warn!(coupon.id = %id, rows, "the database lost rows; they are written again");
        }
        Ok(())
    }
}
