//! Held tickets of one user, the last serial of a coupon, and the coupons that Redis has.

use std::fmt::{self, Write as _};

use ::redis::{Value, cmd, pipe};

use super::generation::is_master_of;
use super::terms::Stock;
use super::{Error, Redis, Result, text};
use crate::domain::coupon::CouponId;
use crate::domain::limits::PAGE_MAX_ROWS;
use crate::domain::ticket::Serial;
use crate::domain::time::UnixMs;
use crate::domain::user::{Claim, UserId, holder_field};

/// A held ticket, a value of the holders hash: `<serial>:<time>[:<epoch>]`, with `x` before it once
/// the ticket is cancelled. The time is in seven digits of base 64, the characters from `;` to `z`.
/// `issue.lua` writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeldTicket {
    pub serial: Serial,
    pub issued_at: UnixMs,
    pub epoch: u32,
    /// Whether its stock was returned.
    pub is_cancelled: bool,
}

impl HeldTicket {
    /// Reads a value of the holders hash.
    pub fn parse(text: &str) -> Option<Self> {
        let (is_cancelled, text) = match text.strip_prefix('x') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let mut parts = text.split(':');
        let serial = Serial::parse(parts.next()?)?;
        let issued_at = time_of(parts.next()?)?;
        let epoch = parts.next().map_or(Some(1), |number| number.parse().ok())?;
        parts.next().is_none().then_some(Self { serial, issued_at, epoch, is_cancelled })
    }
}

impl fmt::Display for HeldTicket {
    /// The value of the holders hash.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_cancelled {
            out.write_char('x')?;
        }
        write!(out, "{}:", self.serial.0)?;
        for place in (0..7).rev() {
            let digit = self.issued_at.0.unsigned_abs() >> (6 * place) & 63;
            out.write_char(char::from(b';' + digit as u8))?;
        }
        match self.epoch {
            1 => Ok(()),
            epoch => write!(out, ":{epoch}"),
        }
    }
}

fn time_of(digits: &str) -> Option<UnixMs> {
    let digit = |sign: u8| (b';'..=b'z').contains(&sign).then(|| i64::from(sign - b';'));
    let add = |ms: i64, sign: u8| Some(ms * 64 + digit(sign)?);
    let ms = digits.bytes().try_fold(0, add);
    ms.filter(|_| digits.len() == 7).map(UnixMs)
}

/// The tickets that these (user, claim) pairs have of a coupon; `None` for one without a ticket.
///
/// # Errors
/// Those of any call; [`Error::Malformed`] for a value that no script wrote.
pub async fn held_tickets(
    redis: &Redis,
    coupon_id: &CouponId,
    holders: &[(&UserId, Claim)],
) -> Result<Vec<Option<HeldTicket>>> {
    let mut connection = redis.pooled().await?;
    let mut question = cmd("HMGET");
    question.arg(redis.keys().holders(coupon_id));
    for (user_id, claim) in holders {
        question.arg(holder_field(user_id, *claim));
    }
    let values: Vec<Option<String>> =
        question.query_async(&mut connection).await.map_err(Error::of_call)?;
    values
        .into_iter()
        .map(|value| value.map(|text| HeldTicket::parse(&text).ok_or(Error::Malformed("held"))))
        .map(Option::transpose)
        .collect()
}

/// The last serial of a coupon; `None` when Redis does not have the coupon.
///
/// # Errors
/// Those of any call; [`Error::Malformed`] when the stock is damaged.
pub async fn last_serial(redis: &Redis, coupon_id: &CouponId) -> Result<Option<Serial>> {
    let mut connection = redis.pooled().await?;
    let mut question = cmd("HGET");
    question.arg(redis.keys().holders(coupon_id)).arg("");
    let stock: Option<String> =
        question.query_async(&mut connection).await.map_err(Error::of_call)?;
    let stock = stock.map(|text| Stock::parse(&text).ok_or(Error::Malformed("stock")));
    Ok(stock.transpose()?.map(|stock| stock.last_serial))
}

/// One page of a coupon's holders as fields and values, the empty field included, and the cursor of
/// the next page: 0 begins the scan, and a returned 0 ends it. A later page may have some of them
/// again.
///
/// # Errors
/// [`Error::OtherGeneration`] when this Redis is not the master with this replid; those of any
/// call.
pub async fn page_of_holders(
    redis: &Redis,
    replid: &str,
    coupon_id: &CouponId,
    cursor: u64,
) -> Result<(u64, Vec<(String, String)>)> {
    let mut question = pipe();
    question.cmd("HSCAN").arg(redis.keys().holders(coupon_id)).arg(cursor);
    question.arg("COUNT").arg(PAGE_MAX_ROWS).cmd("INFO").arg("replication").ignore_errors();
    let mut connection = redis.pooled().await?;
    let replies = question.query_async(&mut connection).await;
    let [page, replication]: [Value; 2] = replies.map_err(Error::of_call)?;
    if !text(&replication).is_some_and(|told| is_master_of(replid, told)) {
        return Err(Error::OtherGeneration);
    }
    match page {
        // A key of another type has no holders.
        Value::ServerError(error) if error.code() == "WRONGTYPE" => Ok((0, Vec::new())),
        Value::ServerError(error) => Err(Error::of_call(error.into())),
        page => ::redis::from_redis_value(page).map_err(|_| Error::Malformed("HSCAN")),
    }
}

/// Whether Redis has a key of this service: a coupon hash of any shard, found by a bounded scan.
///
/// # Errors
/// Those of any call.
pub async fn has_coupon(redis: &Redis) -> Result<bool> {
    let mut cursor = 0;
    loop {
        let (next, found) = keys_of_coupons(redis, cursor).await?;
        if !found.is_empty() {
            return Ok(true);
        }
        if next == 0 {
            return Ok(false);
        }
        cursor = next;
    }
}

/// One page of the coupons in Redis, and the cursor of the next page: 0 begins the scan, and a
/// returned 0 ends it.
///
/// # Errors
/// Those of any call.
pub async fn page_of_coupons(redis: &Redis, cursor: u64) -> Result<(u64, Vec<CouponId>)> {
    let (next, found) = keys_of_coupons(redis, cursor).await?;
    Ok((next, found.iter().filter_map(|key| redis.keys().coupon_of(key)).collect()))
}

async fn keys_of_coupons(redis: &Redis, cursor: u64) -> Result<(u64, Vec<String>)> {
    let mut connection = redis.pooled().await?;
    let mut scan = cmd("SCAN");
    scan.arg(cursor).arg("MATCH").arg(redis.keys().any_coupon()).arg("COUNT").arg(PAGE_MAX_ROWS);
    scan.query_async(&mut connection).await.map_err(Error::of_call)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_holding_is_read_as_issue_lua_writes_it() {
        let held = HeldTicket::parse("4812:UIfAaGV").unwrap();
        assert_eq!((held.serial, held.epoch), (Serial(4812), 1));
        assert_eq!(held.to_string(), "4812:UIfAaGV");
        let cancelled = HeldTicket::parse("x7:UIfAaGV:3").unwrap();
        assert_eq!(cancelled.to_string(), "x7:UIfAaGV:3");
        assert!(cancelled.is_cancelled && cancelled.epoch == 3);
        for text in
            ["", "7", "7:", "0:UIfAaGV", "7:UIfAaG", "7:UIfAaG9", "7:UIfAaGV:b", "xx7:UIfAaGV"]
        {
            assert_eq!(HeldTicket::parse(text), None, "{text}");
        }
    }
}
