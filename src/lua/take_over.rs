//! `lua/take_over.lua`.

use std::sync::LazyLock;
use std::time::Duration;

use ::redis::Value;

use super::parts::GENERATION;
use super::{number, script, text};
use crate::domain::coupon::Shard;
use crate::redis::generation::Accepted;
use crate::redis::keys::GROUP;
use crate::redis::script::Script;
use crate::redis::{Error, Redis, Result};

pub(super) static SCRIPT: LazyLock<Script> =
    LazyLock::new(|| script("take_over", &[GENERATION], include_str!("../../lua/take_over.lua")));

/// Who takes over, and from whom.
#[derive(Debug, Clone, Copy)]
pub struct Args<'a> {
    /// The generation in which the consumer reads.
    pub accepted: &'a Accepted,
    /// The shard whose group it is in.
    pub shard: Shard,
    pub consumer: &'a str,
    /// The records of a consumer that was silent for this long are taken over.
    pub silent: Duration,
    /// A consumer that was silent for this long and has no pending records is deleted.
    pub gone: Duration,
    /// Records to take over at most, 0..=512.
    pub records_max: usize,
    /// Whether the consumer has just started, so that its own pending records are those of a
    /// process that died.
    pub is_start: bool,
}

/// What the script replies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply {
    /// This many records were taken over; they are pending for this consumer now.
    Taken(u64),
    /// There is no stream: no coupon of the shard was ever preloaded.
    Absent,
    /// Redis has another generation; nothing was written.
    OtherGeneration,
}

/// Shows that the consumer is active, and takes over records of silent ones (I3, I9, P5 step 1).
///
/// # Errors
/// Those of any call. Repeating it is harmless.
pub async fn take_over(redis: &Redis, args: &Args<'_>) -> Result<Reply> {
    let mut call = SCRIPT.call(&[redis.keys().records(args.shard)]);
    call.arg(&args.accepted.replid).arg(GROUP).arg(args.consumer);
    call.arg(args.silent.as_millis() as u64).arg(args.gone.as_millis() as u64);
    call.arg(args.records_max).arg(u8::from(args.is_start));
    let mut connection = redis.pooled().await?;
    let Value::Array(reply) = SCRIPT.run(&mut connection, &call).await? else {
        return Err(Error::Malformed("take_over"));
    };
    match (reply.first().and_then(text), reply.get(1).and_then(number)) {
        (Some("taken"), Some(records)) => Ok(Reply::Taken(records.unsigned_abs())),
        (Some("absent"), None) => Ok(Reply::Absent),
        (Some("other_generation"), None) => Ok(Reply::OtherGeneration),
        _ => Err(Error::Malformed("take_over")),
    }
}
