//! Which coupons lack keys, or were left by a recoverer that ended.

use super::error::Result;
use crate::domain::coupon::{Coupon, CouponId, State};
use crate::domain::limits::PAGE_MAX_ROWS;
use crate::redis::{Redis, presence};
use crate::store::Store;

/// Those of the page of coupons after this one, and where the next page begins. A coupon whose
/// preload never ran lacks nothing: the relay runs it.
pub(super) async fn lacking(
    redis: &Redis,
    store: &dyn Store,
    after: Option<&CouponId>,
) -> Result<(Vec<Coupon>, Option<CouponId>)> {
    let page = store.list_coupons(after, PAGE_MAX_ROWS).await?;
    let last = page.last().map(|coupon| coupon.definition.id.clone());
    let next = last.filter(|_| page.len() == PAGE_MAX_ROWS as usize);
    let live = page.iter().filter(|coupon| coupon.state != State::Draft);
    let ids: Vec<_> = live.map(|coupon| coupon.definition.id.clone()).collect();
    let without = presence::without_their_keys(redis, &ids).await?;
    let mut lacking = Vec::new();
    for coupon in page {
        let id = &coupon.definition.id;
        if without.contains(id)
            && (coupon.persisted > 0
                || store.find_act(id, 1).await?.is_some_and(|act| act.result.is_some())
                || presence::is_being_recovered(redis, id).await?)
        {
            lacking.push(coupon);
        }
    }
    lacking.sort_by_key(|coupon| coupon.persisted);
    Ok((lacking, next))
}
