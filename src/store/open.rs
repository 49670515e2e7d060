//! Opens a database by its URL.

use std::sync::Arc;
use std::time::Duration;

use sqlx::error::DatabaseError;
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::PgDatabaseError;

use super::postgres::PostgresStore;
use super::sqlite::SqliteStore;
use super::{Error, Result, Store};
use crate::domain::limits::MIGRATION_WAIT;

/// Who brings the schema up to date.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Migrations {
    /// Whoever opens the database, by the same URL.
    Here,
    /// Whoever opens it, by this URL: past a pooler, or as its owner.
    At(String),
    /// Others; a schema that is behind is refused. A SQLite file has no others.
    ByOthers,
    /// Nobody now: the database is only looked at. A schema that is behind is refused, and a SQLite
    /// file that does not exist is not made.
    Never,
}

/// Told by whoever only looks.
pub(super) const BEHIND: &str =
    "the database's schema is behind: start a server of this release, or run `firstcome migrate`";

/// Which database, and how it is used.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `postgres:`, `postgresql:` or `sqlite:`.
    pub url: String,
    /// Connections of this process, 1 or more; on SQLite those that read, and one more writes.
    pub pool_max_connections: u32,
    /// Who migrates it.
    pub migrations: Migrations,
    /// Another process that migrates it is waited for this long.
    pub migration_wait: Duration,
}

/// The database of these settings. PostgreSQL is opened by its first call, and by every further one
/// until it is there; any number of servers may do so at once. A SQLite file is opened here.
///
/// # Errors
/// [`Error::Open`] for a URL that is none of `postgres:`, `postgresql:`, `sqlite:`; for SQLite as
/// [`open`]. No text holds the URL: it may hold a password.
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

/// Opens the database of this URL, with at most so many connections, and migrates it.
///
/// # Errors
/// [`Error::Open`] as [`new`], for a database that refuses the connection or does not suit, and for
/// a schema that this program does not know; [`Error::Unavailable`] when trying again may help.
pub async fn open(url: &str, pool_max_connections: u32) -> Result<Arc<dyn Store>> {
    let migrations = Migrations::Here;
    let settings = Settings {
        url: url.to_owned(),
        pool_max_connections,
        migrations,
        migration_wait: MIGRATION_WAIT,
    };
    let store = new(&settings).await?;
    store.migrate().await?;
    store.ping().await?;
    Ok(store)
}

/// Whether only this connection failed, and another one may do the same at once: its server, or a
/// pooler, lost a prepared statement (26000), has it already (42P05), knows another one by its name
/// (08P01, which a pooler says of everything else too), or its plan is
/// out of date (0A000). Messages are translated, routines of PostgreSQL are not.
pub(super) fn belongs_to_a_connection(error: &sqlx::Error) -> bool {
    let refusal = error.as_database_error().and_then(<dyn DatabaseError>::try_downcast_ref);
    let Some(refusal): Option<&PgDatabaseError> = refusal else { return false };
    match (refusal.code(), refusal.routine()) {
        ("26000" | "42P05", _) | ("0A000", Some("RevalidateCachedQuery")) => true,
        // A pooler names no routine.
        ("08P01", None) => refusal.message().contains("prepared statement"),
        ("08P01", Some(routine)) => routine == "exec_bind_message",
        _ => false,
    }
}

/// A failure of the first connection: what comes from the network or from a busy database passes,
/// all else wants a human.
pub(super) fn connect_failure(error: sqlx::Error) -> Error {
    if let sqlx::Error::Io(fault) = &error
        && fault.kind() == std::io::ErrorKind::InvalidData
    {
        // What TLS says of a certificate; the next one would be no better.
        return Error::Open(format!(
            "the database is not believed: {fault}; with sslmode=verify-full its certificate must \
             name the host, and an authority must vouch for it that the machine trusts or that \
             sslrootcert in the URL names"
        ));
    }
    let passes = match &error {
        sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut => true,
        sqlx::Error::Database(refusal) => may_pass(refusal.as_ref()),
        _ => false,
    };
    if passes {
        Error::Unavailable(error)
    } else {
        Error::Open(format!("cannot open the database: {error}"))
    }
}

fn may_pass(refusal: &dyn DatabaseError) -> bool {
    let Some(code) = refusal.code() else { return false };
    if code == "08P01" {
        // A pooler has one code for everything.
        let for_good = ["unsupported startup parameter", "no such", "authentication", "SASL"];
        return !for_good.iter().any(|words| refusal.message().contains(words));
    }
    // PostgreSQL: connection, resources, closed to all or locked, shutting down or starting.
    // SQLite: busy, locked.
    ["08", "53", "55", "57"].iter().any(|class| code.len() == 5 && code.starts_with(class))
        || ["25006", "5", "6", "261", "517"].contains(&code.as_ref())
}

/// Whether every migration was made, by the versions and checksums of those that were.
///
/// # Errors
/// [`Error::Open`] when one was made that this program does not know.
pub(super) fn are_all_made(known: &Migrator, made: &[(i64, Vec<u8>)]) -> Result<bool> {
    for (version, checksum) in made {
        let same = known.iter().find(|migration| migration.version == *version);
        let same = same.ok_or(MigrateError::VersionMissing(*version));
        if *same.map_err(migrate_failure)?.checksum != **checksum {
            return Err(migrate_failure(MigrateError::VersionMismatch(*version)));
        }
    }
    Ok(known.iter().all(|migration| made.iter().any(|(version, _)| *version == migration.version)))
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
