//! `lua/close.lua`.

use std::sync::LazyLock;

use super::{ActArgs, ActReply, act_call, first_call, run_act};
use crate::domain::coupon::CouponId;
use crate::redis::script::Script;
use crate::redis::{Redis, Result};

pub(super) static SCRIPT: LazyLock<Script> =
    LazyLock::new(|| Script::new("close", include_str!("../../lua/close.lua")));

/// The arguments are those of every act.
pub type Args<'a> = ActArgs<'a>;
/// The replies are those of every act; never refused.
pub type Reply = ActReply;

/// Ends issuing for good; holders are still answered (I8).
///
/// # Errors
/// Those of any call. Repeating the same act is harmless.
pub async fn close(redis: &Redis, args: &Args<'_>) -> Result<Reply> {
    let call = act_call(&SCRIPT, &[redis.keys().coupon(args.coupon_id)], args);
    run_act(redis, &SCRIPT, &call).await
}

/// Ends issuing for good before the act has a row: what a database that is away, hangs or has
/// diverged cannot hold up, and no unproven life of Redis (P9 step 7).
///
/// # Errors
/// Those of any call. Repeating it is harmless.
pub async fn close_first(redis: &Redis, coupon_id: &CouponId) -> Result<Reply> {
    run_act(redis, &SCRIPT, &first_call(&SCRIPT, redis, coupon_id)).await
}
