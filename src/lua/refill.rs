//! `lua/refill.lua`.

use std::sync::LazyLock;

use super::parts::{GENERATION, TERMS};
use super::{script, text};
use crate::domain::coupon::CouponId;
use crate::redis::script::Script;
use crate::redis::{Error, Redis, Result};

pub(super) static SCRIPT: LazyLock<Script> =
    LazyLock::new(|| script("refill", &[GENERATION, TERMS], include_str!("../../lua/refill.lua")));

/// A page of held tickets.
#[derive(Debug, Clone, Copy)]
pub struct Args<'a> {
    /// `master_replid` of the accepted generation.
    pub replid: &'a str,
    /// The epoch of the recovery.
    pub epoch: u32,
    pub coupon_id: &'a CouponId,
    /// Whether this page replaces all holders.
    pub is_first: bool,
    /// Holder fields and their held tickets.
    pub page: &'a [(String, String)],
}

/// What the script replies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply {
    /// The page is in Redis.
    Refilled,
    /// The coupon is not in this recovery; nothing was written.
    Fenced,
    /// Redis has another generation; nothing was written.
    OtherGeneration,
}

/// Puts a page of held tickets into a coupon that is being recovered.
///
/// # Errors
/// Those of any call. Repeating it is harmless.
pub async fn refill(redis: &Redis, args: &Args<'_>) -> Result<Reply> {
    let mut call = SCRIPT.call(&redis.keys().of_act(args.coupon_id));
    call.arg(args.replid).arg(args.epoch).arg(u8::from(args.is_first));
    for (holder, held) in args.page {
        call.arg(holder).arg(held);
    }
    let mut connection = redis.pooled().await?;
    match text(&SCRIPT.run(&mut connection, &call).await?) {
        Some("refilled") => Ok(Reply::Refilled),
        Some("fenced") => Ok(Reply::Fenced),
        Some("other_generation") => Ok(Reply::OtherGeneration),
        _ => Err(Error::Malformed("refill")),
    }
}
