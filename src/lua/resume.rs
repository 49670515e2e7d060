//! `lua/resume.lua`.

use std::sync::LazyLock;

use super::{ActArgs, ActReply, act_call, run_act};
use crate::redis::script::Script;
use crate::redis::{Redis, Result};

pub(super) static SCRIPT: LazyLock<Script> =
    LazyLock::new(|| Script::new("resume", include_str!("../../lua/resume.lua")));

/// The arguments are those of every act.
pub type Args<'a> = ActArgs<'a>;
/// The replies are those of every act; refused with `already_closed`.
pub type Reply = ActReply;

/// Goes on issuing after a pause (I8).
///
/// # Errors
/// Those of any call. Repeating the same act is harmless.
pub async fn resume(redis: &Redis, args: &Args<'_>) -> Result<Reply> {
    let call = act_call(&SCRIPT, &[redis.keys().coupon(args.coupon_id)], args);
    run_act(redis, &SCRIPT, &call).await
}
