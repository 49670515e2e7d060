//! `lua/audit.lua`.

use std::collections::HashMap;
use std::sync::LazyLock;

use ::redis::{Cmd, Value};

use super::{number, text};
use crate::domain::act::Change;
use crate::domain::coupon::CouponId;
use crate::domain::time::UnixMs;
use crate::redis::keys::GROUP;
use crate::redis::script::Script;
use crate::redis::{Error, Redis, Result};

pub(super) static SCRIPT: LazyLock<Script> =
    LazyLock::new(|| Script::new("audit", include_str!("../../lua/audit.lua")));

/// The coupon that is looked at.
pub type Args<'a> = &'a CouponId;

/// What the script replies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// Everything at one instant.
    Balance(Box<Balance>),
    /// Redis does not have the coupon.
    Unknown,
}

/// A coupon in Redis at one instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Balance {
    /// The time of Redis.
    pub now: UnixMs,
    /// `open`, `paused`, `closed` or `recovering`, as the hash holds it.
    pub state: String,
    /// Its epoch.
    pub epoch: u32,
    /// Its version.
    pub version: u64,
    /// Its tickets in all.
    pub total: u64,
    /// Stock that may be taken at this instant.
    pub available: u64,
    /// Stock that nobody has: what is available and what is still held back.
    pub remaining: u64,
    /// Stock that came back and is held back, 0 once its time is over.
    pub held: u64,
    /// Tickets ever issued.
    pub issued: u64,
    /// Tickets whose stock went back.
    pub returned: u64,
    /// The last serial.
    pub last_serial: u64,
    /// (user, claim) pairs that ever got a ticket.
    pub holders: u64,
    /// Tickets that one user may hold.
    pub per_user_limit: u8,
    /// First instant of issuing.
    pub opens_at: Option<UnixMs>,
    /// First instant after issuing.
    pub closes_at: Option<UnixMs>,
    /// The number of the last act.
    pub act_no: u64,
    /// Its token.
    pub act_token: String,
    /// The pause or close that came before its row and has none yet (P9 step 7); of both, the
    /// pause, whose row comes first.
    pub unwritten: Option<Change>,
    /// Records in the shard's stream.
    pub shard_records: u64,
    /// Those of them that a persister holds.
    pub shard_pending: u64,
    /// Tickets in them.
    pub shard_unpersisted: u64,
}

/// Looks at a coupon; writes nothing.
///
/// # Errors
/// Those of any call; [`Error::Malformed`] when the hash lacks a field.
pub async fn audit(redis: &Redis, args: Args<'_>) -> Result<Reply> {
    let mut connection = redis.pooled().await?;
    parse(SCRIPT.run(&mut connection, &call(redis, args)).await?)
}

/// Looks at each of these coupons, in one trip for all of them; writes nothing.
///
/// # Errors
/// As [`audit`], when none was looked at.
pub async fn audit_all(redis: &Redis, coupons: &[Args<'_>]) -> Result<Vec<Result<Reply>>> {
    let calls: Vec<Cmd> = coupons.iter().map(|id| call(redis, id)).collect();
    let mut connection = redis.pooled().await?;
    let replies = SCRIPT.run_all(&mut connection, &calls).await?;
    Ok(replies.into_iter().map(|reply| parse(reply?)).collect())
}

fn call(redis: &Redis, id: &CouponId) -> Cmd {
    let mut call = SCRIPT.call(&redis.keys().of_coupon(id));
    call.arg(GROUP);
    call
}

fn parse(reply: Value) -> Result<Reply> {
    let Value::Array(reply) = reply else { return Err(Error::Malformed("audit")) };
    match (reply.first().and_then(text), reply.len()) {
        (Some("unknown"), 1) => Ok(Reply::Unknown),
        (Some("balance"), 8) => {
            balance(&reply).map(Box::new).map(Reply::Balance).ok_or(Error::Malformed("audit"))
        }
        _ => Err(Error::Malformed("audit")),
    }
}

fn balance(reply: &[Value]) -> Option<Balance> {
    let Value::Array(pairs) = &reply[3] else { return None };
    let hash: HashMap<&str, &str> = pairs
        .chunks_exact(2)
        .map(|pair| Some((text(&pair[0])?, text(&pair[1])?)))
        .collect::<Option<_>>()?;
    let count = |name: &str| hash.get(name)?.parse::<u64>().ok();
    let instant = |name: &str| match *hash.get(name)? {
        "" => Some(None),
        ms => Some(Some(UnixMs(ms.parse().ok()?))),
    };
    let size = |position: usize| number(&reply[position]).map(i64::unsigned_abs);
    let available = size(2)?;
    let unwritten = match hash.get("unwritten").copied().unwrap_or_default() {
        "" => None,
        "pause" | "pause close" => Some(Change::Pause),
        "close" => Some(Change::Close),
        _ => return None,
    };
    let remaining = count("remaining")? + count("held")?;
    Some(Balance {
        now: UnixMs(number(&reply[1])?),
        state: (*hash.get("state")?).to_owned(),
        epoch: hash.get("epoch")?.parse().ok()?,
        version: count("version")?,
        total: count("total")?,
        available,
        remaining,
        held: remaining.saturating_sub(available),
        issued: count("issued")?,
        returned: count("returned")?,
        last_serial: count("last_serial")?,
        holders: size(4)?,
        per_user_limit: hash.get("per_user_limit")?.parse().ok()?,
        opens_at: instant("opens_at_ms")?,
        closes_at: instant("closes_at_ms")?,
        act_no: count("act_no")?,
        act_token: (*hash.get("act_token")?).to_owned(),
        unwritten,
        shard_records: size(5)?,
        shard_pending: size(6)?,
        shard_unpersisted: size(7)?,
    })
}
