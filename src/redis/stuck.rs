//! Records that a persister read long ago and that still have no rows, usually because the
//! database is away.

use std::time::Duration;

use ::redis::{RedisError, Value, cmd, pipe};

use super::keys::GROUP;
use super::stream::{Entry, entry_of};
use super::{Error, Redis, Result};
use crate::domain::coupon::Shard;

/// How many of a shard are counted at most.
const STUCK_MAX_OF_SHARD: usize = 1_000;

/// The stuck records in the streams of all shards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stuck {
    /// Records, at most 1,000 of each shard.
    pub records: usize,
    /// Whether a shard may have more of them.
    pub are_more: bool,
    pub example: Entry,
}

/// Id, consumer, time since the last delivery, and number of deliveries.
type Pending = (String, Value, Value, Value);

/// Records that are older than this, were read by a persister, and are still in the stream; `None`
/// when there are none. Only reads; the records stay with their consumers.
///
/// # Errors
/// Those of any call.
pub async fn stuck_records(redis: &Redis, older_than: Duration) -> Result<Option<Stuck>> {
    let mut connection = redis.pooled().await?;
    let (seconds, _): (u64, u64) =
        cmd("TIME").query_async(&mut connection).await.map_err(Error::of_call)?;
    let until_ms = seconds.saturating_sub(older_than.as_secs()) * 1_000;
    let mut question = pipe();
    for shard in Shard::all() {
        let stream = redis.keys().records(shard);
        question.cmd("XPENDING").arg(stream).arg(GROUP);
        question.arg("-").arg(until_ms).arg(STUCK_MAX_OF_SHARD);
    }
    // For a stream without a group Redis replies with an error; it has nothing pending.
    question.ignore_errors();
    let answers: Vec<std::result::Result<Vec<Pending>, RedisError>> =
        question.query_async(&mut connection).await.map_err(Error::of_call)?;
    let (mut held, mut are_more) = (Vec::new(), false);
    for (shard, answer) in Shard::all().zip(answers) {
        are_more |= answer.as_ref().is_ok_and(|held| held.len() >= STUCK_MAX_OF_SHARD);
        held.extend(answer.into_iter().flatten().map(|(id, ..)| (shard, id)));
    }
    let Some((shard, id)) = held.first() else { return Ok(None) };
    let mut read = cmd("XRANGE");
    read.arg(redis.keys().records(*shard)).arg(id).arg(id);
    let rows: Value = read.query_async(&mut connection).await.map_err(Error::of_call)?;
    let example = entry_of(*shard, id, &rows);
    Ok(Some(Stuck { records: held.len(), are_more, example }))
}
