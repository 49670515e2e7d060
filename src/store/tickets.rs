//! Tickets, one by one and in pages.

use async_trait::async_trait;

use super::counts::Counts;
use super::dead_letters::DeadLetters;
use super::dialect::{Dialect, Statement, Transaction, only};
use super::error::{Error, Result};
use super::rows::{StoredTicket, TicketRow, all, natural, stored};
use crate::domain::coupon::CouponId;
use crate::domain::limits::{COUNT_PAGE_ROWS, COUNT_WAIT};
use crate::domain::ticket::{Serial, TicketId};
use crate::domain::time::UnixMs;
use crate::domain::user::{Claim, UserId};

/// Where the next page of a user's tickets begins: after this coupon and claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserCursor {
    pub coupon_id: CouponId,
    pub claim: Claim,
}

/// The rows of tickets, as they are read.
#[async_trait]
pub trait Tickets: DeadLetters {
    async fn find_ticket(&self, id: &TicketId) -> Result<Option<TicketRow>>;

    /// A user's rows in the order of (coupon, claim), after the cursor.
    async fn tickets_of_user(
        &self,
        user_id: &UserId,
        after: Option<&UserCursor>,
        limit_rows: u32,
    ) -> Result<Vec<TicketRow>>;

    /// The row of this user and claim.
    async fn ticket_of(
        &self,
        coupon_id: &CouponId,
        user_id: &UserId,
        claim: Claim,
    ) -> Result<Option<TicketRow>>;

    /// A coupon's rows in the order of their serials, after this one (0: from the beginning).
    async fn tickets_of_coupon(
        &self,
        coupon_id: &CouponId,
        after: Serial,
        limit_rows: u32,
    ) -> Result<Vec<TicketRow>>;

    /// Those of these serials of a coupon that have rows, in order; at most
    /// [`PAGE_MAX_ROWS`](crate::domain::limits::PAGE_MAX_ROWS) of them are asked for at once.
    async fn tickets_with(
        &self,
        coupon_id: &CouponId,
        serials: &[Serial],
    ) -> Result<Vec<TicketRow>>;

    /// Coupons that Redis must have, with the greatest serial of their rows and dead letters, in
    /// the order of their ids after this one (P2 step 6): none that is a draft or archived, and
    /// none without a row whose preload is only intended.
    async fn last_serials(
        &self,
        after: Option<&CouponId>,
        limit_rows: u32,
    ) -> Result<Vec<(CouponId, Serial)>>;

    /// Counts over a page of a coupon's rows after this serial, in order; without the contested
    /// tickets.
    async fn count_page(
        &self,
        coupon_id: &CouponId,
        after: Serial,
        limit_rows: u32,
    ) -> Result<Counts>;

    /// How many tickets of this coupon are contested.
    async fn contested(&self, coupon_id: &CouponId) -> Result<u64>;

    /// Counts over a coupon's rows, page by page, so that no statement takes long however many
    /// rows there are. Rows that are written meanwhile may be counted or not: each count is at
    /// least the one before the call and at most the one after it.
    ///
    /// # Errors
    /// [`Error::Unavailable`] after [`COUNT_WAIT`].
    async fn counts(&self, coupon_id: &CouponId) -> Result<Counts> {
        let counted = async {
            let mut counts = Counts::default();
            loop {
                let after = Serial(counts.last_serial);
                let page = self.count_page(coupon_id, after, COUNT_PAGE_ROWS).await?;
                counts.rows += page.rows;
                counts.cancelled += page.cancelled;
                counts.last_serial = counts.last_serial.max(page.last_serial);
                if page.rows < u64::from(COUNT_PAGE_ROWS) {
                    break;
                }
            }
            counts.contested = self.contested(coupon_id).await?;
            let (parked, last) = self.count_parked(coupon_id).await?;
            counts.parked = parked;
            counts.last_serial = counts.last_serial.max(last.0);
            Ok(counts)
        };
        tokio::time::timeout(COUNT_WAIT, counted).await.unwrap_or_else(|_| Err(Error::late()))
    }
}

#[async_trait]
impl<D: Dialect> Tickets for D {
    async fn find_ticket(&self, id: &TicketId) -> Result<Option<TicketRow>> {
        let columns = D::TICKET_COLUMNS;
        let sql = format!("SELECT {columns} FROM tickets WHERE coupon_id = $1 AND serial = $2");
        let serial: i64 = stored(id.serial.0)?;
        let statement = Statement::new(sql).bind(id.coupon_id.as_str()).bind(serial);
        let rows: Vec<StoredTicket> = self.read(&statement).await?;
        rows.into_iter().next().map(TicketRow::try_from).transpose()
    }

    async fn tickets_of_user(
        &self,
        user_id: &UserId,
        after: Option<&UserCursor>,
        limit_rows: u32,
    ) -> Result<Vec<TicketRow>> {
        let sql = format!(
            "SELECT {} FROM tickets WHERE user_id = $1 AND (coupon_id, claim) > ($2, $3)
             ORDER BY coupon_id, claim LIMIT $4",
            D::TICKET_COLUMNS
        );
        let statement = Statement::new(sql)
            .bind(user_id.as_str())
            .bind(after.map_or("", |cursor| cursor.coupon_id.as_str()))
            .bind(after.map_or(0, |cursor| i64::from(cursor.claim.number())))
            .bind(i64::from(limit_rows));
        all::<StoredTicket, _>(self.read(&statement).await?)
    }

