//! `lua/reopen.lua`.

use std::sync::LazyLock;

use ::redis::Value;

use super::parts::{GENERATION, STOCK, TERMS};
use super::{number, script, text};
use crate::domain::act::ActResult;
use crate::domain::coupon::CouponId;
use crate::domain::ticket::Serial;
use crate::redis::script::Script;
use crate::redis::{Error, Redis, Result};

pub(super) static SCRIPT: LazyLock<Script> = LazyLock::new(|| {
    script("reopen", &[GENERATION, TERMS, STOCK], include_str!("../../lua/reopen.lua"))
});

/// What a coupon has after its recovery.
#[derive(Debug, Clone, Copy)]
pub struct Args<'a> {
    /// `master_replid` of the accepted generation.
    pub replid: &'a str,
    /// The epoch of the recovery.
    pub epoch: u32,
    pub coupon_id: &'a CouponId,
    pub terms: &'a str,
    /// How many held tickets were put in.
    pub held: u64,
    pub remaining: u64,
    /// The next serial is one greater.
    pub last_serial: Serial,
    pub issued: u64,
    pub returned: u64,
    pub act_no: u64,
    pub act_token: &'a str,
    pub act_result: &'a ActResult,
    /// Stock that nobody gets until it is released.
    pub withheld: u64,
}

/// What the script replies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply {
    /// Tickets are issued again, if the state of the coupon allows it.
    Reopened,
    /// Redis has this other number of holders; nothing was written.
    Differs(u64),
    /// The coupon is not in this recovery; nothing was written.
    Fenced,
    /// Redis has another generation; nothing was written.
    OtherGeneration,
}

/// Ends the recovery of a coupon.
///
/// # Errors
/// Those of any call. After a lost reply the coupon may be open.
pub async fn reopen(redis: &Redis, args: &Args<'_>) -> Result<Reply> {
    let mut call = SCRIPT.call(&redis.keys().of_act(args.coupon_id));
    call.arg(args.replid).arg(args.epoch).arg(args.terms).arg(args.held).arg(args.remaining);
    call.arg(args.last_serial.0).arg(args.issued).arg(args.returned).arg(args.act_no);
    call.arg(args.act_token).arg(args.act_result.to_string()).arg(args.withheld);
    let mut connection = redis.pooled().await?;
    let reply = SCRIPT.run(&mut connection, &call).await?;
    parse(&reply).ok_or(Error::Malformed("reopen"))
}

fn parse(reply: &Value) -> Option<Reply> {
    let Value::Array(parts) = reply else { return None };
    match (text(parts.first()?)?, &parts[1..]) {
        ("reopened", []) => Some(Reply::Reopened),
        ("differs", [held]) => Some(Reply::Differs(number(held)?.unsigned_abs())),
        ("fenced", []) => Some(Reply::Fenced),
        ("other_generation", []) => Some(Reply::OtherGeneration),
        _ => None,
    }
}
