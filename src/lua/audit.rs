//! `lua/audit.lua`.

use std::collections::HashMap;
use std::sync::LazyLock;

use ::redis::{Cmd, Value};

use super::parts::STOCK;
use super::{number, script, text};
use crate::domain::act::Change;
use crate::domain::coupon::CouponId;
use crate::domain::time::UnixMs;
use crate::redis::keys::GROUP;
use crate::redis::script::Script;
use crate::redis::terms::{Stock, Terms};
use crate::redis::{Error, Redis, Result};

pub(super) static SCRIPT: LazyLock<Script> =
    LazyLock::new(|| script("audit", &[STOCK], include_str!("../../lua/audit.lua")));

/// The coupon to read.
pub type Args<'a> = &'a CouponId;

const MALFORMED: Error = Error::Malformed("audit");

/// What the script replies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    Balance(Box<Balance>),
    /// Redis does not have the coupon, or not all of it: it is being recovered.
    Unknown,
}

/// A coupon in Redis at one instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Balance {
    /// The time of Redis.
    pub now: UnixMs,
    /// `open`, `paused`, `closed` or `recovering`, as Redis has it.
    pub state: String,
    pub epoch: u32,
    pub version: u64,
    pub total: u64,
    /// Stock that may be taken at this instant.
    pub available: u64,
    /// Stock that is not issued: what is available and what is under an embargo.
    pub remaining: u64,
    /// Stock under an embargo; 0 once the embargo is over.
    pub embargoed: u64,
    /// Stock that nobody gets until it is released.
    pub withheld: u64,
    /// Tickets ever issued.
    pub issued: u64,
    /// Tickets whose stock was returned.
    pub returned: u64,
    pub last_serial: u64,
    /// Number of (user, claim) pairs that ever got a ticket.
    pub holders: u64,
    pub per_user_limit: u8,
    pub opens_at: Option<UnixMs>,
    pub closes_at: Option<UnixMs>,
    pub act_no: u64,
    pub act_token: String,
    /// The pause or close that was applied before its row was written, and has no row yet (P9 step
    /// 7). If both have none, the pause, because its row is written first.
    pub unwritten: Option<Change>,
    /// Records in the shard's stream.
    pub shard_records: u64,
    /// Records that a persister has read and not acknowledged.
    pub shard_pending: u64,
    /// Tickets in the shard's records.
    pub shard_unpersisted: u64,
}

/// Reads a coupon; writes nothing.
///
/// # Errors
/// Those of any call; [`Error::Malformed`] when the terms or the stock are damaged.
pub async fn audit(redis: &Redis, args: Args<'_>) -> Result<Reply> {
    let mut connection = redis.pooled().await?;
    parse(SCRIPT.run(&mut connection, &call(redis, args)).await?)
}

/// Reads each of these coupons, in one round trip for all of them; writes nothing.
///
/// # Errors
/// As [`audit`], if no coupon was read.
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
    let Value::Array(reply) = reply else { return Err(MALFORMED) };
    match (reply.first().and_then(text), reply.len()) {
        (Some("unknown"), 1) => Ok(Reply::Unknown),
        (Some("balance"), 9) => {
            let (hash, stock) = hash(&reply[3]).zip(text(&reply[4])).ok_or(MALFORMED)?;
            let terms = hash.get("terms").and_then(|terms| Terms::parse(terms)).ok_or(MALFORMED)?;
            if stock.is_empty() && terms.state == "recovering" {
                return Ok(Reply::Unknown);
            }
            let stock = Stock::parse(stock).ok_or(MALFORMED)?;
            let balance = balance(&reply, &hash, &terms, &stock).ok_or(MALFORMED)?;
            Ok(Reply::Balance(Box::new(balance)))
        }
        _ => Err(MALFORMED),
    }
}

fn hash(pairs: &Value) -> Option<HashMap<&str, &str>> {
    let Value::Array(pairs) = pairs else { return None };
    pairs.chunks_exact(2).map(|pair| Some((text(&pair[0])?, text(&pair[1])?))).collect()
}

fn balance(
    reply: &[Value],
    hash: &HashMap<&str, &str>,
    terms: &Terms<'_>,
    stock: &Stock,
) -> Option<Balance> {
    let size = |position: usize| number(&reply[position]).map(i64::unsigned_abs);
    let available = size(2)?;
    let unwritten = match hash.get("unwritten").copied().unwrap_or_default() {
        "" => None,
        "pause" | "pause close" => Some(Change::Pause),
        "close" => Some(Change::Close),
        _ => return None,
    };
    let remaining = stock.remaining + stock.embargoed;
    Some(Balance {
        now: UnixMs(number(&reply[1])?),
        state: terms.state.to_owned(),
        epoch: terms.epoch,
        version: terms.version,
        total: terms.total,
        available,
        remaining,
        embargoed: remaining.saturating_sub(available),
        withheld: hash.get("withheld").map_or(Some(0), |units| units.parse().ok())?,
        issued: stock.issued,
        returned: stock.returned,
        last_serial: stock.last_serial.0,
        holders: size(5)?,
        per_user_limit: terms.per_user_limit,
        opens_at: terms.opens_at,
        closes_at: terms.closes_at,
        act_no: hash.get("act_no")?.parse().ok()?,
        act_token: (*hash.get("act_token")?).to_owned(),
        unwritten,
        shard_records: size(6)?,
        shard_pending: size(7)?,
        shard_unpersisted: size(8)?,
    })
}
