//! PostgreSQL 14 and later.

mod acts;
mod connect;
mod coupons;
mod generations;
mod hosts;
mod migrations;
mod opening;
mod persist;
mod pooler;
mod tickets;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::postgres::PgPool;

use self::connect::Doubt;
use self::opening::Opening;
use super::error::belongs_to_a_connection;
use super::rehearsal::LastCommit;
use super::{
    Cancelled, Counts, Error, Intended, Persisted, Result, Settings, Store, TicketRow, UserCursor,
    pool,
};
use crate::domain::act::{Act, ActResult, NewAct};
use crate::domain::coupon::{Coupon, CouponId, Definition};
use crate::domain::generation::Generation;
use crate::domain::limits::{CONNECTION_RETRIES, CONNECTION_WAIT, STATEMENT_TIMEOUT};
use crate::domain::record::Record;
use crate::domain::ticket::{Serial, TicketId};
use crate::domain::time::UnixMs;
use crate::domain::user::UserId;

type Transaction = sqlx::Transaction<'static, sqlx::Postgres>;

/// A pool of connections to one PostgreSQL database, which opens itself: the first call connects,
/// checks and migrates, and while the database is away every call tries again.
pub struct PostgresStore {
    pool: PgPool,
    last_commit: LastCommit,
    opening: Arc<Opening>,
}

/// The server ends its own slow statements; this is for a server that is gone without a word.
/// Longer than any transaction of a few statements, with the wait for a connection.
const GONE_AFTER: Duration =
    Duration::from_secs(CONNECTION_WAIT.as_secs() + 6 * STATEMENT_TIMEOUT.as_secs());

impl PostgresStore {
    /// Connects to nothing yet; see [`crate::store::new`].
    pub(in crate::store) fn new(settings: &Settings) -> Result<Self> {
        let doubt = Doubt::default();
        let pool = connect::pool(settings.pool_max_connections, &doubt);
        let opening = Arc::new(Opening::new(settings, pool.clone(), doubt)?);
        Ok(Self { pool, opening, last_commit: LastCommit::default() })
    }

    /// Calls when the database is open. What failed only because of its connection is called again
    /// on a new one: nothing of it was committed. When the database is away, another host of the
    /// URL may have taken its place.
    async fn call<T, F: Future<Output = Result<T>>>(&self, call: impl Fn() -> F) -> Result<T> {
        let called = async {
            self.opening.done().await?;
            for _ in 0..CONNECTION_RETRIES {
                match call().await {
                    Err(Error::Unavailable(error)) if belongs_to_a_connection(&error) => {
                        tracing::warn!(%error, "connections to the database are made anew");
                        // What a pooler prepared for its clients outlives their connections, and
                        // `PgBouncer` 1.21 would not see it deallocated. This fails in any case.
                        let end = "SELECT pg_terminate_backend(pg_backend_pid())";
                        let _ = sqlx::raw_sql(end).execute(&self.pool).await;
                        self.opening.doubt.raise();
                    }
                    done => return done,
                }
            }
            call().await
        };
        let waited = tokio::time::timeout(GONE_AFTER, called).await;
        let done = waited.unwrap_or_else(|_| Err(Error::late()));
        if done.as_ref().is_err_and(Error::is_away) {
            self.opening.look_for_another_host();
        }
        done
    }
}

