//! `lua/turn.lua`.

use std::sync::LazyLock;

use ::redis::Value;

use super::parts::GENERATION;
use super::{number, script, text};
use crate::domain::limits::TURN_LEASE;
use crate::redis::generation::Accepted;
use crate::redis::script::Script;
use crate::redis::{Error, Redis, Result};

pub(super) static SCRIPT: LazyLock<Script> =
    LazyLock::new(|| script("turn", &[GENERATION], include_str!("../../lua/turn.lua")));

/// What to do with the caller's place among the servers that wait for the turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Keep it, or take the last place if there is none.
    Ask,
    /// Move to the last place: the others come first.
    Pass,
    /// Give it up.
    Leave,
}

/// Who asks.
#[derive(Debug, Clone, Copy)]
pub struct Args<'a> {
    /// The generation in which the script may write.
    pub accepted: &'a Accepted,
    /// The name of this process among those that wait, `[0-9a-z]+`; each process has its own.
    pub token: &'a str,
    pub step: Step,
}

/// What the script replies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply {
    /// The caller has the turn. It ends by itself after [`TURN_LEASE`] of silence.
    Turn,
    /// This many servers come first.
    Wait(u32),
    /// The place was given up.
    Left,
    /// Redis has another generation; nothing was written.
    OtherGeneration,
}

/// Asks for the turn to read the holders of sold-out coupons (P1 step 11).
///
/// # Errors
/// Those of any call. Repeating it is harmless.
pub async fn turn(redis: &Redis, args: &Args<'_>) -> Result<Reply> {
    let step = match args.step {
        Step::Ask => "ask",
        Step::Pass => "pass",
        Step::Leave => "leave",
    };
    let mut call = SCRIPT.call(&[redis.keys().readers()]);
    call.arg(&args.accepted.replid).arg(args.token).arg(step);
    call.arg(TURN_LEASE.as_millis() as u64);
    let mut connection = redis.pooled().await?;
    let Value::Array(reply) = SCRIPT.run(&mut connection, &call).await? else {
        return Err(Error::Malformed("turn"));
    };
    match (reply.first().and_then(text), reply.get(1).and_then(number)) {
        (Some("turn"), None) => Ok(Reply::Turn),
        (Some("wait"), Some(before)) => {
            u32::try_from(before).map(Reply::Wait).map_err(|_| Error::Malformed("turn"))
        }
        (Some("left"), None) => Ok(Reply::Left),
        (Some("other_generation"), None) => Ok(Reply::OtherGeneration),
        _ => Err(Error::Malformed("turn")),
    }
}
