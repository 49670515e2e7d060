//! The schema: whether it is up to date, and how it is migrated.

use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _, FromRow};

use crate::store::error::{Error, Result, connect_failure, migrate_failure};
use crate::store::schema::{MigrationFile, are_all_made, migrator};

/// Every file of `migrations/`, in the order of the versions.
const FILES: &[MigrationFile] =
    &[MigrationFile { version: 1, name: "first", sql: include_str!("migrations/0001_first.sql") }];

/// The lock that servers which start together take one after the other: `firstcom` as a number.
const LOCK: i64 = 0x6669_7273_7463_6f6d;

fn migrations() -> Migrator {
    let mut migrations = migrator(FILES);
    // The lock of `sqlx` belongs to a session. Behind a pooler there are no sessions, and it would
    // never be released.
    migrations.set_locking(false);
    migrations
}

/// Whether every migration was made.
///
/// # Errors
/// [`Error::Open`] when the database has one that this program does not know.
pub(super) async fn stand(connection: &mut PgConnection) -> Result<bool> {
    let sql = "SELECT version, checksum FROM _sqlx_migrations WHERE success";
    let made = match sqlx::raw_sql(sql).fetch_all(connection).await {
        Ok(rows) => rows.iter().map(FromRow::from_row).collect::<sqlx::Result<Vec<_>>>(),
        Err(sqlx::Error::Database(refusal)) if is_code(&*refusal, "42P01") => return Ok(false),
        Err(error) => Err(error),
    };
    let made: Vec<(i64, Vec<u8>)> = made.map_err(connect_failure)?;
    are_all_made(&migrations(), &made)
}

/// Makes all missing migrations in one transaction, under a lock that ends with it. There is no
/// statement time-out: an index over many rows takes longer than any other statement may.
///
/// # Errors
/// [`Error::Unavailable`] when another process holds the lock for longer than `wait`.
pub(super) async fn run(connection: &mut PgConnection, wait: Duration) -> Result<()> {
    let begin = format!(
        "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SET LOCAL statement_timeout = 0; \
         SET LOCAL lock_timeout = {}; SELECT pg_advisory_xact_lock({LOCK})",
        wait.as_millis()
    );
    let begun = connection.begin_with(AssertSqlSafe(begin)).await;
    let mut transaction = begun.map_err(|error| match error {
        sqlx::Error::Database(refusal) if is_code(&*refusal, "55P03") => Error::away(&format!(
            "another process migrates it, or holds the lock of the migration, since {} s or more",
            wait.as_secs_f32()
        )),
        error => connect_failure(error),
    })?;
    migrations().run_direct(None, &mut *transaction, false).await.map_err(migrate_failure)?;
    transaction.commit().await.map_err(connect_failure)
}

/// Whether a process migrates: it has the lock, or waits for it.
pub(super) async fn is_locked(connection: &mut PgConnection) -> Result<bool> {
    let (high, low) = (LOCK >> 32, LOCK & 0xffff_ffff);
    let sql = format!(
        "SELECT EXISTS (SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1
             AND classid::bigint = {high} AND objid::bigint = {low} AND database =
             (SELECT oid FROM pg_database WHERE datname = current_database()))"
    );
    let row = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_one(connection).await;
    let (is_locked,) =
        FromRow::from_row(&row.map_err(connect_failure)?).map_err(connect_failure)?;
    Ok(is_locked)
}

fn is_code(refusal: &dyn sqlx::error::DatabaseError, code: &str) -> bool {
    refusal.code().is_some_and(|own| own == code)
}

#[cfg(test)]
mod tests {
    use super::FILES;
    use crate::store::schema::assert_lists_all_files;

    #[test]
    fn every_file_of_the_folder_is_in_the_list_of_migrations() {
        assert_lists_all_files(FILES, "src/store/postgres/migrations");
    }
}
