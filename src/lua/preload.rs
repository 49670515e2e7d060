//! `lua/preload.lua`.

use std::sync::LazyLock;

use super::parts::{GENERATION, STOCK, TERMS};
use super::{ActReply, ms_or_empty, run_act, script};
use crate::domain::coupon::Definition;
use crate::redis::generation::Accepted;
use crate::redis::keys::GROUP;
use crate::redis::script::Script;
use crate::redis::{Redis, Result};

pub(super) static SCRIPT: LazyLock<Script> = LazyLock::new(|| {
    script("preload", &[GENERATION, TERMS, STOCK], include_str!("../../lua/preload.lua"))
});

/// What to put into Redis.
#[derive(Debug, Clone, Copy)]
pub struct Args<'a> {
    /// The generation and the epoch in which the script may write.
    pub accepted: &'a Accepted,
    pub definition: &'a Definition,
    /// The key that its codes and receipts are made with.
    pub key_id: &'a str,
    /// The version that the coupon gets: one more than the draft's.
    pub version: u64,
    /// The token of its act (`Act::token`).
    pub token: &'a str,
    /// The stock version that the coupon begins with, 1..=2^52. It is greater than that of any
    /// earlier coupon with this id, because servers may remember the holders of that one (I10).
    pub stock_version: u64,
}

/// The replies of every act; this one is never refused, and the coupon never unknown.
pub type Reply = ActReply;

/// Puts a coupon into Redis, with all its stock and every key that issuing needs (I1).
///
/// # Errors
/// Those of any call. Repeating it is harmless.
pub async fn preload(redis: &Redis, args: &Args<'_>) -> Result<Reply> {
    let definition = args.definition;
    let mut call = SCRIPT.call(&redis.keys().of_coupon(&definition.id));
    call.arg(&args.accepted.replid)
        .arg(args.accepted.epoch)
        .arg(definition.id.as_str())
        .arg(definition.total)
        .arg(definition.per_user_limit)
        .arg(ms_or_empty(definition.opens_at.map(|at| at.0)))
        .arg(ms_or_empty(definition.closes_at.map(|at| at.0)))
        .arg(definition.valid_for.map(|d| d.as_ms().to_string()).unwrap_or_default())
        .arg(args.key_id)
        .arg(GROUP)
        .arg(args.version)
        .arg(args.token)
        .arg(args.stock_version);
    run_act(redis, &SCRIPT, &call).await
}
