//! What a server reports about itself.

use async_trait::async_trait;

use super::PostgresStore;
use crate::domain::limits::MIGRATION_MAX;
use crate::store::dialect::Dialect as _;
use crate::store::error::Result;
use crate::store::health::Health;
use crate::store::{pool, rehearsal};

#[async_trait]
impl Health for PostgresStore {
    fn dialect(&self) -> &'static str {
        "postgres"
    }

    async fn version(&self) -> Result<String> {
        let sql = "SELECT 'PostgreSQL ' || current_setting('server_version')";
        self.call(|| async { Ok(sqlx::query_scalar(sql).fetch_one(&self.pool).await?) }).await
    }

    fn pool_connections(&self) -> (usize, usize) {
        pool::connections(&self.pool)
    }

    async fn migrate(&self) -> Result<()> {
        self.opening.done(MIGRATION_MAX).await
    }

    async fn ping(&self) -> Result<()> {
        self.call(|| async {
            sqlx::query("SELECT 1").execute(&self.pool).await?;
            Ok(())
        })
        .await
    }

    async fn rehearse(&self) -> Result<()> {
        rehearsal::rehearse(self).await
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

    async fn close(&self) {
        self.pool.close().await;
    }
}
