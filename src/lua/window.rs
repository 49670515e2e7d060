//! `lua/window.lua`.

use std::sync::LazyLock;

use super::parts::{ACT, GENERATION, STOCK, TERMS};
use super::{ActArgs, ActReply, act_call, ms_or_empty, run_act, script};
use crate::redis::script::Script;
use crate::redis::{Redis, Result};

pub(super) static SCRIPT: LazyLock<Script> = LazyLock::new(|| {
    script("window", &[GENERATION, TERMS, STOCK, ACT], include_str!("../../lua/window.lua"))
});

/// What to change.
#[derive(Debug, Clone, Copy)]
pub struct Args<'a> {
    pub act: ActArgs<'a>,
    pub opens_at_ms: Option<i64>,
    pub closes_at_ms: Option<i64>,
    /// New limit, 1..=100.
    pub per_user_limit: u8,
}

/// The replies of every act; a refusal is `already_closed`.
pub type Reply = ActReply;

/// Moves the window, or the limit per user (I2, I8).
///
/// # Errors
/// Those of any call. Repeating the same act is harmless.
pub async fn window(redis: &Redis, args: &Args<'_>) -> Result<Reply> {
    let mut call = act_call(&SCRIPT, redis, &args.act);
    call.arg(ms_or_empty(args.opens_at_ms)).arg(ms_or_empty(args.closes_at_ms));
    call.arg(args.per_user_limit);
    run_act(redis, &SCRIPT, &call).await
}
