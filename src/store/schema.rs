//! Whether the schema of a database is the one of this program, and its migrations.

use sqlx::SqlSafeStr as _;
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};

use super::error::{Result, migrate_failure};

/// The error for a process that only reads.
pub(super) const BEHIND: &str =
    "the database's schema is behind: start a server of this release, or run `firstcome migrate`";

/// The file of a migration: `<version>_<name>.sql` with its text.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct MigrationFile {
    pub(super) version: i64,
    pub(super) name: &'static str,
    pub(super) sql: &'static str,
}

/// The migrations of one dialect. They are listed by hand: the macro of sqlx that finds them needs
/// a second build of both drivers.
pub(super) fn migrator(files: &[MigrationFile]) -> Migrator {
    let simple = MigrationType::Simple;
    let migration = |file: &MigrationFile| {
        Migration::new(file.version, file.name.into(), simple, file.sql.into_sql_str(), false)
    };
    Migrator::with_migrations(files.iter().map(migration).collect())
}

/// Whether every migration was made, by the versions and checksums of those in the database.
///
/// # Errors
/// [`super::Error::Open`] when the database has one that this program does not know.
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

/// Fails when the list lacks a file of this folder, or has another text than the file.
#[cfg(test)]
pub(super) fn assert_lists_all_files(files: &[MigrationFile], folder: &str) {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut there: Vec<(String, String)> = std::fs::read_dir(folder)
        .expect("the folder of the migrations")
        .map(|entry| {
            let path = entry.expect("an entry").path();
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            (name, std::fs::read_to_string(&path).expect("the text of a migration"))
        })
        .collect();
    there.sort();
    let listed = files
        .iter()
        .map(|file| (format!("{:04}_{}.sql", file.version, file.name), file.sql.to_owned()));
    assert_eq!(listed.collect::<Vec<_>>(), there);
}
