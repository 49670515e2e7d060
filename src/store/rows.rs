//! The form of rows in every dialect, and the nouns made from them.

use std::str::FromStr;

use sqlx::{ColumnIndex, Decode, FromRow, Row, Type};

use super::error::{Error, Result};
use crate::domain::act::{Act, ActResult, Change, state_word};
use crate::domain::coupon::{Coupon, CouponId, Definition, Shard};
use crate::domain::ticket::{Serial, Status, Ticket};
use crate::domain::time::{UnixMs, ValidFor};
use crate::domain::user::{Claim, UserId};

/// The columns of [`CouponRow`].
pub(super) const COUPON_COLUMNS: &str = "id, name, total, per_user_limit, opens_at_ms, \
     closes_at_ms, valid_for_ms, kind, supply, state, shard, key_id, version, act_no, persisted, \
     created_at_ms";

/// The columns of [`ActRow`].
pub(super) const ACT_COLUMNS: &str = "coupon_id, act_no, kind, arguments, idempotency_key, \
     state, result, who, intended_at_ms, recorded_at_ms";

/// A row of `coupons`.
pub(super) struct CouponRow {
    id: String,
    name: String,
    total: i64,
    per_user_limit: i64,
    opens_at_ms: Option<i64>,
    closes_at_ms: Option<i64>,
    valid_for_ms: Option<i64>,
    kind: String,
    supply: String,
    state: String,
    shard: i64,
    key_id: String,
    version: i64,
    act_no: i64,
    persisted: i64,
    created_at_ms: i64,
}

impl<'r, R> FromRow<'r, R> for CouponRow
where
    R: Row,
    &'static str: ColumnIndex<R>,
    String: Decode<'r, R::Database> + Type<R::Database>,
    i64: Decode<'r, R::Database> + Type<R::Database>,
{
    fn from_row(row: &'r R) -> sqlx::Result<Self> {
        Ok(Self {
            id: row.try_get("id")?,
            name: row.try_get("name")?,
            total: row.try_get("total")?,
            per_user_limit: row.try_get("per_user_limit")?,
            opens_at_ms: row.try_get("opens_at_ms")?,
            closes_at_ms: row.try_get("closes_at_ms")?,
            valid_for_ms: row.try_get("valid_for_ms")?,
            kind: row.try_get("kind")?,
            supply: row.try_get("supply")?,
            state: row.try_get("state")?,
            shard: row.try_get("shard")?,
            key_id: row.try_get("key_id")?,
            version: row.try_get("version")?,
            act_no: row.try_get("act_no")?,
            persisted: row.try_get("persisted")?,
            created_at_ms: row.try_get("created_at_ms")?,
        })
    }
}

impl TryFrom<CouponRow> for Coupon {
    type Error = Error;

    fn try_from(row: CouponRow) -> Result<Self> {
        let valid_for = |ms: i64| u64::try_from(ms).ok().and_then(ValidFor::from_ms);
        let valid_for = match row.valid_for_ms {
            Some(ms) => Some(valid_for(ms).ok_or(Error::Corrupt("valid_for_ms"))?),
            None => None,
        };
        let shard = u8::try_from(row.shard).ok().and_then(Shard::new);
        Ok(Self {
            definition: Definition {
                id: CouponId::parse(&row.id).ok_or(Error::Corrupt("coupon id"))?,
                name: row.name,
                total: natural(row.total, "total")?,
                per_user_limit: natural(row.per_user_limit, "per_user_limit")?,
                opens_at: row.opens_at_ms.map(UnixMs),
                closes_at: row.closes_at_ms.map(UnixMs),
                valid_for,
                kind: word(&row.kind, "kind")?,
                supply: word(&row.supply, "supply")?,
            },
            state: word(&row.state, "state")?,
            shard: shard.ok_or(Error::Corrupt("shard"))?,
            key_id: row.key_id,
            version: natural(row.version, "version")?,
            act_no: natural(row.act_no, "act_no")?,
            persisted: natural(row.persisted, "persisted")?,
            created_at: UnixMs(row.created_at_ms),
        })
    }
}

/// A row of `acts`.
pub(super) struct ActRow {
    coupon_id: String,
    act_no: i64,
    kind: String,
    arguments: String,
    idempotency_key: Option<String>,
    state: String,
    result: Option<String>,
    who: String,
    intended_at_ms: i64,
    recorded_at_ms: Option<i64>,
}

impl<'r, R> FromRow<'r, R> for ActRow
where
    R: Row,
    &'static str: ColumnIndex<R>,
    String: Decode<'r, R::Database> + Type<R::Database>,
    i64: Decode<'r, R::Database> + Type<R::Database>,
{
    fn from_row(row: &'r R) -> sqlx::Result<Self> {
        Ok(Self {
            coupon_id: row.try_get("coupon_id")?,
            act_no: row.try_get("act_no")?,
            kind: row.try_get("kind")?,
            arguments: row.try_get("arguments")?,
            idempotency_key: row.try_get("idempotency_key")?,
            state: row.try_get("state")?,
            result: row.try_get("result")?,
            who: row.try_get("who")?,
            intended_at_ms: row.try_get("intended_at_ms")?,
            recorded_at_ms: row.try_get("recorded_at_ms")?,
        })
    }
}

