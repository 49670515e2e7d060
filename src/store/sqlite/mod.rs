//! SQLite: one file, for the embedded set-up.

mod acts;
mod bulk;
mod connect;
mod coupons;
mod generations;
mod persist;
mod tickets;

use async_trait::async_trait;
use sqlx::sqlite::SqlitePool;

use super::rehearsal::LastCommit;
use super::{Cancelled, Counts, Intended, Persisted, Result, Store, TicketRow, UserCursor, pool};
use crate::domain::act::{Act, ActResult, NewAct};
use crate::domain::coupon::{Coupon, CouponId, Definition};
use crate::domain::generation::Generation;
use crate::domain::record::Record;
use crate::domain::ticket::{Serial, TicketId};
use crate::domain::time::UnixMs;
use crate::domain::user::UserId;

type Transaction = sqlx::Transaction<'static, sqlx::Sqlite>;

/// One connection that writes and a few that read; in WAL mode they do not wait for each other.
pub struct SqliteStore {
    writer: SqlitePool,
    readers: SqlitePool,
    last_commit: LastCommit,
}

#[async_trait]
impl Store for SqliteStore {
    fn dialect(&self) -> &'static str {
        "sqlite"
    }

    fn pool_connections(&self) -> (usize, usize) {
        let (writers, readers) =
            (pool::connections(&self.writer), pool::connections(&self.readers));
        (writers.0 + readers.0, writers.1 + readers.1)
    }

    /// Done when it was opened.
    async fn migrate(&self) -> Result<()> {
        Ok(())
    }

    async fn ping(&self) -> Result<()> {
        sqlx::query("SELECT 1 FROM sqlite_schema").execute(&self.readers).await?;
        Ok(())
    }

    async fn version(&self) -> Result<String> {
        let version = sqlx::query_scalar("SELECT 'SQLite ' || sqlite_version()");
        Ok(version.fetch_one(&self.readers).await?)
    }

    async fn rehearse(&self) -> Result<()> {
        match self.last_commit.is_recent() {
            true => Ok(()),
            false => persist::rehearse(&self.writer).await,
        }
    }

    async fn unsafe_settings(&self) -> Result<Vec<String>> {
        let mode: String =
            sqlx::query_scalar("PRAGMA journal_mode").fetch_one(&self.readers).await?;
        let synchronous: i64 =
            sqlx::query_scalar("PRAGMA synchronous").fetch_one(&self.readers).await?;
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

    async fn tls_version(&self) -> Result<Option<String>> {
        // A file has no connection that others could read.
        Ok(None)
    }

    fn hosts_told_in_the_clear(&self) -> Vec<String> {
        Vec::new()
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

    async fn without_row(&self, ids: &[CouponId]) -> Result<Vec<CouponId>> {
        coupons::without_row(&self.readers, ids).await
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

    async fn find_act(&self, id: &CouponId, act_no: u64) -> Result<Option<Act>> {
        acts::find(&self.readers, id, act_no).await
    }

    async fn unsettled_acts(
        &self,
        now: UnixMs,
        after: Option<&CouponId>,
        limit_rows: u32,
    ) -> Result<Vec<Act>> {
        acts::unsettled(&self.readers, now, after, limit_rows).await
    }

    async fn cancel_tickets(
        &self,
        id: &CouponId,
        serials: &[Serial],
        who: &str,
        at: UnixMs,
    ) -> Result<Cancelled> {
        acts::cancel_tickets(&self.writer, id, serials, who, at).await
    }

    async fn last_generation(&self) -> Result<Option<Generation>> {
        generations::last(&self.readers).await
    }

    async fn generations_from(
        &self,
        generation_no: u64,
        limit_rows: u32,
    ) -> Result<Vec<Generation>> {
        generations::from(&self.readers, generation_no, limit_rows).await
    }

    async fn append_generation(&self, generation: &Generation) -> Result<bool> {
        generations::append(&self.writer, generation).await
    }

    async fn beat(&self, generation_no: u64, heartbeat: u64, seen_at: UnixMs) -> Result<bool> {
        generations::beat(&self.writer, generation_no, heartbeat, seen_at).await
    }

    async fn refuse_life(&self, generation_no: u64, run_id: &str) -> Result<()> {
        generations::refuse(&self.writer, generation_no, run_id).await
    }

    async fn last_serials(
        &self,
        after: Option<&CouponId>,
        limit_rows: u32,
    ) -> Result<Vec<(CouponId, Serial)>> {
        tickets::last_serials(&self.readers, after, limit_rows).await
    }

    async fn persist(&self, records: &[Record]) -> Result<Persisted> {
        let persisted = persist::persist(&self.writer, records).await?;
        self.last_commit.is_now();
        Ok(persisted)
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

    async fn count_page(
        &self,
        coupon_id: &CouponId,
        after: Serial,
        limit_rows: u32,
    ) -> Result<Counts> {
        tickets::count_page(&self.readers, coupon_id, after, limit_rows).await
    }

    async fn contested(&self, coupon_id: &CouponId) -> Result<u64> {
        tickets::contested(&self.readers, coupon_id).await
    }

    async fn close(&self) {
        // The writer last: the last connection folds the log into the file.
        self.readers.close().await;
        self.writer.close().await;
    }
}
