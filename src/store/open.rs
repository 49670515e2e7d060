//! Opens a database by its URL.

use std::sync::Arc;

use super::Store;
use super::error::{Error, Result};
use super::postgres::PostgresStore;
use super::settings::{Migrations, Settings};
use super::sqlite::SqliteStore;

/// The database of these settings. PostgreSQL is opened by its first call, and by every further one
/// until it is there; any number of servers may do so at once. A SQLite file is opened here.
///
/// # Errors
/// [`Error::Open`] for a URL that is none of `postgres:`, `postgresql:`, `sqlite:`, and for a
/// SQLite file that cannot be opened or does not suit; [`Error::Unavailable`] when trying again may
/// help. No text holds the URL: it may hold a password.
pub async fn new(settings: &Settings) -> Result<Arc<dyn Store>> {
    match settings.url.split_once(':').map(|(scheme, _)| scheme) {
        Some("postgres" | "postgresql") => Ok(Arc::new(PostgresStore::new(settings)?)),
        Some("sqlite") => {
            let readers_max = settings.pool_max_connections;
            Ok(Arc::new(match settings.migrations {
                Migrations::Never => SqliteStore::only_looking(&settings.url, readers_max)?,
                _ => SqliteStore::open(&settings.url, readers_max).await?,
            }))
        }
        _ => Err(Error::Open("the database URL must begin with postgres: or sqlite:".to_owned())),
    }
}
