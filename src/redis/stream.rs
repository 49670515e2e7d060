//! The records streams, which a consumer group reads. Only `acknowledge.lua` removes entries from a
//! stream: it is never trimmed by length, because that would silently drop undelivered records.

use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use ::redis::{FromRedisValue, Pipeline, RedisError, Value, cmd, pipe};

use super::generation::{Accepted, is_master_of};
use super::keys::GROUP;
use super::{Error, Redis, Result, text};
use crate::domain::coupon::Shard;
use crate::domain::record::{FIELD, Malformed, Record, Undecodable};

/// An entry of a shard's stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub shard: Shard,
    pub id: String,
    pub record: std::result::Result<Record, Undecodable>,
}

impl Entry {
    /// The number of its tickets; an entry that cannot be decoded counts as one.
    pub fn tickets(&self) -> usize {
        self.record.as_ref().map_or(1, |record| record.holders.len())
    }
}

/// A reader of the shards' streams under one consumer name, with a connection of its own.
pub struct Reader {
    redis: Redis,
    consumer: String,
    block: Duration,
    connection: Option<MultiplexedConnection>,
}

impl Reader {
    /// A reader that waits this long for new records. It connects at its first read.
    pub fn new(redis: Redis, consumer: &str, block: Duration) -> Self {
        Self { redis, consumer: consumer.to_owned(), block, connection: None }
    }

    /// Entries of these shards, each after an id: the pending ones of this consumer, or for `>`
    /// those that no consumer has read yet; at most `count` per shard. Waits for the first new one
    /// if `block`. An empty list means that there are none.
    ///
    /// A read cannot carry the generation, so the server is asked for its own right behind it:
    /// entries of another life must not become rows here, because their tickets were not issued
    /// under the accepted generation (I9).
    ///
    /// # Errors
    /// [`Error::OtherGeneration`] when the entries are of another generation. Those of any call;
    /// also when one of the shards has no stream or no group. If the reply is lost, its records are
    /// pending, and are read again as such.
    pub async fn read(
        &mut self,
        accepted: &Accepted,
        from: &[(Shard, &str)],
        count: usize,
        block: bool,
    ) -> Result<Vec<Entry>> {
        let mut read = cmd("XREADGROUP");
        read.arg("GROUP").arg(GROUP).arg(&self.consumer).arg("COUNT").arg(count);
        if block {
            read.arg("BLOCK").arg(self.block.as_millis().max(1) as u64);
        }
        let streams: Vec<(Shard, String)> =
            from.iter().map(|(shard, _)| (*shard, self.redis.keys().records(*shard))).collect();
        let (names, after): (Vec<&str>, Vec<&str>) =
            streams.iter().zip(from).map(|((_, name), (_, after))| (name.as_str(), *after)).unzip();
        read.arg("STREAMS").arg(names).arg(after);
        let mut question = pipe();
        question.add_command(read).cmd("INFO").arg("replication").ignore_errors();
        let replies: [std::result::Result<Value, RedisError>; 2] =
            self.query(&question).await?.map_err(Error::of_call)?;
        let [reply, replication] = replies;
        let reply = reply.map_err(Error::of_call)?;
        let replication = replication.map_err(Error::of_call)?;
        match text(&replication).is_some_and(|told| accepted.is_told_by(told)) {
            true => entries_of(&reply, &streams),
            false => Err(Error::OtherGeneration),
        }
    }

    /// Sends a command. If it fails, the connection is dropped, and the next call opens a new one.
    async fn query<T: FromRedisValue>(
        &mut self,
        question: &Pipeline,
    ) -> Result<std::result::Result<T, RedisError>> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            // Longer than BLOCK: a time-out would lose a reply whose records are already pending.
            None => self.redis.connect_within(self.block + Duration::from_secs(5)).await?,
        };
        let replied = question.query_async(&mut connection).await;
        let is_alive = match &replied {
            Ok(_) => true,
            Err(error) => error.code().is_some(),
        };
        self.connection = is_alive.then_some(connection);
        Ok(replied)
    }
}

