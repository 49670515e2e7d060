//! Whether the schema of a database is that of this program.

use sqlx::migrate::{MigrateError, Migrator};

use super::error::{Result, migrate_failure};

/// Told by whoever only looks.
pub(super) const BEHIND: &str =
    "the database's schema is behind: start a server of this release, or run `firstcome migrate`";

/// Whether every migration was made, by the versions and checksums of those that were.
///
/// # Errors
/// [`super::Error::Open`] when one was made that this program does not know.
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
