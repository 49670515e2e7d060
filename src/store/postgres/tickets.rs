//! Tickets, one by one and in pages.

use sqlx::AssertSqlSafe;
use sqlx::postgres::PgPool;

use crate::domain::coupon::CouponId;
use crate::domain::ticket::{Serial, TicketId};
use crate::domain::time::UnixMs;
use crate::domain::user::UserId;
use crate::store::rows::{StoredTicket, all, natural, stored};
use crate::store::{Counts, Error, Result, TicketRow, UserCursor};

use super::Transaction;
use super::connect::begin_reading;

/// The columns of [`StoredTicket`]; the narrow ones as the number that every dialect reads.
pub(super) const TICKET_COLUMNS: &str = "tickets.coupon_id, epoch::bigint AS epoch, \
     tickets.serial, tickets.user_id, tickets.claim::bigint AS claim, issued_at_ms, source, status";

pub(super) async fn find(pool: &PgPool, id: &TicketId) -> Result<Option<TicketRow>> {
    let mut transaction = begin_reading(pool).await?;
    let sql = format!("SELECT {TICKET_COLUMNS} FROM tickets WHERE coupon_id = $1 AND serial = $2");
    let row: Option<StoredTicket> = sqlx::query_as(AssertSqlSafe(sql))
        .bind(id.coupon_id.as_str())
        .bind(stored::<_, i64>(id.serial.0)?)
        .fetch_optional(&mut *transaction)
        .await?;
    row.map(TicketRow::try_from).transpose()
}

/// The rows of these serials that there are, in their order.
pub(super) async fn find_all(
    transaction: &mut Transaction,
    id: &CouponId,
    serials: &[Serial],
) -> Result<Vec<TicketRow>> {
    let sql = format!(
        "SELECT {TICKET_COLUMNS} FROM tickets
         WHERE coupon_id = $1 AND serial = ANY($2) ORDER BY serial"
    );
    let rows: Vec<StoredTicket> = sqlx::query_as(AssertSqlSafe(sql))
        .bind(id.as_str())
        .bind(list(serials)?)
        .fetch_all(&mut **transaction)
        .await?;
    all(rows)
}

/// Moves rows from accepted to cancelled (I7).
pub(super) async fn cancel(
    transaction: &mut Transaction,
    id: &CouponId,
    serials: &[Serial],
    at: UnixMs,
) -> Result<()> {
    let cancelled = sqlx::query(
        "UPDATE tickets SET status = 'cancelled', cancelled_at_ms = $3
         WHERE coupon_id = $1 AND serial = ANY($2) AND status = 'accepted'",
    )
    .bind(id.as_str())
    .bind(list(serials)?)
    .bind(at.0)
    .execute(&mut **transaction)
    .await?;
    let all = cancelled.rows_affected() == serials.len() as u64;
    if all { Ok(()) } else { Err(Error::Corrupt("status")) }
}

/// Serials as one parameter.
fn list(serials: &[Serial]) -> Result<Vec<i64>> {
    serials.iter().map(|serial| stored(serial.0)).collect()
}

pub(super) async fn of_user(
    pool: &PgPool,
    user_id: &UserId,
    after: Option<&UserCursor>,
    limit_rows: u32,
) -> Result<Vec<TicketRow>> {
    let mut transaction = begin_reading(pool).await?;
    let sql = format!(
        "SELECT {TICKET_COLUMNS} FROM tickets
         WHERE user_id = $1 AND (coupon_id, claim) > ($2, $3)
         ORDER BY coupon_id, claim LIMIT $4"
    );
    let rows: Vec<StoredTicket> = sqlx::query_as(AssertSqlSafe(sql))
        .bind(user_id.as_str())
        .bind(after.map_or("", |cursor| cursor.coupon_id.as_str()))
        .bind(after.map_or(0, |cursor| i16::from(cursor.claim.number())))
        .bind(i64::from(limit_rows))
        .fetch_all(&mut *transaction)
        .await?;
    all(rows)
}

pub(super) async fn of_coupon(
    pool: &PgPool,
    coupon_id: &CouponId,
    after: Serial,
    limit_rows: u32,
) -> Result<Vec<TicketRow>> {
    let mut transaction = begin_reading(pool).await?;
    let sql = format!(
        "SELECT {TICKET_COLUMNS} FROM tickets WHERE coupon_id = $1 AND serial > $2
         ORDER BY serial LIMIT $3"
    );
    let rows: Vec<StoredTicket> = sqlx::query_as(AssertSqlSafe(sql))
        .bind(coupon_id.as_str())
        .bind(stored::<_, i64>(after.0)?)
        .bind(i64::from(limit_rows))
        .fetch_all(&mut *transaction)
        .await?;
    all(rows)
}

pub(super) async fn last_serials(
    pool: &PgPool,
    after: Option<&CouponId>,
    limit_rows: u32,
) -> Result<Vec<(CouponId, Serial)>> {
    let mut transaction = begin_reading(pool).await?;
    let rows: Vec<(String, i64)> = sqlx::query_as(
        "SELECT id, COALESCE((SELECT MAX(serial) FROM tickets WHERE coupon_id = id), 0)
         FROM coupons WHERE state <> 'draft' AND id > $1
             AND (EXISTS (SELECT 1 FROM tickets WHERE coupon_id = id)
                 OR NOT EXISTS (SELECT 1 FROM acts
                     WHERE coupon_id = id AND act_no = 1 AND state = 'intended'))
         ORDER BY id LIMIT $2",
    )
    .bind(after.map_or("", CouponId::as_str))
    .bind(i64::from(limit_rows))
    .fetch_all(&mut *transaction)
    .await?;
    let pair = |(id, serial): (String, i64)| {
        let id = CouponId::parse(&id).ok_or(Error::Corrupt("coupon id"))?;
        Ok((id, Serial(natural(serial, "serial")?)))
    };
    rows.into_iter().map(pair).collect()
}

/// The rows after this serial, as far as a page goes.
pub(super) async fn count_page(
    pool: &PgPool,
    coupon_id: &CouponId,
    after: Serial,
    limit_rows: u32,
) -> Result<Counts> {
    let mut transaction = begin_reading(pool).await?;
    let (rows, cancelled, last_serial): (i64, i64, i64) = sqlx::query_as(
        "SELECT COUNT(*), COUNT(*) FILTER (WHERE status = 'cancelled'), COALESCE(MAX(serial), 0)
         FROM (SELECT serial, status FROM tickets WHERE coupon_id = $1 AND serial > $2
             ORDER BY serial LIMIT $3) AS page",
    )
    .bind(coupon_id.as_str())
    .bind(stored::<_, i64>(after.0)?)
    .bind(i64::from(limit_rows))
    .fetch_one(&mut *transaction)
    .await?;
    Ok(Counts {
        rows: natural(rows, "count")?,
        cancelled: natural(cancelled, "count")?,
        last_serial: natural(last_serial, "serial")?,
        contested: 0,
    })
}

pub(super) async fn contested(pool: &PgPool, coupon_id: &CouponId) -> Result<u64> {
    let mut transaction = begin_reading(pool).await?;
    let contested: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM contested WHERE coupon_id = $1")
        .bind(coupon_id.as_str())
        .fetch_one(&mut *transaction)
        .await?;
    natural(contested, "count")
}
