//! SQLite: one file, for the embedded set-up.

mod bulk;
mod connect;
mod health;

use std::path::PathBuf;

use serde_json::json;
use sqlx::query::{Query, QueryAs};
use sqlx::sqlite::{SqliteArguments, SqlitePool};
use sqlx::{Arguments as _, Sqlite};

use super::dialect::{Dialect, Row, Statement, Transaction, Value};
use super::error::Result;
use super::last_commit::LastCommit;

/// One connection that writes and a few that read; in WAL mode they do not wait for each other.
pub(super) struct SqliteStore {
    writer: SqlitePool,
    readers: SqlitePool,
    last_commit: LastCommit,
    /// The path of the file, for a store that only reads.
    only_looked_at: Option<PathBuf>,
}

impl SqliteStore {
    /// Creates the file if there is none, migrates it, and makes the pools; see
    /// [`crate::store::new`].
    pub(super) async fn open(url: &str, readers_max: u32) -> Result<Self> {
        let (writer, readers) = connect::open(url, readers_max).await?;
        Ok(Self { writer, readers, last_commit: LastCommit::default(), only_looked_at: None })
    }

    /// For a process that only reads: nothing is created or migrated. Each
    /// [`crate::store::Health::ping`] checks the schema.
    pub(super) fn only_looking(url: &str, readers_max: u32) -> Result<Self> {
        let (writer, readers, file) = connect::only_look(url, readers_max)?;
        let only_looked_at = Some(file);
        Ok(Self { writer, readers, last_commit: LastCommit::default(), only_looked_at })
    }
}

impl Dialect for SqliteStore {
    /// The transaction has the write lock, which replaces the row lock of other dialects.
    const FOR_UPDATE: &'static str = "";
    const GREATEST: &'static str = "MAX";
    const NOW_MS: &'static str = "CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER)";
    const RANDOM_ID: &'static str = "lower(hex(randomblob(16)))";
    const TICKET_COLUMNS: &'static str = "tickets.coupon_id, epoch, tickets.serial, \
         tickets.user_id, tickets.claim, issued_at_ms, source, status";

    fn among(parameter: &str) -> String {
        format!("IN (SELECT value FROM json_each({parameter}))")
    }

    fn last_commit(&self) -> &LastCommit {
        &self.last_commit
    }

    /// A file loses no connection.
    async fn call<T: Send, F: Future<Output = Result<T>> + Send>(
        &self,
        transaction: impl Fn() -> F + Send + Sync,
    ) -> Result<T> {
        transaction().await
    }

    async fn begin(&self) -> Result<Transaction<Self>> {
        connect::begin(&self.writer).await
    }

    async fn read_in<R: Row>(
        transaction: &mut Transaction<Self>,
        statement: &Statement<'_>,
    ) -> Result<Vec<R>> {
        Ok(query_as(statement)?.fetch_all(&mut **transaction).await?)
    }

    async fn write_in(
        transaction: &mut Transaction<Self>,
        statement: &Statement<'_>,
    ) -> Result<u64> {
        Ok(query(statement)?.execute(&mut **transaction).await?.rows_affected())
    }

    async fn read<R: Row>(&self, statement: &Statement<'_>) -> Result<Vec<R>> {
        Ok(query_as(statement)?.fetch_all(&self.readers).await?)
    }

    async fn write(&self, statement: &Statement<'_>) -> Result<u64> {
        Ok(query(statement)?.execute(&self.writer).await?.rows_affected())
    }

    async fn insert(&self, statement: Statement<'_>, key: &str) -> Result<bool> {
        let statement = statement.followed_by(&format!(" ON CONFLICT ({key}) DO NOTHING"));
        Ok(self.write(&statement).await? == 1)
    }
}

fn query(statement: &Statement<'_>) -> Result<Query<'static, Sqlite, SqliteArguments>> {
    Ok(sqlx::query_with(statement.sql.clone(), bound(statement)?))
}

fn query_as<R: Row>(
    statement: &Statement<'_>,
) -> Result<QueryAs<'static, Sqlite, R, SqliteArguments>> {
    Ok(sqlx::query_as_with(statement.sql.clone(), bound(statement)?))
}

/// Binds lists as JSON.
fn bound(statement: &Statement<'_>) -> Result<SqliteArguments> {
    let mut arguments = SqliteArguments::default();
    for value in &statement.values {
        let bound = match value {
            Value::Text(text) => arguments.add(*text),
            Value::Number(number) => arguments.add(*number),
            Value::Texts(texts) => arguments.add(json!(texts).to_string()),
            Value::Numbers(numbers) => arguments.add(json!(numbers).to_string()),
        };
        bound.map_err(sqlx::Error::Encode)?;
    }
    Ok(arguments)
}
