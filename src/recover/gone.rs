//! The processes that told tickets: which are waited for, and which are forgotten (P2 step 9).

use std::time::Duration;

use super::error::Result;
use super::recovery::Recovery;
use crate::domain::limits::{
    EMBARGO_MS, PAGE_MAX_ROWS, PROCESS_GONE, WITNESS_WAIT, WITNESS_WAIT_MAX,
};
use crate::redis::Redis;
use crate::redis::depth::stream_depth;
use crate::redis::facts;
use crate::store::{SeenProcess, Store};

/// The processes that have not confirmed that what they told before this generation is in rows.
async fn unconfirmed(store: &dyn Store, generation_no: u64) -> Result<Vec<SeenProcess>> {
    let mut rows = store.processes(PAGE_MAX_ROWS).await?;
    rows.retain(|row| row.generation_no < generation_no && !row.is_ended);
    Ok(rows)
}

/// Whether a process is gone that may have told what is in no row.
pub(super) async fn is_any_unknown(store: &dyn Store, recovery: &Recovery) -> Result<bool> {
    Ok(!unconfirmed(store, recovery.generation_no).await?.is_empty())
}

/// Whether a recovery may count the tickets: every process that lives has written what it told, and
/// the others were waited for. No verdict from before the recovery is in force any more.
pub(super) async fn have_confirmed(store: &dyn Store, recovery: &Recovery) -> Result<bool> {
    let waited = recovery.begun_at.elapsed();
    if waited < Duration::from_millis(EMBARGO_MS) {
        return Ok(false);
    }
    if waited >= WITNESS_WAIT_MAX {
        return Ok(true);
    }
    let rows = unconfirmed(store, recovery.generation_no).await?;
    let is_waited_for = |row: &SeenProcess| waited < WITNESS_WAIT || row.silent_for < WITNESS_WAIT;
    Ok(!rows.iter().any(is_waited_for))
}

/// The processes that ended, or are silent, for a while.
pub(super) async fn silent(store: &dyn Store) -> Result<Vec<SeenProcess>> {
    let mut rows = store.processes(PAGE_MAX_ROWS).await?;
    rows.retain(|row| row.silent_for >= PROCESS_GONE);
    Ok(rows)
}

/// Forgets processes that ended or are silent, as soon as all that they told is in rows. The caller
/// knows that no coupon is being recovered.
pub(super) async fn forget(redis: &Redis, store: &dyn Store) -> Result<()> {
    let rows = silent(store).await?;
    let Some(last) = store.last_generation().await?.filter(|_| !rows.is_empty()) else {
        return Ok(());
    };
    // Records that are younger came after the end of these processes.
    let depth = stream_depth(redis).await?;
    let is_drained = depth.records == 0 || depth.oldest_age < WITNESS_WAIT;
    // After the streams: they are not empty because Redis was flushed.
    if is_drained && facts::heartbeat(redis).await? >= last.heartbeat {
        for row in rows {
            tracing::info!(process = row.process, "all that this process told is in rows");
            store.forget_process(&row.process).await?;
        }
    }
    Ok(())
}
