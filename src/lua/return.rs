//! `lua/return.lua`.

use std::sync::LazyLock;

use super::parts::{ACT, EMBARGO, GENERATION, STOCK, TERMS};
use super::{ActArgs, ActReply, act_call, run_act, script};
use crate::domain::act::Return;
use crate::redis::script::Script;
use crate::redis::{Redis, Result};

pub(super) static SCRIPT: LazyLock<Script> = LazyLock::new(|| {
    script(
        "return",
        &[GENERATION, TERMS, STOCK, ACT, EMBARGO],
        include_str!("../../lua/return.lua"),
    )
});

/// What to change.
#[derive(Debug, Clone, Copy)]
pub struct Args<'a> {
    pub act: ActArgs<'a>,
    /// The cancelled tickets, 1..=500.
    pub returns: &'a [Return],
}

/// The replies of every act; this one is never refused.
pub type Reply = ActReply;

/// Returns the stock of cancelled tickets; their claims cannot be used again (I1, I2, I8).
///
/// # Errors
/// Those of any call. Repeating the same act is harmless.
pub async fn return_tickets(redis: &Redis, args: &Args<'_>) -> Result<Reply> {
    let mut call = act_call(&SCRIPT, redis, &args.act);
    for one in args.returns {
        call.arg(one.serial).arg(&one.holder);
    }
    run_act(redis, &SCRIPT, &call).await
}
