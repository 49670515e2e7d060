//! The row of a dead letter in every dialect.

use sqlx::{ColumnIndex, Decode, FromRow, Row, Type};

use super::error::{Error, Result};
use super::rows::{natural, word};
use crate::domain::coupon::CouponId;
use crate::domain::dead_letter::{DeadLetter, Decision};
use crate::domain::ticket::{Serial, TicketId};
use crate::domain::time::UnixMs;

/// The columns of [`StoredLetter`].
pub(super) const LETTER_COLUMNS: &str = "id, coupon_id, serial, raw, class, reason, \
     parked_at_ms, decision, decided_because, decided_by, decided_at_ms";

/// A row of `dead_letters`.
pub(super) struct StoredLetter {
    id: String,
    coupon_id: Option<String>,
    serial: Option<i64>,
    raw: Vec<u8>,
    class: String,
    reason: String,
    parked_at_ms: i64,
    decision: Option<String>,
    decided_because: Option<String>,
    decided_by: Option<String>,
    decided_at_ms: Option<i64>,
}

impl<'r, R> FromRow<'r, R> for StoredLetter
where
    R: Row,
    &'static str: ColumnIndex<R>,
    String: Decode<'r, R::Database> + Type<R::Database>,
    Vec<u8>: Decode<'r, R::Database> + Type<R::Database>,
    i64: Decode<'r, R::Database> + Type<R::Database>,
{
    fn from_row(row: &'r R) -> sqlx::Result<Self> {
        Ok(Self {
            id: row.try_get("id")?,
            coupon_id: row.try_get("coupon_id")?,
            serial: row.try_get("serial")?,
            raw: row.try_get("raw")?,
            class: row.try_get("class")?,
            reason: row.try_get("reason")?,
            parked_at_ms: row.try_get("parked_at_ms")?,
            decision: row.try_get("decision")?,
            decided_because: row.try_get("decided_because")?,
            decided_by: row.try_get("decided_by")?,
            decided_at_ms: row.try_get("decided_at_ms")?,
        })
    }
}

impl TryFrom<StoredLetter> for DeadLetter {
    type Error = Error;

    fn try_from(row: StoredLetter) -> Result<Self> {
        let ticket_id = match (row.coupon_id, row.serial) {
            (Some(coupon_id), Some(serial)) => Some(TicketId {
                coupon_id: CouponId::parse(&coupon_id).ok_or(Error::Corrupt("coupon id"))?,
                serial: Serial(natural(serial, "serial")?),
            }),
            _ => None,
        };
        let decision = match (row.decision, row.decided_by, row.decided_at_ms) {
            (Some(decision), Some(who), Some(at_ms)) => Some(Decision {
                decision: word(&decision, "decision")?,
                because: row.decided_because,
                who: word(&who, "who")?,
                decided_at: UnixMs(at_ms),
            }),
            _ => None,
        };
        Ok(Self {
            id: row.id,
            ticket_id,
            raw: row.raw,
            class: row.class,
            reason: row.reason,
            parked_at: UnixMs(row.parked_at_ms),
            decision,
        })
    }
}
