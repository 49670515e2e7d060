//! Coupons are stopped in Redis, so that nothing is issued of them until they are recovered.

use super::error::{Error, Result};
use crate::domain::coupon::{Coupon, CouponId};
use crate::domain::limits::PAGE_MAX_ROWS;
use crate::lua::recover::{Args, Reply, Stopped, recover};
use crate::redis::Redis;
use crate::redis::holders;
use crate::redis::terms::Terms;
use crate::store::Store;

/// Whether every coupon in Redis has a row.
pub(super) async fn has_only_our_coupons(redis: &Redis, store: &dyn Store) -> Result<bool> {
    let mut cursor = 0;
    loop {
        let (next, page) = holders::page_of_coupons(redis, cursor).await?;
        if let Some(id) = store.without_row(&page).await?.first() {
            tracing::error!(coupon.id = %id, "Redis has a coupon of another database");
            return Ok(false);
        }
        if next == 0 {
            return Ok(true);
        }
        cursor = next;
    }
}

/// Stops every coupon that Redis must have. Returns how many rows each has, and what it had there.
pub(super) async fn stop_all(
    redis: &Redis,
    store: &dyn Store,
    replid: &str,
    epoch: u32,
) -> Result<Vec<(u64, CouponId, Stopped)>> {
    let mut stopped = Vec::new();
    let mut after = None;
    loop {
        let page = store.list_in_redis(after.as_ref(), PAGE_MAX_ROWS).await?;
        let Some(last) = page.last() else { return Ok(stopped) };
        after = Some(last.definition.id.clone());
        for coupon in &page {
            let had = stop(redis, coupon, replid, epoch).await?.ok_or(Error::Overtaken)?;
            stopped.push((coupon.persisted, coupon.definition.id.clone(), had));
        }
    }
}

/// Stops one coupon; `None` when a later recovery has it.
pub(super) async fn stop(
    redis: &Redis,
    coupon: &Coupon,
    replid: &str,
    epoch: u32,
) -> Result<Option<Stopped>> {
    let terms = Terms { epoch, ..terms_of(coupon, "recovering") }.to_string();
    let coupon_id = &coupon.definition.id;
    match recover(redis, &Args { replid, epoch, coupon_id, terms: &terms }).await? {
        Reply::Stopped(stopped) => Ok(Some(stopped)),
        Reply::Fenced(_) => Ok(None),
        Reply::OtherGeneration => Err(crate::redis::Error::OtherGeneration.into()),
    }
}

/// The terms of a coupon as its row has them.
pub(super) fn terms_of<'a>(coupon: &'a Coupon, state: &'a str) -> Terms<'a> {
    let definition = &coupon.definition;
    Terms {
        state,
        epoch: 1,
        key_id: &coupon.key_id,
        opens_at: definition.opens_at,
        closes_at: definition.closes_at,
        per_user_limit: definition.per_user_limit,
        coupon_id: definition.id.as_str(),
        version: coupon.version,
        stock_version: 0,
        total: definition.total,
        valid_for_ms: definition.valid_for.map(|length| length.as_ms()),
    }
}
