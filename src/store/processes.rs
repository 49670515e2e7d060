//! The processes that issue, and the greatest serials that they told (P2 step 9). A process has a
//! row until all that it told is in rows.

use std::time::Duration;

use async_trait::async_trait;

use super::dialect::{Dialect, Statement, Transaction};
use super::error::Result;
use super::rows::{natural, stored};
use crate::domain::coupon::CouponId;
use crate::domain::ticket::Serial;
use crate::domain::witnesses::Mark;

/// A process as the database knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenProcess {
    /// Its name, unique among all processes.
    pub process: String,
    /// All that it told in earlier generations is in rows.
    pub generation_no: u64,
    /// When it was last seen, by the clock of the database.
    pub silent_for: Duration,
    /// Whether it said that it ends. Then its marks are complete.
    pub is_ended: bool,
}

/// The rows of processes.
#[async_trait]
pub trait Processes: Send + Sync {
    /// Gives a process a row before it issues in this generation, if it has none.
    async fn register_process(&self, process: &str, generation_no: u64) -> Result<()>;

    /// Notes that a process lives, what it told since the last call, and that all it told in
    /// earlier generations is in rows; in one transaction.
    async fn see_process(&self, process: &str, generation_no: u64, marks: &[Mark]) -> Result<()>;

    /// Notes that a process tells nothing any more, and that its marks are complete.
    async fn end_process(&self, process: &str) -> Result<()>;

    /// The processes of which something may be in no row, those that were seen first in front.
    async fn processes(&self, limit_rows: u32) -> Result<Vec<SeenProcess>>;

    /// Deletes a process and its marks: all that it told is in rows.
    async fn forget_process(&self, process: &str) -> Result<()>;

    /// The greatest serial of a coupon that any process told.
    async fn greatest_mark(&self, id: &CouponId) -> Result<Option<Serial>>;
}

#[async_trait]
impl<D: Dialect> Processes for D {
    async fn register_process(&self, process: &str, generation_no: u64) -> Result<()> {
        let generation_no: i64 = stored(generation_no)?;
        self.insert(first::<D>(process, generation_no), "process").await?;
        Ok(())
    }

    async fn see_process(&self, process: &str, generation_no: u64, marks: &[Mark]) -> Result<()> {
        let generation_no: i64 = stored(generation_no)?;
        self.call(async || {
            let mut transaction = self.begin().await?;
            for mark in marks {
                write_mark::<D>(&mut transaction, process, mark).await?;
            }
            let sql = format!(
                "UPDATE processes SET generation_no = $2, seen_at_ms = {}, goodbye_at_ms = NULL
                 WHERE process = $1",
                D::NOW_MS
            );
            let seen = Statement::new(sql).bind(process).bind(generation_no);
            if D::write_in(&mut transaction, &seen).await? == 0 {
                D::write_in(&mut transaction, &first::<D>(process, generation_no)).await?;
            }
            Ok(transaction.commit().await?)
        })
        .await
    }

    async fn end_process(&self, process: &str) -> Result<()> {
        let sql = format!(
            "UPDATE processes SET seen_at_ms = {now}, goodbye_at_ms = {now} WHERE process = $1",
            now = D::NOW_MS
        );
        self.write(&Statement::new(sql).bind(process)).await?;
        Ok(())
    }

    async fn processes(&self, limit_rows: u32) -> Result<Vec<SeenProcess>> {
        let sql = format!(
            "SELECT process, generation_no, {} - seen_at_ms, goodbye_at_ms FROM processes
             ORDER BY seen_at_ms LIMIT $1",
            D::NOW_MS
        );
        let statement = Statement::new(sql).bind(i64::from(limit_rows));
        let rows: Vec<(String, i64, i64, Option<i64>)> = self.read(&statement).await?;
        let seen = |(process, generation_no, silent_ms, goodbye_at_ms): (_, _, i64, Option<_>)| {
            Ok(SeenProcess {
                process,
                generation_no: natural(generation_no, "generation_no")?,
                silent_for: Duration::from_millis(silent_ms.max(0).unsigned_abs()),
                is_ended: goodbye_at_ms.is_some(),
            })
        };
        rows.into_iter().map(seen).collect()
    }

    async fn forget_process(&self, process: &str) -> Result<()> {
        self.call(async || {
            let mut transaction = self.begin().await?;
            for sql in
                ["DELETE FROM marks WHERE process = $1", "DELETE FROM processes WHERE process = $1"]
            {
                D::write_in(&mut transaction, &Statement::new(sql).bind(process)).await?;
            }
            Ok(transaction.commit().await?)
        })
        .await
    }

    async fn greatest_mark(&self, id: &CouponId) -> Result<Option<Serial>> {
        let sql = "SELECT last_serial FROM marks WHERE coupon_id = $1
                   ORDER BY last_serial DESC LIMIT 1";
        let statement = Statement::new(sql).bind(id.as_str());
        let rows: Vec<(i64,)> = self.read(&statement).await?;
        let last_serial = rows.into_iter().next().map(|(serial,)| natural(serial, "last_serial"));
        Ok(last_serial.transpose()?.map(Serial))
    }
}

fn first<D: Dialect>(process: &str, generation_no: i64) -> Statement<'_> {
    let sql = format!(
        "INSERT INTO processes (process, generation_no, seen_at_ms) VALUES ($1, $2, {})",
        D::NOW_MS
    );
    Statement::new(sql).bind(process).bind(generation_no)
}

/// A mark never falls: calls of several workers are told in any order.
async fn write_mark<D: Dialect>(
    transaction: &mut Transaction<D>,
    process: &str,
    mark: &Mark,
) -> Result<()> {
    let last_serial: i64 = stored(mark.last_serial.0)?;
    let bound = |sql: String| {
        Statement::new(sql).bind(process).bind(mark.coupon_id.as_str()).bind(last_serial)
    };
    let raise = format!(
        "UPDATE marks SET last_serial = {}(last_serial, $3) WHERE process = $1 AND coupon_id = $2",
        D::GREATEST
    );
    if D::write_in(transaction, &bound(raise)).await? == 0 {
        let sql = "INSERT INTO marks (process, coupon_id, last_serial) VALUES ($1, $2, $3)";
        D::write_in(transaction, &bound(sql.to_owned())).await?;
    }
    Ok(())
}
