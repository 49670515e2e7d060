//! What can go wrong with the database, by what the caller can do about it.

/// A failed call to the database. Nothing of it was committed, unless the commit itself was
/// interrupted; so every call can be made again.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It cannot be reached, is starting, is full, or took too long: try again later (SQL classes
    /// 08, 40, 53, 57 and every failure of the connection).
    #[error("the database is not available: {0}")]
    Unavailable(#[source] sqlx::Error),
    /// It refuses these very values (SQL classes 22 and 23): trying again will not help.
    #[error("the database refuses the data: {0}")]
    Data(#[source] sqlx::Error),
    /// A row holds what the house never writes.
    #[error("the database holds a malformed {0}")]
    Corrupt(&'static str),
    /// It could not be opened or migrated.
    #[error("{0}")]
    Open(String),
}
