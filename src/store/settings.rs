//! Which database, and who migrates it.

use std::time::Duration;

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
