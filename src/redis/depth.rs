//! How much waits in the streams of all shards.

use std::time::Duration;

use ::redis::{Pipeline, RedisError, Value, pipe};

use super::keys::GROUP;
use super::{Error, Redis, Result, text};
use crate::domain::coupon::Shard;

/// How much waits in the streams of all shards.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Depth {
    pub records: u64,
    /// Records that a persister has read and not acknowledged.
    pub pending: u64,
    /// Tickets of all records.
    pub unpersisted: u64,
    /// Tickets of the shard that has most of them; the bound of the backlog is per shard.
    pub fullest_shard: u64,
    /// Age of the oldest record by the clock of Redis; zero without records.
    pub oldest_age: Duration,
}

type Answer = std::result::Result<Value, RedisError>;

/// Reads the depth of all streams in one round trip, and in a second one the age of the oldest
/// records, if there are any.
///
/// # Errors
/// Those of any call.
pub async fn stream_depth(redis: &Redis) -> Result<Depth> {
    let mut question = pipe();
    for shard in Shard::all() {
        question.cmd("XLEN").arg(redis.keys().records(shard));
        question.cmd("GET").arg(redis.keys().unpersisted(shard));
        // For a stream without a group Redis replies with an error; it has nothing pending.
        question.cmd("XPENDING").arg(redis.keys().records(shard)).arg(GROUP);
    }
    let mut depth = Depth::default();
    let mut oldest = pipe();
    oldest.cmd("TIME");
    for (shard, answers) in Shard::all().zip(ask_all(redis, question).await?.chunks_exact(3)) {
        let (records, unpersisted) = (count(&answers[0]), count(&answers[1]));
        if records > 0 {
            let stream = redis.keys().records(shard);
            oldest.cmd("XRANGE").arg(stream).arg("-").arg("+").arg("COUNT").arg(1);
        }
        depth.records += records;
        depth.unpersisted += unpersisted;
        depth.fullest_shard = depth.fullest_shard.max(unpersisted);
        depth.pending += part(&answers[2], 0).map_or(0, count_of);
    }
    if depth.records > 0 {
        let answers = ask_all(redis, oldest).await?;
        let now_ms = answers.first().and_then(|time| part(time, 0)).map_or(0, count_of) * 1_000;
        let oldest_ms = answers.iter().skip(1).filter_map(first_ms).min();
        depth.oldest_age =
            Duration::from_millis(now_ms.saturating_sub(oldest_ms.unwrap_or(now_ms)));
    }
    Ok(depth)
}

async fn ask_all(redis: &Redis, mut question: Pipeline) -> Result<Vec<Answer>> {
    let mut connection = redis.pooled().await?;
    question.ignore_errors();
    question.query_async(&mut connection).await.map_err(Error::of_call)
}

/// An element of an answer that is a list.
fn part(answer: &Answer, position: usize) -> Option<&Value> {
    match answer {
        Ok(Value::Array(parts)) => parts.get(position),
        _ => None,
    }
}

fn count(answer: &Answer) -> u64 {
    answer.as_ref().map_or(0, count_of)
}

fn count_of(value: &Value) -> u64 {
    match value {
        Value::Int(count) => count.unsigned_abs(),
        value => text(value).and_then(|text| text.parse().ok()).unwrap_or(0),
    }
}

/// When the first entry of `[[id, fields]]` was added: an id is `<ms>-<number>`.
fn first_ms(answer: &Answer) -> Option<u64> {
    let Some(Value::Array(entry)) = part(answer, 0) else { return None };
    text(entry.first()?)?.split('-').next()?.parse().ok()
}
