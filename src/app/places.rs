//! Where the servers of a context are, and what is needed to reach them.

use super::Failure;
use crate::config::{Settings, Switch};
use crate::domain::limits::MIGRATION_WAIT;
use crate::embedded::secrets;
use crate::store::{self, Migrations};

/// What happens when the database does not answer. One that is not suitable is always a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Database {
    /// It is a failure.
    Needed,
    /// The process starts without it and keeps trying, as servers and workers do. Only they also
    /// create what is missing in the data directory.
    MayBeAway,
    /// The process waits half a second for it, and continues without it whatever the reason: a
    /// coupon must be stopped at once.
    Optional,
    /// It is asked later, like Redis, and only read: see [`super::Examination`].
    Unasked,
}

/// The certificate authorities for a Redis with TLS, if a file with them is set.
pub(super) fn authorities(settings: &Settings) -> Result<Option<Vec<u8>>, Failure> {
    let Some(path) = &settings.redis_ca_file else { return Ok(None) };
    let read = std::fs::read(path);
    let fault = |error| format!("FIRSTCOME_REDIS_CA_FILE: cannot read {}: {error}", path.display());
    read.map(Some).map_err(|error| Failure::Usage(fault(error)))
}

/// Fails unless a server has made this in the data directory; only servers and workers make it.
pub(super) fn find(name: &str, settings: &Settings, database: Database) -> Result<(), Failure> {
    let dir = &settings.data_dir;
    if database == Database::MayBeAway || dir.join(name).exists() {
        return Ok(());
    }
    Err(Failure::Missing(format!(
        "no server has run with the data directory {}: start `firstcome serve` there, or set \
         FIRSTCOME_DATA_DIR to the directory of a server, or REDIS_URL and DATABASE_URL to your \
         own servers",
        dir.display()
    )))
}

pub(super) fn database_settings(
    settings: &Settings,
    database: Database,
) -> Result<store::Settings, Failure> {
    let url = match &settings.database_url {
        Some(url) => url.clone(),
        None => {
            find("firstcome.db", settings, database)?;
            secrets::database_url(&settings.data_dir)?
        }
    };
    let migrations = match (database, settings.migrate, &settings.database_migrate_url) {
        (Database::Unasked, ..) => Migrations::Never,
        (_, Switch::Off, _) => Migrations::ByOthers,
        (_, Switch::On, Some(url)) => Migrations::At(url.clone()),
        (_, Switch::On, None) => Migrations::Here,
    };
    let pool_max_connections = settings.bounds.database_pool_max_connections;
    let migration_wait = MIGRATION_WAIT;
    Ok(store::Settings { url, pool_max_connections, migrations, migration_wait })
}
