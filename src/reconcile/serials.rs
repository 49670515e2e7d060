//! Does Redis have every ticket that the database has, and that this process told?

use super::unproven::Unproven;
use crate::domain::limits::PAGE_MAX_ROWS;
use crate::domain::witnesses::Witnesses;
use crate::redis::Redis;
use crate::redis::holders;
use crate::store::Store;

/// Whether Redis has every coupon that it must have, and no ticket less than the database.
pub(super) async fn serials_reach(redis: &Redis, store: &dyn Store) -> Result<bool, Unproven> {
    let mut after = None;
    loop {
        let page = store.last_serials(after.as_ref(), PAGE_MAX_ROWS).await?;
        let Some((last_id, _)) = page.last() else { return Ok(true) };
        let last_id = last_id.clone();
        for (id, in_store) in page {
            if holders::last_serial(redis, &id).await?.is_none_or(|in_redis| in_redis < in_store) {
                return Ok(false);
            }
        }
        after = Some(last_id);
    }
}

/// Whether Redis has what this process told of the coupons that it has. Redis can lose that at
/// `always` too, with a disk that confirmed what it did not keep.
pub(super) async fn told_reaches(redis: &Redis, told: &Witnesses) -> Result<bool, Unproven> {
    for (id, told) in told.last_serials() {
        if holders::last_serial(redis, &id).await?.is_some_and(|in_redis| in_redis < told) {
            return Ok(false);
        }
    }
    Ok(true)
}
