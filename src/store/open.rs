//! Opens a database by its URL.

use std::sync::Arc;

use sqlx::migrate::MigrateError;

use super::postgres::PostgresStore;
use super::sqlite::SqliteStore;
use super::{Error, Result, Store};

/// Connects to the database of this URL and migrates it; any number of servers may do so at once.
/// `pool_max_connections` bounds the connections of this process (on SQLite those that read; one
/// more writes).
///
/// # Errors
/// [`Error::Open`] for a URL that is none of `postgres:`, `postgresql:`, `sqlite:`, for a database
/// that refuses the connection, and for a schema that this program does not know;
/// [`Error::Unavailable`] when trying again may help. No text holds the URL: it may hold a
/// password.
pub async fn open(url: &str, pool_max_connections: u32) -> Result<Arc<dyn Store>> {
    match url.split_once(':').map(|(scheme, _)| scheme) {
        Some("postgres" | "postgresql") => {
            Ok(Arc::new(PostgresStore::open(url, pool_max_connections).await?))
        }
        Some("sqlite") => Ok(Arc::new(SqliteStore::open(url, pool_max_connections).await?)),
        _ => Err(Error::Open("the database URL must begin with postgres: or sqlite:".to_owned())),
    }
}

/// A failure of the first connection: what comes from the network or from a busy database passes,
/// all else wants a human.
pub(super) fn connect_failure(error: sqlx::Error) -> Error {
    let passes = match &error {
        sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut => true,
        sqlx::Error::Database(refusal) => refusal.code().is_some_and(|code| {
            // PostgreSQL: connection, resources, shutting down or starting. SQLite: busy, locked.
            ["08", "53", "57"].iter().any(|class| code.len() == 5 && code.starts_with(class))
                || ["5", "6", "261", "517"].contains(&code.as_ref())
        }),
        _ => false,
    };
    if passes {
        Error::Unavailable(error)
    } else {
        Error::Open(format!("cannot open the database: {error}"))
    }
}

/// A failure of the migration.
pub(super) fn migrate_failure(error: MigrateError) -> Error {
    match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => {
            connect_failure(error)
        }
        MigrateError::VersionMissing(version) => Error::Open(format!(
            "the database was migrated by a newer firstcome: it has migration {version}"
        )),
        error => Error::Open(format!("cannot migrate the database: {error}")),
    }
}
