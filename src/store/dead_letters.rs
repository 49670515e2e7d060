//! Dead letters, one by one and in pages.

use async_trait::async_trait;

use super::dialect::{Dialect, Statement, only};
use super::error::{Error, Result};
use super::letter_row::{LETTER_COLUMNS, StoredLetter};
use super::rows::{all, natural};
use crate::domain::coupon::CouponId;
use crate::domain::dead_letter::DeadLetter;
use crate::domain::ticket::{Serial, TicketId};

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

    /// How many tickets of all coupons are contested, and the first of them; `None` without any.
    async fn all_contested(&self) -> Result<Option<(u64, TicketId)>>;

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
        let sql = format!("SELECT {LETTER_COLUMNS} FROM dead_letters WHERE id = $1");
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
        let sql = format!(
            "SELECT {LETTER_COLUMNS} FROM dead_letters WHERE id > $1{which} ORDER BY id LIMIT $2"
        );
        let statement = Statement::new(sql).bind(after).bind(i64::from(limit_rows));
        all::<StoredLetter, _>(self.read(&statement).await?)
    }

    async fn count_dead_letters(&self) -> Result<u64> {
        let sql = "SELECT COUNT(*) FROM dead_letters WHERE decision IS NULL";
        let (letters,): (i64,) = only(self.read(&Statement::new(sql)).await?)?;
        natural(letters, "count")
    }

    async fn all_contested(&self) -> Result<Option<(u64, TicketId)>> {
        let statement = Statement::new(
            "SELECT coupon_id, serial, (SELECT COUNT(*) FROM contested) FROM contested
             ORDER BY coupon_id, epoch, serial LIMIT 1",
        );
        let first: Option<(String, i64, i64)> = self.read(&statement).await?.into_iter().next();
        let Some((coupon_id, serial, tickets)) = first else { return Ok(None) };
        let coupon_id = CouponId::parse(&coupon_id).ok_or(Error::Corrupt("coupon id"))?;
        let serial = Serial(natural(serial, "serial")?);
        Ok(Some((natural(tickets, "count")?, TicketId { coupon_id, serial })))
    }

    async fn parked_tickets(
        &self,
        coupon_id: &CouponId,
        after: &str,
        limit_rows: u32,
    ) -> Result<Vec<DeadLetter>> {
        let sql = format!("SELECT {LETTER_COLUMNS} {PARKED} AND id > $2 ORDER BY id LIMIT $3");
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
