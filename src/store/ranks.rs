//! The rank of a ticket: its place among all tickets of its coupon, over all epochs.
//!
//! Serials rise with the epochs, so the rows before a ticket are those with a smaller serial.
//! Counting them would take a second for ten million. So the row of an epoch has the number of rows
//! before it, and within an epoch the serial tells the rest.

use async_trait::async_trait;

use super::dialect::{Dialect, Statement, only};
use super::error::Result;
use super::rows::{natural, stored};
use crate::domain::coupon::CouponId;
use crate::domain::limits::RANK_MAX_ROWS;
use crate::domain::ticket::Ticket;

/// What tells ranks.
#[async_trait]
pub trait Ranks: Send + Sync {
    /// One more than the tickets of the coupon that were issued before this one, which has a row.
    /// Cancelled tickets count. In an epoch that ended, only tickets with rows count. `None` if
    /// its epoch lost tickets, and more than [`RANK_MAX_ROWS`] rows would have to be counted.
    async fn rank(&self, ticket: &Ticket) -> Result<Option<u64>>;
}

/// The serials of an epoch that ended, and its rows.
struct Ended {
    first: u64,
    /// The greatest serial with a row.
    last: u64,
    rows: u64,
}

#[async_trait]
impl<D: Dialect> Ranks for D {
    async fn rank(&self, ticket: &Ticket) -> Result<Option<u64>> {
        let statement = Statement::new(
            "SELECT epoch, first_serial, rows_before FROM epochs
             WHERE coupon_id = $1 AND epoch >= $2 ORDER BY epoch LIMIT 2",
        )
        .bind(ticket.coupon_id.as_str())
        .bind(i64::from(ticket.epoch));
        let mut begun = self.read::<(i64, i64, i64)>(&statement).await?.into_iter().peekable();
        let own = begun.next_if(|(epoch, ..)| *epoch == i64::from(ticket.epoch));
        // The first epoch of a coupon has no row.
        let (_, first, before) = own.unwrap_or((0, 1, 0));
        let (first, before) = (natural(first, "first_serial")?, natural(before, "rows_before")?);
        let Some((_, next_first, next_before)) = begun.next() else {
            return Ok(Some(place(before, first, ticket.serial.0)));
        };
        let next_before: u64 = natural(next_before, "rows_before")?;
        let ended = Ended {
            first,
            last: last_serial(self, &ticket.coupon_id, next_first).await?,
            rows: next_before.saturating_sub(before),
        };
        rank_in(self, ticket, before, &ended).await
    }
}

/// The rank of a serial in an epoch without gaps.
fn place(before: u64, first: u64, serial: u64) -> u64 {
    (before + 1 + serial).saturating_sub(first)
}

/// A recovery loses what was issued last. So if all that is missing is missing near the end, there
/// is no gap before.
async fn rank_in<D: Dialect>(
    database: &D,
    ticket: &Ticket,
    before: u64,
    ended: &Ended,
) -> Result<Option<u64>> {
    let Ended { first, last, rows } = *ended;
    let missing = (last + 1).saturating_sub(first).saturating_sub(rows);
    let serial = ticket.serial.0;
    if missing == 0 {
        return Ok(Some(place(before, first, serial)));
    }
    let near_end = first.max((last + 1).saturating_sub(RANK_MAX_ROWS));
    let from = serial.max(near_end);
    let counted = count(database, &ticket.coupon_id, from, last).await?;
    if serial >= near_end {
        return Ok(Some((before + rows + 1).saturating_sub(counted)));
    }
    let is_whole_before = last + 1 - near_end - counted == missing;
    Ok(is_whole_before.then(|| place(before, first, serial)))
}

/// The greatest serial with a row below this one.
async fn last_serial<D: Dialect>(database: &D, id: &CouponId, below: i64) -> Result<u64> {
    let sql = "SELECT COALESCE(MAX(serial), 0) FROM tickets WHERE coupon_id = $1 AND serial < $2";
    let statement = Statement::new(sql).bind(id.as_str()).bind(below);
    let (last,): (i64,) = only(database.read(&statement).await?)?;
    natural(last, "serial")
}

/// How many rows there are from one serial to another, which are near each other.
async fn count<D: Dialect>(database: &D, id: &CouponId, from: u64, to: u64) -> Result<u64> {
    let sql = "SELECT COUNT(*) FROM tickets WHERE coupon_id = $1 AND serial BETWEEN $2 AND $3";
    let statement = Statement::new(sql)
        .bind(id.as_str())
        .bind(stored::<_, i64>(from)?)
        .bind(stored::<_, i64>(to)?);
    let (rows,): (i64,) = only(database.read(&statement).await?)?;
    natural(rows, "count")
}
