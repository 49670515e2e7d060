//! The JSON form of a coupon for admins, over HTTP and on the command line.

use serde::Serialize;

use super::act::Applied;
use super::coupon::{Coupon, CouponId, Definition};
use super::time::UnixMs;

/// A coupon as admins see it.
#[derive(Debug, Serialize)]
pub struct CouponBody<'a> {
    #[serde(flatten)]
    definition: &'a Definition,
    state: &'static str,
    version: u64,
    created_at: UnixMs,
}

impl<'a> CouponBody<'a> {
    /// The body of a coupon. `state` may also be a derived one, such as `sold_out`.
    pub fn of(coupon: &'a Coupon, state: &'static str) -> Self {
        let (version, created_at) = (coupon.version, coupon.created_at);
        Self { definition: &coupon.definition, state, version, created_at }
    }
}

/// One page of the list of all coupons.
#[derive(Debug, Serialize)]
pub struct CouponPage<'a> {
    /// In the order of their ids.
    pub coupons: Vec<CouponBody<'a>>,
    /// Where the next page begins; `None` after the last one.
    pub next_cursor: Option<&'a CouponId>,
}

/// A coupon after an act.
#[derive(Debug, Serialize)]
pub struct AppliedBody<'a> {
    coupon_id: &'a CouponId,
    #[serde(flatten)]
    applied: Applied,
}

impl<'a> AppliedBody<'a> {
    /// The body of a coupon to which an act was applied.
    pub fn of(coupon_id: &'a CouponId, applied: Applied) -> Self {
        Self { coupon_id, applied }
    }
}
