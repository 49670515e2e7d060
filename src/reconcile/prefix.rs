//! Whether a Redis whose data is a prefix of the accepted one's has all that was told: then nothing
//! is lost, and its serials go on (P2 step 11).

use super::judge::Prefix;
use super::serials::serials_reach;
use super::unproven::Unproven;
use crate::domain::coupon::Coupon;
use crate::domain::limits::{PAGE_MAX_ROWS, WITNESS_WAIT};
use crate::lua::audit::{Balance, Reply, audit_all};
use crate::redis::Redis;
use crate::store::Store;

/// Compares what every process said that it told, and every row, with what this Redis has. Serials
/// rise along the stream, so whoever has a serial has all before it.
pub(super) async fn prefix(
    redis: &Redis,
    store: &dyn Store,
    fence_no: u64,
) -> Result<Prefix, Unproven> {
    let mut open = store.processes(PAGE_MAX_ROWS).await?;
    open.retain(|row| row.generation_no < fence_no && !row.is_ended);
    if open.iter().any(|row| row.silent_for < WITNESS_WAIT) {
        return Ok(Prefix::Open);
    }
    if !open.is_empty() || !serials_reach(redis, store).await? {
        return Ok(Prefix::Lacking);
    }
    let mut after = None;
    loop {
        let page = store.list_in_redis(after.as_ref(), PAGE_MAX_ROWS).await?;
        let Some(last) = page.last() else { return Ok(Prefix::Whole) };
        after = Some(last.definition.id.clone());
        let ids: Vec<_> = page.iter().map(|coupon| &coupon.definition.id).collect();
        let replies = audit_all(redis, &ids).await?;
        for (coupon, reply) in page.iter().zip(replies) {
            let has_all = match reply? {
                Reply::Balance(balance) => has_all(store, coupon, &balance).await?,
                Reply::Unknown => is_not_loaded(store, coupon).await?,
            };
            if !has_all {
                return Ok(Prefix::Lacking);
            }
        }
    }
}

/// Whether Redis has the last act that was recorded, and every serial that was told.
async fn has_all(store: &dyn Store, coupon: &Coupon, balance: &Balance) -> Result<bool, Unproven> {
    let id = &coupon.definition.id;
    let told = store.greatest_mark(id).await?.map_or(0, |serial| serial.0);
    let Some(last) = store.find_act(id, coupon.act_no).await? else { return Ok(false) };
    let has_act = match balance.act_no == last.act_no {
        true => balance.act_token == last.token(),
        // The last one is only intended: Redis may not have it yet.
        false => last.result.is_none() && balance.act_no + 1 == last.act_no,
    };
    Ok(has_act && balance.last_serial >= told)
}

/// Whether the preload of the coupon is only intended: nothing of it was told.
async fn is_not_loaded(store: &dyn Store, coupon: &Coupon) -> Result<bool, Unproven> {
    let preload = store.find_act(&coupon.definition.id, coupon.act_no).await?;
    Ok(preload.is_some_and(|act| act.act_no == 1 && act.result.is_none()))
}