/// An act with its idempotency key, and when it was recorded.
pub(super) struct KeyedAct {
    pub(super) act: Act,
    pub(super) idempotency_key: Option<String>,
    pub(super) recorded_at: Option<UnixMs>,
}

impl TryFrom<ActRow> for KeyedAct {
    type Error = Error;

    fn try_from(row: ActRow) -> Result<Self> {
        let change: Change =
            serde_json::from_str(&row.arguments).map_err(|_| Error::Corrupt("act's arguments"))?;
        let result = match row.result.as_deref().map(ActResult::parse) {
            Some(None) => return Err(Error::Corrupt("act's result")),
            Some(result) => result,
            None => None,
        };
        if row.kind != change.word() || row.state != state_word(result.as_ref()) {
            return Err(Error::Corrupt("act"));
        }
        let act = Act {
            coupon_id: CouponId::parse(&row.coupon_id).ok_or(Error::Corrupt("coupon id"))?,
            act_no: natural(row.act_no, "act_no")?,
            change,
            who: word(&row.who, "who")?,
            intended_at: UnixMs(row.intended_at_ms),
            result,
        };
        let recorded_at = row.recorded_at_ms.map(UnixMs);
        Ok(Self { act, idempotency_key: row.idempotency_key, recorded_at })
    }
}

/// A change as the text in its row.
pub(super) fn change_text(change: &Change) -> Result<String> {
    serde_json::to_string(change).map_err(|error| Error::Data(sqlx::Error::Encode(error.into())))
}

/// A row of `tickets`.
pub(super) struct StoredTicket {
    pub(super) coupon_id: String,
    pub(super) epoch: i64,
    pub(super) serial: i64,
    pub(super) user_id: String,
    pub(super) claim: i64,
    pub(super) issued_at_ms: i64,
    pub(super) source: String,
    pub(super) status: String,
}

impl<'r, R> FromRow<'r, R> for StoredTicket
where
    R: Row,
    &'static str: ColumnIndex<R>,
    String: Decode<'r, R::Database> + Type<R::Database>,
    i64: Decode<'r, R::Database> + Type<R::Database>,
{
    fn from_row(row: &'r R) -> sqlx::Result<Self> {
        Ok(Self {
            coupon_id: row.try_get("coupon_id")?,
            epoch: row.try_get("epoch")?,
            serial: row.try_get("serial")?,
            user_id: row.try_get("user_id")?,
            claim: row.try_get("claim")?,
            issued_at_ms: row.try_get("issued_at_ms")?,
            source: row.try_get("source")?,
            status: row.try_get("status")?,
        })
    }
}

/// A ticket's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TicketRow {
    pub ticket: Ticket,
    pub status: Status,
}

impl TryFrom<StoredTicket> for TicketRow {
    type Error = Error;

    fn try_from(row: StoredTicket) -> Result<Self> {
        let claim = u8::try_from(row.claim).ok().and_then(Claim::new);
        Ok(Self {
            ticket: Ticket {
                coupon_id: CouponId::parse(&row.coupon_id).ok_or(Error::Corrupt("coupon id"))?,
                epoch: natural(row.epoch, "epoch")?,
                serial: Serial(natural(row.serial, "serial")?),
                user_id: UserId::parse(&row.user_id).ok_or(Error::Corrupt("user id"))?,
                claim: claim.ok_or(Error::Corrupt("claim"))?,
                issued_at: UnixMs(row.issued_at_ms),
            },
            status: Status::stored(&row.status).ok_or(Error::Corrupt("status"))?,
        })
    }
}

/// Reads a word of a closed set.
pub(super) fn word<T: FromStr>(text: &str, column: &'static str) -> Result<T> {
    text.parse().map_err(|_| Error::Corrupt(column))
}

/// Reads a number that is never negative.
pub(super) fn natural<T: TryFrom<i64>>(number: i64, column: &'static str) -> Result<T> {
    T::try_from(number).map_err(|_| Error::Corrupt(column))
}

/// A number in the form of its column; [`Error::Data`] when it does not fit.
pub(super) fn stored<T, U>(number: T) -> Result<U>
where
    U: TryFrom<T>,
    U::Error: std::error::Error + Send + Sync + 'static,
{
    U::try_from(number).map_err(|error| Error::Data(sqlx::Error::Encode(Box::new(error))))
}

/// Converts every row into its noun.
pub(super) fn all<R, N: TryFrom<R, Error = Error>>(rows: Vec<R>) -> Result<Vec<N>> {
    rows.into_iter().map(N::try_from).collect()
}
