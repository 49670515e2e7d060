//! How connections to the file are made, and how it is migrated.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::LazyLock;
use std::time::Duration;

use sqlx::Transaction;
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::sqlite::{
    Sqlite, SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteSynchronous,
};

use crate::domain::limits::{CONNECTION_WAIT, CREATION_WAIT, LOCK_WAIT};
use crate::store::error::{Error, Result, connect_failure, migrate_failure};
use crate::store::schema::{BEHIND, MigrationFile, are_all_made, migrator};

/// Every file of `migrations/`, in the order of the versions.
const FILES: &[MigrationFile] =
    &[MigrationFile { version: 1, name: "first", sql: include_str!("migrations/0001_first.sql") }];

static MIGRATIONS: LazyLock<Migrator> = LazyLock::new(|| migrator(FILES));

/// The pause before a start tries again, after it found the file locked by another start.
const RETRY_EVERY: Duration = Duration::from_millis(20);

/// Page cache of the writing connection. Users arrive in no order, so every batch touches pages
/// all over their index; with SQLite's default of 2 MB most pages would be read again.
const CACHE_KIB: &str = "-65536";
/// Pages in the log before they are moved into the file (32 MiB): a page that many batches change
/// is written once. With SQLite's default of 1,000 persisting takes twice as long.
const LOG_PAGES: &str = "8192";

/// Creates the file if there is none, migrates it, and makes the two pools: the writer and the
/// readers.
pub(super) async fn open(url: &str, readers_max: u32) -> Result<(SqlitePool, SqlitePool)> {
    let options = options(url)?.create_if_missing(true);
    let deadline = tokio::time::Instant::now() + CREATION_WAIT;
    let writer = loop {
        match open_writer(&options).await {
            Err(Error::Unavailable(_)) if tokio::time::Instant::now() < deadline => {
                tokio::time::sleep(RETRY_EVERY).await;
            }
            opened => break opened?,
        }
    };
    let readers = pool(readers_max)
        .connect_lazy_with(options.create_if_missing(false).pragma("query_only", "ON"));
    Ok((writer, readers))
}

/// Pools for a process that only reads: nothing is created or migrated, and the file may be
/// missing. Returns its path too.
pub(super) fn only_look(url: &str, readers_max: u32) -> Result<(SqlitePool, SqlitePool, PathBuf)> {
    let options = options(url)?.create_if_missing(false);
    let file = options.get_filename().to_owned();
    let writer = pool(1).connect_lazy_with(options.clone());
    let readers = pool(readers_max).connect_lazy_with(options.pragma("query_only", "ON"));
    Ok((writer, readers, file))
}

fn options(url: &str) -> Result<SqliteConnectOptions> {
    if url.contains(":memory:") || url.contains("mode=memory") {
        return Err(Error::Open("the SQLite database must be a file".to_owned()));
    }
    let options = SqliteConnectOptions::from_str(url).map_err(connect_failure)?;
    let options = options.busy_timeout(LOCK_WAIT).foreign_keys(true);
    Ok(options.synchronous(SqliteSynchronous::Full))
}

/// Whether the file exists and every migration was made.
///
/// # Errors
/// [`Error::Open`] if not.
pub(super) async fn check(file: &Path, readers: &SqlitePool) -> Result<()> {
    if !file.exists() {
        return Err(Error::Open("there is no database yet: the first server makes it".to_owned()));
    }
    let table = "SELECT COUNT(*) FROM sqlite_schema WHERE name = '_sqlx_migrations'";
    let tables: i64 =
        sqlx::query_scalar(table).fetch_one(readers).await.map_err(connect_failure)?;
    let sql = "SELECT version, checksum FROM _sqlx_migrations WHERE success";
    let made = match tables {
        0 => Vec::new(),
        _ => sqlx::query_as(sql).fetch_all(readers).await.map_err(connect_failure)?,
    };
    match are_all_made(&MIGRATIONS, &made)? {
        true => Ok(()),
        false => Err(Error::Open(BEHIND.to_owned())),
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

/// Opens the writing connection and migrates on it. It fails while another process keeps the file
/// locked; the caller tries again.
async fn open_writer(options: &SqliteConnectOptions) -> Result<SqlitePool> {
    let options = options
        .clone()
        .journal_mode(SqliteJournalMode::Wal)
        .pragma("cache_size", CACHE_KIB)
        .pragma("wal_autocheckpoint", LOG_PAGES);
    let writer = pool(1).connect_with(options).await.map_err(connect_failure)?;
    match migrate(&writer).await {
        Ok(()) => Ok(writer),
        Err(error) => {
            writer.close().await;
            Err(migrate_failure(error))
        }
    }
}

/// All migrations in one transaction, with the write lock from its beginning: the migrator takes
/// no lock on SQLite, and two servers would both find a migration missing.
async fn migrate(writer: &SqlitePool) -> std::result::Result<(), MigrateError> {
    let mut transaction = writer.begin_with("BEGIN IMMEDIATE").await?;
    MIGRATIONS.run_direct(None, &mut *transaction, false).await?;
    Ok(transaction.commit().await?)
}

/// Begins a transaction with the write lock, which replaces the row lock of other dialects.
pub(super) async fn begin(writer: &SqlitePool) -> Result<Transaction<'static, Sqlite>> {
    Ok(writer.begin_with("BEGIN IMMEDIATE").await?)
}

#[cfg(test)]
mod tests {
    use super::FILES;
    use crate::store::schema::assert_lists_all_files;

    #[test]
    fn every_file_of_the_folder_is_in_the_list_of_migrations() {
        assert_lists_all_files(FILES, "src/store/sqlite/migrations");
    }
}
