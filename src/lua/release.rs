//! `lua/release.lua`.

use std::sync::LazyLock;

use super::parts::{ACT, EMBARGO, GENERATION, STOCK, TERMS};
use super::{ActArgs, ActReply, act_call, run_act, script};
use crate::redis::script::Script;
use crate::redis::{Redis, Result};

pub(super) static SCRIPT: LazyLock<Script> = LazyLock::new(|| {
    let parts = [GENERATION, TERMS, STOCK, ACT, EMBARGO];
    script("release", &parts, include_str!("../../lua/release.lua"))
});

/// The arguments of every act.
pub type Args<'a> = ActArgs<'a>;
/// The replies of every act; it is never refused.
pub type Reply = ActReply;

/// Releases the stock that a recovery withheld (I1, I8); without any it changes nothing.
///
/// # Errors
/// Those of any call. Repeating the same act is harmless.
pub async fn release(redis: &Redis, args: Args<'_>) -> Result<Reply> {
    run_act(redis, &SCRIPT, &act_call(&SCRIPT, redis, &args)).await
}
