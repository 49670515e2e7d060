//! PostgreSQL 14 and later.

mod acts;
mod connect;
mod coupons;
mod generations;
mod hosts;
mod persist;
mod tickets;

use std::time::Duration;

use async_trait::async_trait;
use sqlx::postgres::PgPool;

use super::rehearsal::LastCommit;
use super::{
    Cancelled, Counts, Error, Intended, Persisted, Result, Store, TicketRow, UserCursor, pool,
};
use crate::domain::act::{Act, ActResult, NewAct};
use crate::domain::coupon::{Coupon, CouponId, Definition};
use crate::domain::generation::Generation;
use crate::domain::limits::{CONNECTION_WAIT, STATEMENT_TIMEOUT};
use crate::domain::record::Record;
use crate::domain::ticket::{Serial, TicketId};
use crate::domain::time::UnixMs;
use crate::domain::user::UserId;

type Transaction = sqlx::Transaction<'static, sqlx::Postgres>;

/// A pool of connections to one PostgreSQL database.
pub struct PostgresStore {
    pool: PgPool,
    last_commit: LastCommit,
}

/// The server ends its own slow statements; this is for a server that is gone without a word.
/// Longer than any transaction of a few statements, with the wait for a connection.
const GONE_AFTER: Duration =
    Duration::from_secs(CONNECTION_WAIT.as_secs() + 6 * STATEMENT_TIMEOUT.as_secs());

async fn bounded<T>(call: impl Future<Output = Result<T>>) -> Result<T> {
    let waited = tokio::time::timeout(GONE_AFTER, call).await;
    waited.unwrap_or(Err(Error::Unavailable(sqlx::Error::PoolTimedOut)))
}

#[async_trait]
impl Store for PostgresStore {
    fn dialect(&self) -> &'static str {
        "postgres"
    }

    fn pool_connections(&self) -> (usize, usize) {
        pool::connections(&self.pool)
    }

    async fn ping(&self) -> Result<()> {
        bounded(async {
            sqlx::query("SELECT 1").execute(&self.pool).await?;
            Ok(())
        })
        .await
    }

    async fn version(&self) -> Result<String> {
        let version =
            sqlx::query_scalar("SELECT 'PostgreSQL ' || current_setting('server_version')");
        bounded(async { Ok(version.fetch_one(&self.pool).await?) }).await
    }

    async fn rehearse(&self) -> Result<()> {
        match self.last_commit.is_recent() {
            true => Ok(()),
            false => bounded(persist::rehearse(&self.pool)).await,
        }
    }

    async fn unsafe_settings(&self) -> Result<Vec<String>> {
        let named = sqlx::query_scalar(
            "SELECT name FROM pg_settings WHERE setting = 'off'
             AND name IN ('fsync', 'full_page_writes', 'synchronous_commit') ORDER BY name",
        );
        let off: Vec<String> = bounded(async { Ok(named.fetch_all(&self.pool).await?) }).await?;
        let sentence = |name| {
            format!("PostgreSQL runs with {name} = off: a crash can lose committed tickets.")
        };
        Ok(off.into_iter().map(sentence).collect())
    }

    async fn tls_version(&self) -> Result<Option<String>> {
        let asked = sqlx::query_scalar(
            "SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid() AND ssl",
        );
        bounded(async { Ok(asked.fetch_optional(&self.pool).await?) }).await
    }

    async fn insert_coupon(&self, coupon: &Coupon) -> Result<bool> {
        bounded(coupons::insert(&self.pool, coupon)).await
    }

    async fn find_coupon(&self, id: &CouponId) -> Result<Option<Coupon>> {
        bounded(coupons::find(&self.pool, id)).await
    }

    async fn list_coupons(&self, after: Option<&CouponId>, limit_rows: u32) -> Result<Vec<Coupon>> {
        bounded(coupons::list(&self.pool, after, limit_rows)).await
    }

    async fn has_preloaded_coupon(&self) -> Result<bool> {
        bounded(coupons::has_preloaded(&self.pool)).await
    }

    async fn key_ids(&self) -> Result<Vec<String>> {
        bounded(coupons::key_ids(&self.pool)).await
    }

    async fn update_draft(&self, definition: &Definition, version: u64) -> Result<Option<Coupon>> {
        bounded(coupons::update_draft(&self.pool, definition, version)).await
    }

    async fn rename_coupon(&self, id: &CouponId, name: &str) -> Result<bool> {
        bounded(coupons::rename(&self.pool, id, name)).await
    }

    async fn delete_draft(&self, id: &CouponId) -> Result<bool> {
        bounded(coupons::delete_draft(&self.pool, id)).await
    }

    async fn intend_act(&self, act: &NewAct) -> Result<Intended> {
        bounded(acts::intend(&self.pool, act)).await
    }

    async fn settle_act(&self, act: &Act, result: &ActResult) -> Result<()> {
        bounded(acts::settle(&self.pool, act, result)).await
    }

    async fn find_act(&self, id: &CouponId, act_no: u64) -> Result<Option<Act>> {
        bounded(acts::find(&self.pool, id, act_no)).await
    }

    async fn unsettled_acts(
        &self,
        now: UnixMs,
        after: Option<&CouponId>,
        limit_rows: u32,
    ) -> Result<Vec<Act>> {
        bounded(acts::unsettled(&self.pool, now, after, limit_rows)).await
    }

    async fn cancel_tickets(
        &self,
        id: &CouponId,
        serials: &[Serial],
        who: &str,
        at: UnixMs,
    ) -> Result<Cancelled> {
        bounded(acts::cancel_tickets(&self.pool, id, serials, who, at)).await
    }

    async fn last_generation(&self) -> Result<Option<Generation>> {
        bounded(generations::last(&self.pool)).await
    }

    async fn append_generation(&self, generation: &Generation) -> Result<bool> {
        bounded(generations::append(&self.pool, generation)).await
    }

    async fn beat(&self, generation_no: u64, heartbeat: u64, seen_at: UnixMs) -> Result<bool> {
        bounded(generations::beat(&self.pool, generation_no, heartbeat, seen_at)).await
    }

    async fn last_serials(
        &self,
        after: Option<&CouponId>,
        limit_rows: u32,
    ) -> Result<Vec<(CouponId, Serial)>> {
        bounded(tickets::last_serials(&self.pool, after, limit_rows)).await
    }

    async fn persist(&self, records: &[Record], now_ms: fn() -> i64) -> Result<Persisted> {
        let persisted = bounded(persist::persist(&self.pool, records, now_ms)).await?;
        self.last_commit.is_now();
        Ok(persisted)
    }

    async fn find_ticket(&self, id: &TicketId) -> Result<Option<TicketRow>> {
        bounded(tickets::find(&self.pool, id)).await
    }

    async fn tickets_of_user(
        &self,
        user_id: &UserId,
        after: Option<&UserCursor>,
        limit_rows: u32,
    ) -> Result<Vec<TicketRow>> {
        bounded(tickets::of_user(&self.pool, user_id, after, limit_rows)).await
    }

    async fn tickets_of_coupon(
        &self,
        coupon_id: &CouponId,
        after: Serial,
        limit_rows: u32,
    ) -> Result<Vec<TicketRow>> {
        bounded(tickets::of_coupon(&self.pool, coupon_id, after, limit_rows)).await
    }

    async fn counts(&self, coupon_id: &CouponId) -> Result<Counts> {
        bounded(tickets::counts(&self.pool, coupon_id)).await
    }

    async fn close(&self) {
        self.pool.close().await;
    }
}
