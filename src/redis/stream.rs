//! The records streams, read by a consumer group. Entries leave a stream by `acknowledge.lua` only:
//! it is never trimmed by length, because that drops undelivered records silently.

use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use ::redis::{Cmd, FromRedisValue, RedisError, Value, cmd};

use super::keys::GROUP;
use super::{Error, Redis, Result, text};
use crate::domain::coupon::Shard;
use crate::domain::record::{FIELDS, Malformed, Record};

/// An entry of a shard's stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The stream that it stands in.
    pub shard: Shard,
    /// Its id in the stream.
    pub id: String,
    /// The record, or what is wrong with it.
    pub record: std::result::Result<Record, Malformed>,
}

/// A reader of all shards' streams under one consumer name, with a connection of its own.
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

    /// New records of all shards, at most `count` of each; waits for the first one unless `block`
    /// is false. An empty list means that there are none.
    ///
    /// # Errors
    /// Those of any call. Records that were handed out in a reply that got lost are pending, and
    /// come again from [`Reader::pending`].
    pub async fn new_records(&mut self, count: usize, block: bool) -> Result<Vec<Entry>> {
        let mut read = cmd("XREADGROUP");
        read.arg("GROUP").arg(GROUP).arg(&self.consumer).arg("COUNT").arg(count);
        if block {
            read.arg("BLOCK").arg(self.block.as_millis().max(1) as u64);
        }
        self.read(&mut read, &vec![">"; Shard::all().count()]).await
    }

    /// This consumer's own pending records after the given id of each shard (`0` for all of them),
    /// at most `count` of each.
    ///
    /// # Errors
    /// Those of any call.
    pub async fn pending(&mut self, count: usize, after: &[String]) -> Result<Vec<Entry>> {
        let mut read = cmd("XREADGROUP");
        read.arg("GROUP").arg(GROUP).arg(&self.consumer).arg("COUNT").arg(count);
        let after: Vec<&str> = after.iter().map(String::as_str).collect();
        self.read(&mut read, &after).await
    }

    /// Takes over entries of any consumer of this shard that were idle for at least `idle`, at most
    /// `count`. They are this consumer's pending ones from now on.
    ///
    /// # Errors
    /// Those of any call.
    pub async fn take_over(&mut self, shard: Shard, idle: Duration, count: usize) -> Result<usize> {
        let mut claim = cmd("XAUTOCLAIM");
        claim
            .arg(self.redis.keys().records(shard))
            .arg(GROUP)
            .arg(&self.consumer)
            .arg(idle.as_millis() as u64)
            .arg("0-0")
            .arg("COUNT")
            .arg(count)
            .arg("JUSTID");
        let reply: Value = match self.query(&claim).await? {
            // Before the first preload there is nothing to take over.
            Err(error) if Error::is_missing_group(&error) => return Ok(0),
            replied => replied.map_err(Error::of_call)?,
        };
        let Value::Array(parts) = reply else { return Err(Error::Malformed("XAUTOCLAIM")) };
        match parts.get(1) {
            Some(Value::Array(ids)) => Ok(ids.len()),
            _ => Err(Error::Malformed("XAUTOCLAIM")),
        }
    }

    /// Makes the group of every shard where it is missing, from the beginning of the stream, so
    /// that nothing in it is skipped; what was persisted before is a replay (I9).
    async fn make_groups(&mut self) -> Result<()> {
        for shard in Shard::all() {
            let mut create = cmd("XGROUP");
            create.arg("CREATE").arg(self.redis.keys().records(shard)).arg(GROUP);
            create.arg("0").arg("MKSTREAM");
            let created: std::result::Result<Value, RedisError> = self.query(&create).await?;
            match created {
                Err(error) if error.code() != Some("BUSYGROUP") => {
                    return Err(Error::of_call(error));
                }
                _ => {}
            }
        }
        Ok(())
    }

    async fn read(&mut self, read: &mut Cmd, after: &[&str]) -> Result<Vec<Entry>> {
        let streams: Vec<String> =
            Shard::all().map(|shard| self.redis.keys().records(shard)).collect();
        read.arg("STREAMS").arg(&streams).arg(after);
        let reply = match self.query(read).await? {
            Err(error) if Error::is_missing_group(&error) => {
                self.make_groups().await?;
                self.query(read).await?.map_err(Error::of_call)?
            }
            replied => replied.map_err(Error::of_call)?,
        };
        entries_of(&reply, &streams)
    }

    /// Sends a command; forgets the connection when it failed, so that the next call makes one.
    async fn query<T: FromRedisValue>(
        &mut self,
        question: &Cmd,
    ) -> Result<std::result::Result<T, RedisError>> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            // Longer than BLOCK: a time-out would lose a reply whose records are pending by then.
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

/// Reads `[[stream, [[id, [field, value, …]], …]], …]`; nil when there is nothing.
fn entries_of(reply: &Value, streams: &[String]) -> Result<Vec<Entry>> {
    let malformed = || Error::Malformed("XREADGROUP");
    let mut entries = Vec::new();
    let shards = match reply {
        Value::Nil => return Ok(entries),
        Value::Array(shards) => shards,
        _ => return Err(malformed()),
    };
    for part in shards {
        let Value::Array(pair) = part else { return Err(malformed()) };
        let [name, Value::Array(rows)] = pair.as_slice() else { return Err(malformed()) };
        let name = text(name).ok_or_else(malformed)?;
        let shard = Shard::all().zip(streams).find(|(_, stream)| *stream == name);
        let (shard, _) = shard.ok_or_else(malformed)?;
        for row in rows {
            let Value::Array(row) = row else { return Err(malformed()) };
            let [id, fields] = row.as_slice() else { return Err(malformed()) };
            let id = text(id).ok_or_else(malformed)?.to_owned();
            entries.push(Entry { shard, id, record: record_of(fields) });
        }
    }
    Ok(entries)
}

/// An entry that was deleted while pending has no fields; it is as malformed as one with others.
fn record_of(fields: &Value) -> std::result::Result<Record, Malformed> {
    let Value::Array(fields) = fields else { return Err(Malformed("v")) };
    let mut values = [""; FIELDS.len()];
    if fields.len() != FIELDS.len() * 2 {
        return Err(Malformed("v"));
    }
    for (position, pair) in fields.chunks_exact(2).enumerate() {
        if text(&pair[0]) != Some(FIELDS[position]) {
            return Err(Malformed(FIELDS[position]));
        }
        values[position] = text(&pair[1]).ok_or(Malformed(FIELDS[position]))?;
    }
    Record::decode(values)
}