/// The entries of a shard after this id (`-` from the beginning), whether a consumer has read them
/// or not; an empty list means that there are none.
///
/// # Errors
/// [`Error::OtherGeneration`] when this Redis is not the master with this replid; those of any
/// call.
pub async fn entries_after(
    redis: &Redis,
    replid: &str,
    shard: Shard,
    after: &str,
    count: usize,
) -> Result<Vec<Entry>> {
    let stream = redis.keys().records(shard);
    let from = if after == "-" { after.to_owned() } else { format!("({after}") };
    let mut question = pipe();
    question.cmd("XRANGE").arg(&stream).arg(from).arg("+").arg("COUNT").arg(count);
    question.cmd("INFO").arg("replication");
    let mut connection = redis.pooled().await?;
    let replies = question.query_async(&mut connection).await;
    let [rows, replication]: [Value; 2] = replies.map_err(Error::of_call)?;
    match text(&replication).is_some_and(|told| is_master_of(replid, told)) {
        true => entries_in(&rows, shard),
        false => Err(Error::OtherGeneration),
    }
}

/// Reads `[[stream, [[id, [field, value, …]], …]], …]`; nil means that there are no entries.
fn entries_of(reply: &Value, streams: &[(Shard, String)]) -> Result<Vec<Entry>> {
    let malformed = || Error::Malformed("XREADGROUP");
    let mut entries = Vec::new();
    let shards = match reply {
        Value::Nil => return Ok(entries),
        Value::Array(shards) => shards,
        _ => return Err(malformed()),
    };
    for part in shards {
        let Value::Array(pair) = part else { return Err(malformed()) };
        let [name, rows] = pair.as_slice() else { return Err(malformed()) };
        let name = text(name).ok_or_else(malformed)?;
        let found = streams.iter().find(|(_, stream)| *stream == name);
        entries.extend(entries_in(rows, found.ok_or_else(malformed)?.0)?);
    }
    Ok(entries)
}

/// Reads `[[id, [field, value, …]], …]`.
fn entries_in(rows: &Value, shard: Shard) -> Result<Vec<Entry>> {
    let malformed = || Error::Malformed("entries");
    let Value::Array(rows) = rows else { return Err(malformed()) };
    let mut entries = Vec::with_capacity(rows.len());
    for row in rows {
        let Value::Array(row) = row else { return Err(malformed()) };
        let [id, fields] = row.as_slice() else { return Err(malformed()) };
        entries.push(entry(shard, text(id).ok_or_else(malformed)?, fields));
    }
    Ok(entries)
}

/// The entry with this id, from the reply to XRANGE.
pub(super) fn entry_of(shard: Shard, id: &str, rows: &Value) -> Entry {
    let fields = match rows {
        Value::Array(rows) => match rows.first() {
            Some(Value::Array(row)) => row.get(1),
            _ => None,
        },
        _ => None,
    };
    entry(shard, id, fields.unwrap_or(&Value::Nil))
}

fn entry(shard: Shard, id: &str, fields: &Value) -> Entry {
    let record = record_of(fields).map_err(|malformed| Undecodable {
        place: format!("{id} of shard {}", shard.number()),
        raw: raw(fields),
        malformed,
    });
    Entry { shard, id: id.to_owned(), record }
}

/// The bytes of an entry that cannot be decoded.
fn raw(fields: &Value) -> Vec<u8> {
    let Value::Array(fields) = fields else { return Vec::new() };
    let bytes = |value: &Value| match value {
        Value::BulkString(bytes) => bytes.clone(),
        other => text(other).unwrap_or_default().as_bytes().to_vec(),
    };
    match fields.as_slice() {
        [name, tickets] if text(name) == Some(FIELD) => bytes(tickets),
        others => others.iter().map(bytes).collect::<Vec<_>>().join(&b'\n'),
    }
}

/// An entry that was deleted while it was pending has no fields: it is malformed, as is an entry
/// with other fields.
fn record_of(fields: &Value) -> std::result::Result<Record, Malformed> {
    let Value::Array(fields) = fields else { return Err(Malformed(FIELD)) };
    match fields.as_slice() {
        [name, tickets] if text(name) == Some(FIELD) => {
            Record::decode(text(tickets).ok_or(Malformed(FIELD))?)
        }
        _ => Err(Malformed(FIELD)),
    }
}