    async fn ticket_of(
        &self,
        coupon_id: &CouponId,
        user_id: &UserId,
        claim: Claim,
    ) -> Result<Option<TicketRow>> {
        let sql = format!(
            "SELECT {} FROM tickets WHERE user_id = $1 AND coupon_id = $2 AND claim = $3",
            D::TICKET_COLUMNS
        );
        let statement = Statement::new(sql)
            .bind(user_id.as_str())
            .bind(coupon_id.as_str())
            .bind(i64::from(claim.number()));
        let rows: Vec<StoredTicket> = self.read(&statement).await?;
        rows.into_iter().next().map(TicketRow::try_from).transpose()
    }

    async fn tickets_of_coupon(
        &self,
        coupon_id: &CouponId,
        after: Serial,
        limit_rows: u32,
    ) -> Result<Vec<TicketRow>> {
        let sql = format!(
            "SELECT {} FROM tickets WHERE coupon_id = $1 AND serial > $2
             ORDER BY serial LIMIT $3",
            D::TICKET_COLUMNS
        );
        let statement = Statement::new(sql)
            .bind(coupon_id.as_str())
            .bind(stored::<_, i64>(after.0)?)
            .bind(i64::from(limit_rows));
        all::<StoredTicket, _>(self.read(&statement).await?)
    }

    async fn tickets_with(
        &self,
        coupon_id: &CouponId,
        serials: &[Serial],
    ) -> Result<Vec<TicketRow>> {
        let statement = with_serials::<D>(coupon_id, serials)?;
        all::<StoredTicket, _>(self.read(&statement).await?)
    }

    async fn last_serials(
        &self,
        after: Option<&CouponId>,
        limit_rows: u32,
    ) -> Result<Vec<(CouponId, Serial)>> {
        let greatest = D::GREATEST;
        let statement = Statement::new(format!(
            "SELECT id, {greatest}(
                 COALESCE((SELECT MAX(serial) FROM tickets WHERE coupon_id = coupons.id), 0),
                 COALESCE((SELECT MAX(serial) FROM dead_letters
                     WHERE coupon_id = coupons.id), 0))
             FROM coupons WHERE state NOT IN ('draft', 'archived') AND id > $1
                 AND (EXISTS (SELECT 1 FROM tickets WHERE coupon_id = id)
                     OR NOT EXISTS (SELECT 1 FROM acts
                         WHERE coupon_id = id AND act_no = 1 AND state = 'intended'))
             ORDER BY id LIMIT $2"
        ))
        .bind(after.map_or("", CouponId::as_str))
        .bind(i64::from(limit_rows));
        let pair = |(id, serial): (String, i64)| {
            let id = CouponId::parse(&id).ok_or(Error::Corrupt("coupon id"))?;
            Ok((id, Serial(natural(serial, "serial")?)))
        };
        self.read(&statement).await?.into_iter().map(pair).collect()
    }

    async fn count_page(
        &self,
        coupon_id: &CouponId,
        after: Serial,
        limit_rows: u32,
    ) -> Result<Counts> {
        let statement = Statement::new(
            "SELECT COUNT(*), COUNT(CASE WHEN status = 'cancelled' THEN 1 END),
                 COALESCE(MAX(serial), 0)
             FROM (SELECT serial, status FROM tickets WHERE coupon_id = $1 AND serial > $2
                 ORDER BY serial LIMIT $3) AS page",
        )
        .bind(coupon_id.as_str())
        .bind(stored::<_, i64>(after.0)?)
        .bind(i64::from(limit_rows));
        let (rows, cancelled, last_serial): (i64, i64, i64) = only(self.read(&statement).await?)?;
        Ok(Counts {
            rows: natural(rows, "count")?,
            cancelled: natural(cancelled, "count")?,
            last_serial: natural(last_serial, "serial")?,
            ..Counts::default()
        })
    }

    async fn contested(&self, coupon_id: &CouponId) -> Result<u64> {
        let sql = "SELECT COUNT(*) FROM contested WHERE coupon_id = $1";
        let statement = Statement::new(sql).bind(coupon_id.as_str());
        let (contested,): (i64,) = only(self.read(&statement).await?)?;
        natural(contested, "count")
    }
}

/// Those of these serials that have rows, in order.
pub(super) async fn find_all<D: Dialect>(
    transaction: &mut Transaction<D>,
    id: &CouponId,
    serials: &[Serial],
) -> Result<Vec<TicketRow>> {
    let statement = with_serials::<D>(id, serials)?;
    all::<StoredTicket, _>(D::read_in(transaction, &statement).await?)
}

fn with_serials<'a, D: Dialect>(id: &'a CouponId, serials: &[Serial]) -> Result<Statement<'a>> {
    let sql = format!(
        "SELECT {} FROM tickets WHERE coupon_id = $1 AND serial {} ORDER BY serial",
        D::TICKET_COLUMNS,
        D::among("$2")
    );
    Ok(Statement::new(sql).bind(id.as_str()).bind(numbers(serials)?))
}

/// Changes rows from accepted to cancelled (I7).
pub(super) async fn cancel<D: Dialect>(
    transaction: &mut Transaction<D>,
    id: &CouponId,
    serials: &[Serial],
    at: UnixMs,
) -> Result<()> {
    let sql = format!(
        "UPDATE tickets SET status = 'cancelled', cancelled_at_ms = $3
         WHERE coupon_id = $1 AND serial {} AND status = 'accepted'",
        D::among("$2")
    );
    let statement = Statement::new(sql).bind(id.as_str()).bind(numbers(serials)?).bind(at.0);
    let cancelled = D::write_in(transaction, &statement).await?;
    let all = cancelled == serials.len() as u64;
    if all { Ok(()) } else { Err(Error::Corrupt("status")) }
}

fn numbers(serials: &[Serial]) -> Result<Vec<i64>> {
    serials.iter().map(|serial| stored(serial.0)).collect()
}
