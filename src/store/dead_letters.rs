//! Dead letters, one by one and in pages.

use async_trait::async_trait;
use sqlx::{ColumnIndex, Decode, FromRow, Row, Type};

use super::dialect::{Dialect, Statement, only};
use super::error::{Error, Result};
use super::rows::{all, natural, word};
use crate::domain::coupon::CouponId;
use crate::domain::dead_letter::{DeadLetter, Decision};
use crate::domain::ticket::{Serial, TicketId};
use crate::domain::time::UnixMs;

/// Tickets that could not be written, and records that could not be decoded.
#[async_trait]
pub trait DeadLetters: Send + Sync {
    /// The dead letter with this id.
    async fn find_dead_letter(&self, id: &str) -> Result<Option<DeadLetter>>;

    /// Dead letters in the order of their ids after this one (empty: from the beginning), with or
    /// without those that are decided.
    async fn list_dead_letters(
        &self,
        after: &str,
        also_decided: bool,
        limit_rows: u32,
    ) -> Result<Vec<DeadLetter>>;

    /// How many dead letters nobody has decided.
    async fn count_dead_letters(&self) -> Result<u64>;

    /// The parked tickets of a coupon, in the order of their ids after this one (empty: from the
    /// beginning): undecided dead letters without a row of their serial or holder, one for each
    /// holder. They are out like tickets with rows (I1, I10).
    async fn parked_tickets(
        &self,
        coupon_id: &CouponId,
        after: &str,
        limit_rows: u32,
    ) -> Result<Vec<DeadLetter>>;

    /// How many parked tickets a coupon has, and their greatest serial, 0 without any.
    async fn count_parked(&self, coupon_id: &CouponId) -> Result<(u64, Serial)>;
}

const COLUMNS: &str = "id, coupon_id, serial, raw, class, reason, parked_at_ms, decision, \
     decided_because, decided_by, decided_at_ms";

/// The parked tickets of a coupon.
const PARKED: &str = "FROM dead_letters AS letter
     WHERE coupon_id = $1 AND decision IS NULL
         AND NOT EXISTS (SELECT 1 FROM tickets
             WHERE tickets.coupon_id = letter.coupon_id AND tickets.serial = letter.serial)
         AND NOT EXISTS (SELECT 1 FROM tickets
             WHERE tickets.user_id = letter.user_id AND tickets.coupon_id = letter.coupon_id
                 AND tickets.claim = letter.claim)
         AND NOT EXISTS (SELECT 1 FROM dead_letters AS other
             WHERE other.coupon_id = letter.coupon_id AND other.user_id = letter.user_id
                 AND other.claim = letter.claim AND other.decision IS NULL
                 AND other.id < letter.id)";

#[async_trait]
impl<D: Dialect> DeadLetters for D {
    async fn find_dead_letter(&self, id: &str) -> Result<Option<DeadLetter>> {
        let sql = format!("SELECT {COLUMNS} FROM dead_letters WHERE id = $1");
        let rows: Vec<StoredLetter> = self.read(&Statement::new(sql).bind(id)).await?;
        rows.into_iter().next().map(DeadLetter::try_from).transpose()
    }

    async fn list_dead_letters(
        &self,
        after: &str,
        also_decided: bool,
        limit_rows: u32,
    ) -> Result<Vec<DeadLetter>> {
        let which = if also_decided { "" } else { " AND decision IS NULL" };
        let sql =
            format!("SELECT {COLUMNS} FROM dead_letters WHERE id > $1{which} ORDER BY id LIMIT $2");
        let statement = Statement::new(sql).bind(after).bind(i64::from(limit_rows));
        all::<StoredLetter, _>(self.read(&statement).await?)
    }

    async fn count_dead_letters(&self) -> Result<u64> {
        let sql = "SELECT COUNT(*) FROM dead_letters WHERE decision IS NULL";
        let (letters,): (i64,) = only(self.read(&Statement::new(sql)).await?)?;
        natural(letters, "count")
    }

    async fn parked_tickets(
        &self,
        coupon_id: &CouponId,
        after: &str,
        limit_rows: u32,
    ) -> Result<Vec<DeadLetter>> {
        let sql = format!("SELECT {COLUMNS} {PARKED} AND id > $2 ORDER BY id LIMIT $3");
        let statement =
            Statement::new(sql).bind(coupon_id.as_str()).bind(after).bind(i64::from(limit_rows));
        all::<StoredLetter, _>(self.read(&statement).await?)
    }

    async fn count_parked(&self, coupon_id: &CouponId) -> Result<(u64, Serial)> {
        let sql = format!("SELECT COUNT(*), COALESCE(MAX(serial), 0) {PARKED}");
        let statement = Statement::new(sql).bind(coupon_id.as_str());
        let (tickets, last): (i64, i64) = only(self.read(&statement).await?)?;
        Ok((natural(tickets, "count")?, Serial(natural(last, "serial")?)))
    }
}

/// A row of `dead_letters`.
struct StoredLetter {
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
