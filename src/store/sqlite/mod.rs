//! SQLite: one file, for the embedded set-up.

mod acts;
mod bulk;
mod coupons;
mod generations;
mod persist;
mod tickets;

use std::str::FromStr;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};

use super::open::{connect_failure, migrate_failure};
use super::{Cancelled, Counts, Error, Intended, Persisted, Result, Store, TicketRow, UserCursor};
use crate::domain::act::{Act, ActResult, NewAct};
use crate::domain::coupon::{Coupon, CouponId, Definition};
use crate::domain::generation::Generation;
use crate::domain::limits::{CONNECTION_WAIT, CREATION_WAIT, LOCK_WAIT};
use crate::domain::record::Record;
use crate::domain::ticket::{Serial, TicketId};
use crate::domain::time::UnixMs;
use crate::domain::user::UserId;

static MIGRATIONS: Migrator = sqlx::migrate!("src/store/sqlite/migrations");

/// How often a start that met the lock of another one tries again.
const RETRY_EVERY: Duration = Duration::from_millis(20);

type Transaction = sqlx::Transaction<'static, sqlx::Sqlite>;

/// One connection that writes and a few that read; in WAL mode they do not wait for each other.
pub struct SqliteStore {
    writer: SqlitePool,
    readers: SqlitePool,
}

impl SqliteStore {
    /// Creates the file if there is none, migrates it and makes the pools; see [`super::open`].
    pub(super) async fn open(url: &str, pool_max_connections: u32) -> Result<Self> {
        if url.contains(":memory:") || url.contains("mode=memory") {
            return Err(Error::Open("the SQLite database must be a file".to_owned()));
        }
        let options = SqliteConnectOptions::from_str(url)
            .map_err(connect_failure)?
            .create_if_missing(true)
            .busy_timeout(LOCK_WAIT)
            .foreign_keys(true)
            .synchronous(SqliteSynchronous::Full);
        let deadline = tokio::time::Instant::now() + CREATION_WAIT;
        let writer = loop {
            match open_writer(&options).await {
                Err(Error::Unavailable(_)) if tokio::time::Instant::now() < deadline => {
                    tokio::time::sleep(RETRY_EVERY).await;
                }
                opened => break opened?,
            }
        };
        let readers = pool(pool_max_connections)
            .connect_lazy_with(options.create_if_missing(false).pragma("query_only", "ON"));
        Ok(Self { writer, readers })
    }
}

fn pool(max_connections: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(max_connections)
        .acquire_timeout(CONNECTION_WAIT)
        .idle_timeout(None)
        .max_lifetime(None)
        // A connection to a file cannot die unnoticed.
        .test_before_acquire(false)
}

/// Opens the writing connection and migrates on it. The switch to WAL does not wait for another
/// process that makes it at the same time, but fails at once: the caller tries again.
async fn open_writer(options: &SqliteConnectOptions) -> Result<SqlitePool> {
    let options = options.clone().journal_mode(SqliteJournalMode::Wal);
    let writer = pool(1).connect_with(options).await.map_err(connect_failure)?;
    match migrate(&writer).await {
        Ok(()) => Ok(writer),
        Err(error) => {
            writer.close().await;
            Err(migrate_failure(error))
        }
    }
}

/// All migrations in one transaction that holds the write lock from its beginning: the migrator
/// knows no lock on SQLite, and two servers would both find a migration missing.
async fn migrate(writer: &SqlitePool) -> std::result::Result<(), MigrateError> {
    let mut transaction = writer.begin_with("BEGIN IMMEDIATE").await?;
    MIGRATIONS.run_direct(None, &mut *transaction, false).await?;
    Ok(transaction.commit().await?)
}

/// Begins a transaction under the write lock, which stands for the row lock of other dialects.
async fn begin(writer: &SqlitePool) -> Result<Transaction> {
    Ok(writer.begin_with("BEGIN IMMEDIATE").await?)
}

