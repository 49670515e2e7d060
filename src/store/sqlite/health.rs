//! What a SQLite file reports about itself.

use async_trait::async_trait;

use super::SqliteStore;
use super::connect::check;
use crate::store::error::Result;
use crate::store::health::Health;
use crate::store::{pool, rehearsal};

#[async_trait]
impl Health for SqliteStore {
    fn dialect(&self) -> &'static str {
        "sqlite"
    }

    async fn version(&self) -> Result<String> {
        let version = sqlx::query_scalar("SELECT 'SQLite ' || sqlite_version()");
        Ok(version.fetch_one(&self.readers).await?)
    }

    fn pool_connections(&self) -> (usize, usize) {
        let (writers, readers) =
            (pool::connections(&self.writer), pool::connections(&self.readers));
        (writers.0 + readers.0, writers.1 + readers.1)
    }

    /// This was done when the file was opened.
    async fn migrate(&self) -> Result<()> {
        Ok(())
    }

    async fn ping(&self) -> Result<()> {
        if let Some(file) = &self.only_looked_at {
            check(file, &self.readers).await?;
        }
        sqlx::query("SELECT 1 FROM sqlite_schema").execute(&self.readers).await?;
        Ok(())
    }

    async fn rehearse(&self) -> Result<()> {
        rehearsal::rehearse(self).await
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
        // A connection to a file cannot be read by others.
        Ok(None)
    }

    fn hosts_told_in_the_clear(&self) -> Vec<String> {
        Vec::new()
    }

    async fn close(&self) {
        // The writer last: the last connection to close moves the log into the file.
        self.readers.close().await;
        self.writer.close().await;
    }
}
