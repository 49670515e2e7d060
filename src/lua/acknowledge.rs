//! `lua/acknowledge.lua`.

use std::sync::LazyLock;

use ::redis::Value;

use super::parts::GENERATION;
use super::{number, script, text};
use crate::domain::coupon::Shard;
use crate::redis::generation::Accepted;
use crate::redis::keys::GROUP;
use crate::redis::script::Script;
use crate::redis::{Error, Redis, Result};

pub(super) static SCRIPT: LazyLock<Script> = LazyLock::new(|| {
    script("acknowledge", &[GENERATION], include_str!("../../lua/acknowledge.lua"))
});

/// Entries of one call; more would block Redis for too long.
pub const RECORDS_MAX: usize = 512;

/// Which records to delete.
#[derive(Debug, Clone, Copy)]
pub struct Args<'a> {
    /// The generation in which the records were read.
    pub accepted: &'a Accepted,
    /// The shard of their stream.
    pub shard: Shard,
    /// Entry ids with their number of tickets, at most [`RECORDS_MAX`].
    pub records: &'a [(String, usize)],
}

/// What the script replies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply {
    /// `acknowledged`: the number of tickets of entries that were not acknowledged before.
    Acknowledged(u64),
    /// Redis has another generation than when the records were read; nothing was written.
    OtherGeneration,
}

/// Deletes records whose tickets are rows in the database (I3, P5 step 6).
///
/// # Errors
/// Those of any call. Repeating it is harmless.
pub async fn acknowledge(redis: &Redis, args: &Args<'_>) -> Result<Reply> {
    let keys = [redis.keys().records(args.shard), redis.keys().unpersisted(args.shard)];
    let mut call = SCRIPT.call(&keys);
    call.arg(&args.accepted.replid).arg(GROUP);
    for (id, tickets) in args.records {
        call.arg(id).arg(tickets);
    }
    let mut connection = redis.pooled().await?;
    let Value::Array(reply) = SCRIPT.run(&mut connection, &call).await? else {
        return Err(Error::Malformed("acknowledge"));
    };
    match (reply.first().and_then(text), reply.get(1).and_then(number)) {
        (Some("acknowledged"), Some(tickets)) => Ok(Reply::Acknowledged(tickets.unsigned_abs())),
        (Some("other_generation"), None) => Ok(Reply::OtherGeneration),
        _ => Err(Error::Malformed("acknowledge")),
    }
}
