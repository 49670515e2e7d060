//! Records whose readers died. `take_over.lua` counts deaths in the delivery count of a record:
//! each is [`DEATH`] deliveries, and a read adds one.

use ::redis::{RedisError, Value, cmd};

use super::keys::GROUP;
use super::{Error, Redis, Result};
use crate::domain::coupon::Shard;
use crate::domain::limits::{READ_MAX_RECORDS, SUSPECT_DEATHS};

/// The same number as in `lua/take_over.lua`.
const DEATH: u64 = 1_000_000;

/// A pending record that was read by persisters that died.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suspect {
    pub shard: Shard,
    pub id: String,
    /// Persisters that read it and died before it was acknowledged.
    pub deaths: u64,
}

/// Takes the blame of its last read from a suspect: its reader lives, and only could not write it.
///
/// # Errors
/// Those of any call.
pub async fn acquit(redis: &Redis, suspect: &Suspect, consumer: &str) -> Result<()> {
    let mut claim = cmd("XCLAIM");
    claim.arg(redis.keys().records(suspect.shard)).arg(GROUP).arg(consumer).arg(0);
    claim.arg(&suspect.id).arg("RETRYCOUNT").arg(suspect.deaths * DEATH).arg("JUSTID");
    let mut connection = redis.pooled().await?;
    claim.query_async::<Value>(&mut connection).await.map(drop).map_err(Error::of_call)
}

/// Id, consumer, time since the last delivery, and number of deliveries.
type Pending = (String, Value, Value, u64);

/// Those of this consumer's pending records of a shard that [`SUSPECT_DEATHS`] readers or more
/// did not survive, in order.
///
/// # Errors
/// Those of any call.
pub async fn suspects(redis: &Redis, shard: Shard, consumer: &str) -> Result<Vec<Suspect>> {
    let mut question = cmd("XPENDING");
    question.arg(redis.keys().records(shard)).arg(GROUP).arg("-").arg("+");
    question.arg(READ_MAX_RECORDS).arg(consumer);
    let mut connection = redis.pooled().await?;
    let pending: std::result::Result<Vec<Pending>, RedisError> =
        question.query_async(&mut connection).await;
    let suspect =
        |(id, _, _, deliveries): Pending| Suspect { shard, id, deaths: deliveries / DEATH };
    let all = pending.map_err(Error::of_call)?.into_iter().map(suspect);
    Ok(all.filter(|suspect| suspect.deaths >= SUSPECT_DEATHS).collect())
}
