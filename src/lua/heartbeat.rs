//! `lua/heartbeat.lua`.

use std::sync::LazyLock;

use ::redis::Value;

use super::parts::GENERATION;
use super::{number, script, text};
use crate::redis::generation::Accepted;
use crate::redis::script::Script;
use crate::redis::{Error, Redis, Result};

pub(super) static SCRIPT: LazyLock<Script> =
    LazyLock::new(|| script("heartbeat", &[GENERATION], include_str!("../../lua/heartbeat.lua")));

/// What to count.
#[derive(Debug, Clone, Copy)]
pub struct Args<'a> {
    pub generation: &'a Accepted,
    /// The greatest count of this generation that the caller knows.
    pub at_least: u64,
}

/// What the script replies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply {
    /// `beat`: the new count.
    Beat(u64),
    /// `behind`: the count in Redis is this, less than the caller knows; nothing was written.
    Behind(u64),
    /// Redis has another generation; nothing was written.
    OtherGeneration,
    /// Redis belongs to another installation; nothing was written.
    OtherInstallation,
}

/// Counts one more heartbeat of this generation, and names the installation (P2 step 8).
///
/// # Errors
/// Those of any call.
pub async fn heartbeat(redis: &Redis, args: Args<'_>) -> Result<Reply> {
    let mut call = SCRIPT.call(&[redis.keys().heartbeat(), redis.keys().installation()]);
    call.arg(&args.generation.replid).arg(args.at_least).arg(&args.generation.installation_id);
    let mut connection = redis.pooled().await?;
    let Value::Array(reply) = SCRIPT.run(&mut connection, &call).await? else {
        return Err(Error::Malformed("heartbeat"));
    };
    match (reply.first().and_then(text), reply.get(1).and_then(number)) {
        (Some("beat"), Some(count)) => Ok(Reply::Beat(count.unsigned_abs())),
        (Some("behind"), Some(count)) => Ok(Reply::Behind(count.unsigned_abs())),
        (Some("other_generation"), None) => Ok(Reply::OtherGeneration),
        (Some("other_installation"), None) => Ok(Reply::OtherInstallation),
        _ => Err(Error::Malformed("heartbeat")),
    }
}