#[async_trait]
impl Store for SqliteStore {
    fn dialect(&self) -> &'static str {
        "sqlite"
    }

    async fn ping(&self) -> Result<()> {
        sqlx::query("SELECT 1 FROM sqlite_schema").execute(&self.readers).await?;
        Ok(())
    }

    async fn unsafe_settings(&self) -> Result<Vec<String>> {
        let mode: String =
            sqlx::query_scalar("PRAGMA journal_mode").fetch_one(&self.writer).await?;
        let synchronous: i64 =
            sqlx::query_scalar("PRAGMA synchronous").fetch_one(&self.writer).await?;
        let mut sentences = Vec::new();
        if !["wal", "delete", "truncate", "persist"].contains(&mode.as_str()) {
            sentences.push(format!(
                "SQLite runs with journal_mode = {mode}: a crash can destroy the database."
            ));
        }
        // 2 is FULL, 3 is EXTRA.
        if synchronous < 2 {
            sentences.push(format!(
                "SQLite runs with synchronous = {synchronous}: a power failure can lose committed \
                 tickets."
            ));
        }
        Ok(sentences)
    }

    async fn insert_coupon(&self, coupon: &Coupon) -> Result<bool> {
        coupons::insert(&self.writer, coupon).await
    }

    async fn find_coupon(&self, id: &CouponId) -> Result<Option<Coupon>> {
        coupons::find(&self.readers, id).await
    }

    async fn list_coupons(&self, after: Option<&CouponId>, limit_rows: u32) -> Result<Vec<Coupon>> {
        coupons::list(&self.readers, after, limit_rows).await
    }

    async fn has_preloaded_coupon(&self) -> Result<bool> {
        coupons::has_preloaded(&self.readers).await
    }

    async fn key_ids(&self) -> Result<Vec<String>> {
        coupons::key_ids(&self.readers).await
    }

    async fn update_draft(&self, definition: &Definition, version: u64) -> Result<Option<Coupon>> {
        coupons::update_draft(&self.writer, definition, version).await
    }

    async fn rename_coupon(&self, id: &CouponId, name: &str) -> Result<bool> {
        coupons::rename(&self.writer, id, name).await
    }

    async fn delete_draft(&self, id: &CouponId) -> Result<bool> {
        coupons::delete_draft(&self.writer, id).await
    }

    async fn intend_act(&self, act: &NewAct) -> Result<Intended> {
        acts::intend(&self.writer, act).await
    }

    async fn settle_act(&self, act: &Act, result: &ActResult) -> Result<()> {
        acts::settle(&self.writer, act, result).await
    }

    async fn unsettled_acts(&self, before: UnixMs, limit_rows: u32) -> Result<Vec<Act>> {
        acts::unsettled(&self.readers, before, limit_rows).await
    }

    async fn cancel_ticket(&self, id: &TicketId, who: &str, at: UnixMs) -> Result<Cancelled> {
        acts::cancel_ticket(&self.writer, id, who, at).await
    }

    async fn last_generation(&self) -> Result<Option<Generation>> {
        generations::last(&self.readers).await
    }

    async fn append_generation(&self, generation: &Generation) -> Result<bool> {
        generations::append(&self.writer, generation).await
    }

    async fn beat(&self, generation_no: u64, heartbeat: u64, seen_at: UnixMs) -> Result<bool> {
        generations::beat(&self.writer, generation_no, heartbeat, seen_at).await
    }

    async fn last_serials(
        &self,
        after: Option<&CouponId>,
        limit_rows: u32,
    ) -> Result<Vec<(CouponId, Serial)>> {
        tickets::last_serials(&self.readers, after, limit_rows).await
    }

    async fn persist(&self, records: &[Record], now_ms: fn() -> i64) -> Result<Persisted> {
        persist::persist(&self.writer, records, now_ms).await
    }

    async fn find_ticket(&self, id: &TicketId) -> Result<Option<TicketRow>> {
        tickets::find(&self.readers, id).await
    }

    async fn tickets_of_user(
        &self,
        user_id: &UserId,
        after: Option<&UserCursor>,
        limit_rows: u32,
    ) -> Result<Vec<TicketRow>> {
        tickets::of_user(&self.readers, user_id, after, limit_rows).await
    }

    async fn tickets_of_coupon(
        &self,
        coupon_id: &CouponId,
        after: Serial,
        limit_rows: u32,
    ) -> Result<Vec<TicketRow>> {
        tickets::of_coupon(&self.readers, coupon_id, after, limit_rows).await
    }

    async fn counts(&self, coupon_id: &CouponId) -> Result<Counts> {
        tickets::counts(&self.readers, coupon_id).await
    }

    async fn close(&self) {
        // The writer last: the last connection folds the log into the file.
        self.readers.close().await;
        self.writer.close().await;
    }
}
