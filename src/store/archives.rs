//! Closed coupons that leave Redis, and what is kept of them (P2 step 14).

use std::time::Duration;

use async_trait::async_trait;

use super::coupons;
use super::dialect::{Dialect, Statement, Transaction, only};
use super::error::{Error, Result};
use super::rows::{COUPON_COLUMNS, CouponRow, natural, stored};
use crate::domain::coupon::{Coupon, CouponId, State};
use crate::domain::ticket::Serial;

/// What is kept of an archived coupon beside its rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Archive {
    pub tickets: u64,
    pub cancelled: u64,
    /// The greatest serial of a ticket.
    pub last_serial: Serial,
    /// The digest over all of its tickets, 64 hex digits.
    pub sha256: String,
}

/// What the archiver needs from the database.
#[async_trait]
pub trait Archives: Send + Sync {
    /// The first coupon after this id that was closed at least this long ago, by the clock of the
    /// database.
    async fn closed_since(
        &self,
        after: Option<&CouponId>,
        pause: Duration,
    ) -> Result<Option<Coupon>>;

    /// Archives a coupon, if nothing of it changed since this row and its tickets were read. False
    /// if something did, if an act is intended, or if a ticket is contested or stock is withheld.
    async fn archive(&self, coupon: &Coupon, archive: &Archive) -> Result<bool>;

    /// An archived coupon whose keys Redis may still have.
    async fn leaving(&self) -> Result<Option<CouponId>>;

    /// Notes that Redis has no keys of an archived coupon any more.
    async fn note_left(&self, id: &CouponId) -> Result<()>;

    /// What is kept of a coupon, if it is archived.
    async fn find_archive(&self, id: &CouponId) -> Result<Option<Archive>>;
}

#[async_trait]
impl<D: Dialect> Archives for D {
    async fn closed_since(
        &self,
        after: Option<&CouponId>,
        pause: Duration,
    ) -> Result<Option<Coupon>> {
        let sql = format!(
            "SELECT {COUPON_COLUMNS} FROM coupons WHERE state = 'closed' AND id > $1
                 AND EXISTS (SELECT 1 FROM acts WHERE coupon_id = coupons.id AND kind = 'close'
                     AND state = 'applied' AND recorded_at_ms <= {} - $2)
             ORDER BY id LIMIT 1",
            D::NOW_MS
        );
        let statement = Statement::new(sql)
            .bind(after.map_or("", CouponId::as_str))
            .bind(stored::<_, i64>(pause.as_millis())?);
        let rows: Vec<CouponRow> = self.read(&statement).await?;
        rows.into_iter().next().map(Coupon::try_from).transpose()
    }

    async fn archive(&self, coupon: &Coupon, archive: &Archive) -> Result<bool> {
        self.call(|| keep(self, coupon, archive)).await
    }

    async fn leaving(&self) -> Result<Option<CouponId>> {
        let sql = "SELECT coupon_id FROM archives WHERE left_at_ms IS NULL
                   ORDER BY coupon_id LIMIT 1";
        let rows: Vec<(String,)> = self.read(&Statement::new(sql)).await?;
        let id = |(id,): (String,)| CouponId::parse(&id).ok_or(Error::Corrupt("coupon id"));
        rows.into_iter().next().map(id).transpose()
    }

    async fn note_left(&self, id: &CouponId) -> Result<()> {
        let sql = format!(
            "UPDATE archives SET left_at_ms = {} WHERE coupon_id = $1 AND left_at_ms IS NULL",
            D::NOW_MS
        );
        self.write(&Statement::new(sql).bind(id.as_str())).await?;
        Ok(())
    }

    async fn find_archive(&self, id: &CouponId) -> Result<Option<Archive>> {
        let statement = Statement::new(
            "SELECT tickets, cancelled, last_serial, sha256 FROM archives WHERE coupon_id = $1",
        )
        .bind(id.as_str());
        let rows: Vec<(i64, i64, i64, String)> = self.read(&statement).await?;
        let archive = |(tickets, cancelled, last_serial, sha256)| {
            Ok(Archive {
                tickets: natural(tickets, "tickets")?,
                cancelled: natural(cancelled, "cancelled")?,
                last_serial: Serial(natural(last_serial, "last_serial")?),
                sha256,
            })
        };
        rows.into_iter().next().map(archive).transpose()
    }
}

async fn keep<D: Dialect>(database: &D, read: &Coupon, archive: &Archive) -> Result<bool> {
    let id = &read.definition.id;
    let mut transaction = database.begin().await?;
    let coupon = coupons::lock::<D>(&mut transaction, id).await?;
    let is_as_read = coupon.is_some_and(|now| now == *read && now.persisted == archive.tickets);
    if !is_as_read || has_more::<D>(&mut transaction, id).await? {
        return Ok(false);
    }
    let state = Statement::new("UPDATE coupons SET state = $2 WHERE id = $1")
        .bind(id.as_str())
        .bind(State::Archived.word());
    D::write_in(&mut transaction, &state).await?;
    let sql = format!(
        "INSERT INTO archives
             (coupon_id, tickets, cancelled, last_serial, sha256, archived_at_ms)
         VALUES ($1, $2, $3, $4, $5, {})",
        D::NOW_MS
    );
    let kept = Statement::new(sql)
        .bind(id.as_str())
        .bind(stored::<_, i64>(archive.tickets)?)
        .bind(stored::<_, i64>(archive.cancelled)?)
        .bind(stored::<_, i64>(archive.last_serial.0)?)
        .bind(archive.sha256.as_str());
    D::write_in(&mut transaction, &kept).await?;
    transaction.commit().await?;
    Ok(true)
}

/// Whether something of the coupon is not in its tickets: an act that is only intended, a contested
/// ticket, or withheld stock.
async fn has_more<D: Dialect>(transaction: &mut Transaction<D>, id: &CouponId) -> Result<bool> {
    let statement = Statement::new(
        "SELECT (SELECT COUNT(*) FROM acts WHERE coupon_id = $1 AND state = 'intended')
             + (SELECT COUNT(*) FROM contested WHERE coupon_id = $1)
             + (SELECT COUNT(*) FROM epochs WHERE coupon_id = $1 AND withheld > 0
                 AND epoch = (SELECT MAX(epoch) FROM epochs WHERE coupon_id = $1))",
    )
    .bind(id.as_str());
    let (more,): (i64,) = only(D::read_in(transaction, &statement).await?)?;
    Ok(more > 0)
}
