//! Does Redis have every ticket that the database has?

use super::unproven::Unproven;
use crate::domain::limits::PAGE_MAX_ROWS;
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
