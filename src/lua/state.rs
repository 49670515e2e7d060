//! `lua/state.lua`.

use std::sync::LazyLock;

use super::parts::{ACT, GENERATION, STOCK, TERMS};
use super::{ActArgs, ActReply, act_call, run_act, script};
use crate::domain::coupon::CouponId;
use crate::redis::script::Script;
use crate::redis::{Redis, Result};

pub(super) static SCRIPT: LazyLock<Script> = LazyLock::new(|| {
    let parts = [GENERATION, TERMS, STOCK, ACT];
    script("state", &parts, include_str!("../../lua/state.lua"))
});

/// How to change the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StateChange {
    Pause,
    Resume,
    /// End issuing; this cannot be undone.
    Close,
}

impl StateChange {
    fn word(self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Close => "close",
        }
    }
}

/// The arguments of every act.
pub type Args<'a> = ActArgs<'a>;
/// The replies of every act; a refusal is `already_closed` or `superseded`.
pub type Reply = ActReply;

/// Pauses, resumes or closes; holders still get their tickets as an answer (I8). If the coupon is
/// in the wanted state already, its version does not change.
///
/// # Errors
/// Those of any call. Repeating the same act is harmless.
pub async fn change_state(redis: &Redis, args: Args<'_>, change: StateChange) -> Result<Reply> {
    let mut call = act_call(&SCRIPT, redis, &args);
    call.arg(change.word());
    run_act(redis, &SCRIPT, &call).await
}

/// Pauses or closes before the act has a row, so that neither a database that is away, hangs or has
/// diverged nor an unproven life of Redis can delay it (P9 step 7).
///
/// # Errors
/// Those of any call. Repeating it is harmless.
pub async fn change_state_first(
    redis: &Redis,
    coupon_id: &CouponId,
    change: StateChange,
) -> Result<Reply> {
    let mut call = SCRIPT.call(&redis.keys().of_act(coupon_id));
    // Without a generation, an epoch, a number and a token.
    call.arg(&["", "", "", "", change.word()]);
    run_act(redis, &SCRIPT, &call).await
}
