//! `lua/restock.lua`.

use std::sync::LazyLock;

use super::parts::{ACT, EMBARGO, GENERATION, STOCK, TERMS};
use super::{ActArgs, ActReply, act_call, run_act, script};
use crate::domain::limits::TOTAL_MAX;
use crate::redis::script::Script;
use crate::redis::{Redis, Result};

pub(super) static SCRIPT: LazyLock<Script> = LazyLock::new(|| {
    script(
        "restock",
        &[GENERATION, TERMS, STOCK, ACT, EMBARGO],
        include_str!("../../lua/restock.lua"),
    )
});

/// What to change.
#[derive(Debug, Clone, Copy)]
pub struct Args<'a> {
    pub act: ActArgs<'a>,
    /// Tickets to add; negative to take away.
    pub delta: i64,
}

/// The replies of every act; a refusal is `below_issued` or `total_too_large`.
pub type Reply = ActReply;

/// Adds stock or takes it away, but never tickets that are out (I1, I8).
///
/// # Errors
/// Those of any call. Repeating the same act is harmless.
pub async fn restock(redis: &Redis, args: &Args<'_>) -> Result<Reply> {
    let mut call = act_call(&SCRIPT, redis, &args.act);
    call.arg(args.delta).arg(TOTAL_MAX);
    run_act(redis, &SCRIPT, &call).await
}
