//! Which coupons lack keys, or were left by a recoverer that ended.

use super::error::Result;
use crate::domain::coupon::{Coupon, CouponId};
use crate::domain::limits::PAGE_MAX_ROWS;
use crate::redis::{Redis, presence};
use crate::store::Store;

/// A search over all coupons, page by page, that begins anew when it is through.
#[derive(Debug, Default)]
pub(super) struct Search {
    /// The coupon after which it goes on.
    after: Option<CouponId>,
    /// Whether it found a coupon on a page before this one.
    has_found: bool,
    /// Whether the last whole search found none.
    has_found_none: bool,
}

impl Search {
    /// The coupons of the next page that lack something, the small ones first. A coupon whose
    /// preload never ran lacks nothing: the relay runs it.
    pub(super) async fn next(&mut self, redis: &Redis, store: &dyn Store) -> Result<Vec<Coupon>> {
        let page = store.list_in_redis(self.after.as_ref(), PAGE_MAX_ROWS).await?;
        let last = page.last().map(|coupon| coupon.definition.id.clone());
        let after = last.filter(|_| page.len() == PAGE_MAX_ROWS as usize);
        let ids: Vec<_> = page.iter().map(|coupon| coupon.definition.id.clone()).collect();
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
        self.has_found |= !lacking.is_empty();
        if after.is_none() {
            self.has_found_none = !std::mem::take(&mut self.has_found);
        }
        self.after = after;
        Ok(lacking)
    }

    /// Whether it has just seen the last page.
    pub(super) fn is_through(&self) -> bool {
        self.after.is_none()
    }

    /// Whether the last whole search found none.
    pub(super) fn has_found_none(&self) -> bool {
        self.has_found_none
    }
}
