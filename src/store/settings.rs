//! Which database, and who migrates it.

use std::time::Duration;

/// Who brings the schema up to date.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Migrations {
    /// The process that opens the database, by the same URL.
    Here,
    /// The process that opens it, by this URL: one that bypasses a pooler, or logs in as the
    /// owner.
    At(String),
    /// Others; this process refuses a schema that is behind. A SQLite file has no others.
    ByOthers,
    /// Nobody now: the process only reads. It refuses a schema that is behind, and does not create
    /// a SQLite file.
    Never,
}

/// Which database, and how it is used.
#[derive(Debug, Clone)]
pub struct Settings {
    pub url: String,
    /// Connections of this process, 1 or more; on SQLite these only read, and one more writes.
    pub pool_max_connections: u32,
    pub migrations: Migrations,
    /// How long to wait for another process that migrates the database.
    pub migration_wait: Duration,
}
