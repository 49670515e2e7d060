//! Recoveries: who leads one, and where the serials of a coupon's epochs begin (P2 steps 7 and 9).

use std::time::Duration;

use async_trait::async_trait;

use super::coupons;
use super::dialect::{Dialect, Statement, Transaction};
use super::error::{Error, Result};
use super::processes::Processes;
use super::rows::{natural, stored};
use crate::domain::coupon::CouponId;
use crate::domain::epoch::EpochStart;
use crate::domain::ticket::Serial;

/// What recoverers need from the database.
#[async_trait]
pub trait Recoveries: Processes {
    /// Takes or renews the lease of the recoverer, by the clock of the database. False while
    /// another process has it.
    async fn lead_recovery(&self, recoverer: &str, lease: Duration) -> Result<bool>;

    /// Gives the lease of the recoverer back before its end.
    async fn leave_recovery(&self, recoverer: &str) -> Result<()>;

    /// How the epochs of a coupon began, the last one first, at most this many; none for a coupon
    /// that was never recovered.
    async fn epochs(&self, id: &CouponId, limit_rows: u32) -> Result<Vec<EpochStart>>;

    /// How the last epoch of a coupon began; `None` for a coupon that was never recovered.
    async fn last_epoch(&self, id: &CouponId) -> Result<Option<EpochStart>> {
        Ok(self.epochs(id, 1).await?.into_iter().next())
    }

    /// Writes down how an epoch of a coupon begins, before Redis issues any of its serials. Only
    /// the recoverer that raised the epoch writes it; the last value is valid.
    async fn begin_epoch(&self, id: &CouponId, start: &EpochStart) -> Result<()>;

    /// Coupons with withheld stock, and how much.
    async fn withheld(&self, limit_rows: u32) -> Result<Vec<(CouponId, u64)>>;
}

/// Notes in a transaction that the stock which was withheld before this act is released. The sum
/// stays the same, and with it the ceiling.
pub(super) async fn release<D: Dialect>(
    transaction: &mut Transaction<D>,
    id: &CouponId,
    act_no: u64,
) -> Result<()> {
    let sql = "UPDATE epochs SET stock = stock + withheld, withheld = 0
               WHERE coupon_id = $1 AND act_no < $2";
    let statement = Statement::new(sql).bind(id.as_str()).bind(stored::<_, i64>(act_no)?);
    D::write_in(transaction, &statement).await?;
    Ok(())
}

/// Notes in a transaction that a unit of the stock which was withheld before this act is a ticket.
pub(super) async fn restore<D: Dialect>(
    transaction: &mut Transaction<D>,
    id: &CouponId,
    act_no: u64,
) -> Result<()> {
    let sql = "UPDATE epochs SET stock = stock + 1, withheld = withheld - 1
               WHERE coupon_id = $1 AND act_no < $2 AND withheld > 0";
    let statement = Statement::new(sql).bind(id.as_str()).bind(stored::<_, i64>(act_no)?);
    D::write_in(transaction, &statement).await?;
    Ok(())
}

/// Under the lock of the coupon's row, which every transaction with new rows takes: so no row is
/// missing in `rows_before`, and none counts twice.
async fn begin_epoch<D: Dialect>(database: &D, id: &CouponId, start: &EpochStart) -> Result<()> {
    let first_serial: i64 = stored(start.first_serial.0)?;
    let stock: i64 = stored(start.stock)?;
    let withheld: i64 = stored(start.withheld)?;
    let act_no: i64 = stored(start.act_no)?;
    let mut transaction = database.begin().await?;
    let coupon = coupons::lock::<D>(&mut transaction, id).await?;
    let coupon = coupon.ok_or(Error::Corrupt("epoch: its coupon has no row"))?;
    let rows_before: i64 = stored(coupon.persisted)?;
    let bound = |sql: &'static str| {
        let statement = Statement::new(sql).bind(id.as_str()).bind(i64::from(start.epoch));
        statement.bind(first_serial).bind(stock).bind(act_no).bind(withheld).bind(rows_before)
    };
    let update = bound(
        "UPDATE epochs SET first_serial = $3, stock = $4, act_no = $5, withheld = $6,
             rows_before = $7
         WHERE coupon_id = $1 AND epoch = $2",
    );
    if D::write_in(&mut transaction, &update).await? == 0 {
        let insert = bound(
            "INSERT INTO epochs
                 (coupon_id, epoch, first_serial, stock, act_no, withheld, rows_before)
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        );
        D::write_in(&mut transaction, &insert).await?;
    }
    transaction.commit().await?;
    Ok(())
}

#[async_trait]
impl<D: Dialect> Recoveries for D {
    async fn lead_recovery(&self, recoverer: &str, lease: Duration) -> Result<bool> {
        let lease_ms: i64 = stored(lease.as_millis())?;
        let sql = format!(
            "UPDATE recoverers SET recoverer = $1, until_ms = {now} + $2
             WHERE recoverer = $1 OR until_ms < {now}",
            now = D::NOW_MS
        );
        if self.write(&Statement::new(sql).bind(recoverer).bind(lease_ms)).await? == 1 {
            return Ok(true);
        }
        let sql = format!(
            "INSERT INTO recoverers (recoverer_no, recoverer, until_ms) VALUES (1, $1, {} + $2)",
            D::NOW_MS
        );
        let first = Statement::new(sql).bind(recoverer).bind(lease_ms);
        self.insert(first, "recoverer_no").await
    }

    async fn leave_recovery(&self, recoverer: &str) -> Result<()> {
        let sql = "UPDATE recoverers SET until_ms = 0 WHERE recoverer = $1";
        self.write(&Statement::new(sql).bind(recoverer)).await?;
        Ok(())
    }

    async fn epochs(&self, id: &CouponId, limit_rows: u32) -> Result<Vec<EpochStart>> {
        let statement = Statement::new(
            "SELECT epoch, first_serial, stock, withheld, act_no FROM epochs
             WHERE coupon_id = $1 ORDER BY epoch DESC LIMIT $2",
        )
        .bind(id.as_str())
        .bind(i64::from(limit_rows));
        let rows: Vec<(i64, i64, i64, i64, i64)> = self.read(&statement).await?;
        let start = |(epoch, first_serial, stock, withheld, act_no)| {
            Ok(EpochStart {
                epoch: natural(epoch, "epoch")?,
                first_serial: Serial(natural(first_serial, "first_serial")?),
                stock: natural(stock, "stock")?,
                withheld: natural(withheld, "withheld")?,
                act_no: natural(act_no, "act_no")?,
            })
        };
        rows.into_iter().map(start).collect()
    }

    async fn begin_epoch(&self, id: &CouponId, start: &EpochStart) -> Result<()> {
        self.call(|| begin_epoch(self, id, start)).await
    }

    async fn withheld(&self, limit_rows: u32) -> Result<Vec<(CouponId, u64)>> {
        let sql = "SELECT coupon_id, withheld FROM epochs WHERE withheld > 0 AND epoch =
                   (SELECT MAX(epoch) FROM epochs AS later
                    WHERE later.coupon_id = epochs.coupon_id)
                   ORDER BY coupon_id LIMIT $1";
        let statement = Statement::new(sql).bind(i64::from(limit_rows));
        let rows: Vec<(String, i64)> = self.read(&statement).await?;
        let coupon = |(id, units): (String, i64)| {
            let id = CouponId::parse(&id).ok_or(Error::Corrupt("coupon_id"))?;
            Ok((id, natural(units, "withheld")?))
        };
        rows.into_iter().map(coupon).collect()
    }
}
