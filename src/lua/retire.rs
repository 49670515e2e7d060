//! `lua/retire.lua`.

use std::sync::LazyLock;

use ::redis::Value;

use super::parts::GENERATION;
use super::{script, text};
use crate::domain::coupon::Shard;
use crate::redis::generation::Accepted;
use crate::redis::keys::GROUP;
use crate::redis::script::Script;
use crate::redis::{Error, Redis, Result};

pub(super) static SCRIPT: LazyLock<Script> =
    LazyLock::new(|| script("retire", &[GENERATION], include_str!("../../lua/retire.lua")));

/// Which consumer to delete.
#[derive(Debug, Clone, Copy)]
pub struct Args<'a> {
    /// The generation in which the consumer read.
    pub accepted: &'a Accepted,
    /// The shard of the group.
    pub shard: Shard,
    pub consumer: &'a str,
}

/// What the script replies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply {
    /// It is no longer a consumer of the group.
    Retired,
    /// It has pending records and stays, until others take them over.
    Busy,
    /// Redis has another generation; nothing was written.
    OtherGeneration,
}

/// Deletes a consumer from a shard's group, unless it still has pending records (I3).
///
/// # Errors
/// Those of any call. Repeating it is harmless.
pub async fn retire(redis: &Redis, args: &Args<'_>) -> Result<Reply> {
    let mut call = SCRIPT.call(&[redis.keys().records(args.shard)]);
    call.arg(&args.accepted.replid).arg(GROUP).arg(args.consumer);
    let mut connection = redis.pooled().await?;
    let Value::Array(reply) = SCRIPT.run(&mut connection, &call).await? else {
        return Err(Error::Malformed("retire"));
    };
    match reply.first().and_then(text) {
        Some("retired") => Ok(Reply::Retired),
        Some("busy") => Ok(Reply::Busy),
        Some("other_generation") => Ok(Reply::OtherGeneration),
        _ => Err(Error::Malformed("retire")),
    }
}
