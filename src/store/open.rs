//! Opens a database by its URL.

use std::sync::Arc;

use super::Store;
use super::error::{Error, Result};
use super::postgres::PostgresStore;
use super::settings::{Migrations, Settings};
use super::sqlite::SqliteStore;

/// The database of these settings. A PostgreSQL database is opened by the first call, and by each
/// further call until it is there; any number of servers may do so at once. A SQLite file is
/// opened here.
///
/// # Errors
/// [`Error::Open`] for a URL other than `postgres:`, `postgresql:` or `sqlite:`, and for a SQLite
/// file that cannot be opened or is not suitable; [`Error::Unavailable`] when a retry may help. No
/// error contains the URL: it may contain a password.
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
