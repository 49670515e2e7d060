//! How sentences name coupons that one side has lost.

use std::collections::BTreeSet;

use crate::domain::coupon::CouponId;
use crate::domain::limits::LOST_COUPONS_MAX;

/// How many ids a sentence names.
const NAMED: usize = 5;

/// The number of these coupons and some of their ids, for a sentence; `None` if there are none.
pub(super) fn named(ids: &BTreeSet<CouponId>) -> Option<(String, String)> {
    let some: Vec<&str> = ids.iter().take(NAMED).map(CouponId::as_str).collect();
    let more = if ids.len() < LOST_COUPONS_MAX { "" } else { " or more" };
    let coupons = if ids.len() == 1 { "coupon" } else { "coupons" };
    let others = if ids.len() > NAMED { ", …" } else { "" };
    let named = (format!("{}{more} {coupons}", ids.len()), format!("{}{others}", some.join(", ")));
    (!ids.is_empty()).then_some(named)
}