#[async_trait]
impl Store for PostgresStore {
    fn dialect(&self) -> &'static str {
        "postgres"
    }

    fn pool_connections(&self) -> (usize, usize) {
        pool::connections(&self.pool)
    }

    async fn migrate(&self) -> Result<()> {
        self.opening.done().await
    }

    async fn ping(&self) -> Result<()> {
        self.call(|| async {
            sqlx::query("SELECT 1").execute(&self.pool).await?;
            Ok(())
        })
        .await
    }

    async fn version(&self) -> Result<String> {
        let sql = "SELECT 'PostgreSQL ' || current_setting('server_version')";
        self.call(|| async { Ok(sqlx::query_scalar(sql).fetch_one(&self.pool).await?) }).await
    }

    async fn rehearse(&self) -> Result<()> {
        match self.last_commit.is_recent() {
            true => Ok(()),
            false => self.call(|| persist::rehearse(&self.pool)).await,
        }
    }

    async fn unsafe_settings(&self) -> Result<Vec<String>> {
        let sql = "SELECT name FROM pg_settings WHERE setting = 'off'
             AND name IN ('fsync', 'full_page_writes', 'synchronous_commit') ORDER BY name";
        let off: Vec<String> = self
            .call(|| async { Ok(sqlx::query_scalar(sql).fetch_all(&self.pool).await?) })
            .await?;
        let sentence = |name| {
            format!("PostgreSQL runs with {name} = off: a crash can lose committed tickets.")
        };
        Ok(off.into_iter().map(sentence).collect())
    }

    async fn tls_version(&self) -> Result<Option<String>> {
        let sql = "SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid() AND ssl";
        self.call(|| async { Ok(sqlx::query_scalar(sql).fetch_optional(&self.pool).await?) }).await
    }

    fn hosts_told_in_the_clear(&self) -> Vec<String> {
        self.opening.hosts_told_in_the_clear()
    }

    async fn insert_coupon(&self, coupon: &Coupon) -> Result<bool> {
        self.call(|| coupons::insert(&self.pool, coupon)).await
    }

    async fn find_coupon(&self, id: &CouponId) -> Result<Option<Coupon>> {
        self.call(|| coupons::find(&self.pool, id)).await
    }

    async fn list_coupons(&self, after: Option<&CouponId>, limit_rows: u32) -> Result<Vec<Coupon>> {
        self.call(|| coupons::list(&self.pool, after, limit_rows)).await
    }

    async fn without_row(&self, ids: &[CouponId]) -> Result<Vec<CouponId>> {
        self.call(|| coupons::without_row(&self.pool, ids)).await
    }

    async fn has_preloaded_coupon(&self) -> Result<bool> {
        self.call(|| coupons::has_preloaded(&self.pool)).await
    }

    async fn key_ids(&self) -> Result<Vec<String>> {
        self.call(|| coupons::key_ids(&self.pool)).await
    }

    async fn update_draft(&self, definition: &Definition, version: u64) -> Result<Option<Coupon>> {
        self.call(|| coupons::update_draft(&self.pool, definition, version)).await
    }

    async fn rename_coupon(&self, id: &CouponId, name: &str) -> Result<bool> {
        self.call(|| coupons::rename(&self.pool, id, name)).await
    }

    async fn delete_draft(&self, id: &CouponId) -> Result<bool> {
        self.call(|| coupons::delete_draft(&self.pool, id)).await
    }

    async fn intend_act(&self, act: &NewAct) -> Result<Intended> {
        self.call(|| acts::intend(&self.pool, act)).await
    }

    async fn settle_act(&self, act: &Act, result: &ActResult) -> Result<()> {
        self.call(|| acts::settle(&self.pool, act, result)).await
    }

    async fn find_act(&self, id: &CouponId, act_no: u64) -> Result<Option<Act>> {
        self.call(|| acts::find(&self.pool, id, act_no)).await
    }

    async fn unsettled_acts(
        &self,
        now: UnixMs,
        after: Option<&CouponId>,
        limit_rows: u32,
    ) -> Result<Vec<Act>> {
        self.call(|| acts::unsettled(&self.pool, now, after, limit_rows)).await
    }

    async fn cancel_tickets(
        &self,
        id: &CouponId,
        serials: &[Serial],
        who: &str,
        at: UnixMs,
    ) -> Result<Cancelled> {
        self.call(|| acts::cancel_tickets(&self.pool, id, serials, who, at)).await
    }

    async fn last_generation(&self) -> Result<Option<Generation>> {
        self.call(|| generations::last(&self.pool)).await
    }

    async fn generations_from(
        &self,
        generation_no: u64,
        limit_rows: u32,
    ) -> Result<Vec<Generation>> {
        self.call(|| generations::from(&self.pool, generation_no, limit_rows)).await
    }

    async fn append_generation(&self, generation: &Generation) -> Result<bool> {
        self.call(|| generations::append(&self.pool, generation)).await
    }

    async fn beat(&self, generation_no: u64, heartbeat: u64, seen_at: UnixMs) -> Result<bool> {
        self.call(|| generations::beat(&self.pool, generation_no, heartbeat, seen_at)).await
    }

    async fn refuse_life(&self, generation_no: u64, run_id: &str) -> Result<()> {
        self.call(|| generations::refuse(&self.pool, generation_no, run_id)).await
    }

    async fn last_serials(
        &self,
        after: Option<&CouponId>,
        limit_rows: u32,
    ) -> Result<Vec<(CouponId, Serial)>> {
        self.call(|| tickets::last_serials(&self.pool, after, limit_rows)).await
    }

    async fn persist(&self, records: &[Record]) -> Result<Persisted> {
        let persisted = self.call(|| persist::persist(&self.pool, records)).await?;
        self.last_commit.is_now();
        Ok(persisted)
    }

    async fn find_ticket(&self, id: &TicketId) -> Result<Option<TicketRow>> {
        self.call(|| tickets::find(&self.pool, id)).await
    }

    async fn tickets_of_user(
        &self,
        user_id: &UserId,
        after: Option<&UserCursor>,
        limit_rows: u32,
    ) -> Result<Vec<TicketRow>> {
        self.call(|| tickets::of_user(&self.pool, user_id, after, limit_rows)).await
    }

    async fn tickets_of_coupon(
        &self,
        coupon_id: &CouponId,
        after: Serial,
        limit_rows: u32,
    ) -> Result<Vec<TicketRow>> {
        self.call(|| tickets::of_coupon(&self.pool, coupon_id, after, limit_rows)).await
    }

    async fn count_page(
        &self,
        coupon_id: &CouponId,
        after: Serial,
        limit_rows: u32,
    ) -> Result<Counts> {
        self.call(|| tickets::count_page(&self.pool, coupon_id, after, limit_rows)).await
    }

    async fn contested(&self, coupon_id: &CouponId) -> Result<u64> {
        self.call(|| tickets::contested(&self.pool, coupon_id)).await
    }

    async fn close(&self) {
        self.pool.close().await;
    }
}
