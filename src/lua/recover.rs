//! `lua/recover.lua`.

use std::sync::LazyLock;

use ::redis::Value;

use super::parts::{GENERATION, TERMS};
use super::{number, script, text};
use crate::domain::coupon::CouponId;
use crate::redis::keys::GROUP;
use crate::redis::script::Script;
use crate::redis::{Error, Redis, Result};

pub(super) static SCRIPT: LazyLock<Script> = LazyLock::new(|| {
    script("recover", &[GENERATION, TERMS], include_str!("../../lua/recover.lua"))
});

/// Which coupon to stop.
#[derive(Debug, Clone, Copy)]
pub struct Args<'a> {
    /// `master_replid` of the data; the life may be one that is not accepted yet.
    pub replid: &'a str,
    /// The epoch of the recovery.
    pub epoch: u32,
    pub coupon_id: &'a CouponId,
    /// The terms that it gets if it has none.
    pub terms: &'a str,
}

/// What the script replies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// The coupon is `recovering`.
    Stopped(Stopped),
    /// A recoverer with this greater epoch went on; nothing was written.
    Fenced(u32),
    /// Redis has another generation; nothing was written.
    OtherGeneration,
}

/// What a coupon had when it was stopped.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stopped {
    /// 0 when it is not known.
    pub version: u64,
    /// 0 when it is not known.
    pub stock_version: u64,
    /// The mark of a pause or close without a row: `pause`, `close`, `pause close` or empty.
    pub unwritten: String,
}

/// Stops a coupon for its recovery.
///
/// # Errors
/// Those of any call. Repeating it is harmless.
pub async fn recover(redis: &Redis, args: &Args<'_>) -> Result<Reply> {
    let [coupon, _, records, unpersisted] = redis.keys().of_coupon(args.coupon_id);
    let mut call = SCRIPT.call(&[coupon, records, unpersisted]);
    call.arg(args.replid).arg(args.epoch).arg(args.terms).arg(GROUP);
    let mut connection = redis.pooled().await?;
    let reply = SCRIPT.run(&mut connection, &call).await?;
    parse(&reply).ok_or(Error::Malformed("recover"))
}

fn parse(reply: &Value) -> Option<Reply> {
    let Value::Array(parts) = reply else { return None };
    let count = |part| number(part).and_then(|number| u64::try_from(number).ok());
    match (text(parts.first()?)?, &parts[1..]) {
        ("stopped", [version, stock_version, unwritten]) => Some(Reply::Stopped(Stopped {
            version: count(version)?,
            stock_version: count(stock_version)?,
            unwritten: text(unwritten)?.to_owned(),
        })),
        ("fenced", [epoch]) => Some(Reply::Fenced(u32::try_from(count(epoch)?).ok()?)),
        ("other_generation", []) => Some(Reply::OtherGeneration),
        _ => None,
    }
}
