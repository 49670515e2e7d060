//! Whether the database is there, suits, and keeps what it commits.

use async_trait::async_trait;

use super::error::Result;

/// What a database tells of itself; every dialect has its own way.
#[async_trait]
pub trait Health: Send + Sync {
    /// `postgres` or `sqlite`.
    fn dialect(&self) -> &'static str;

    /// Its name and version.
    async fn version(&self) -> Result<String>;

    /// Connections of its pools: (in use, idle).
    fn pool_connections(&self) -> (usize, usize);

    /// Opens the database and brings its schema up to date, however long its migration takes.
    async fn migrate(&self) -> Result<()>;

    /// Fails when the database does not answer, or does not suit ([`super::Error::Open`]). As every
    /// other call it opens the database first where that was not done.
    async fn ping(&self) -> Result<()>;

    /// Fails when the database takes no rows, although it may answer: inserts a ticket and takes it
    /// back, unless this process committed tickets in the last 5 s.
    async fn rehearse(&self) -> Result<()>;

    /// Settings of the database that could lose a committed ticket, each in a sentence; empty when
    /// it is safe (for instance `synchronous_commit off`).
    async fn unsafe_settings(&self) -> Result<Vec<String>>;

    /// The version of TLS that protects its connections, such as `TLSv1.3`; `None` where they are
    /// not encrypted. Behind a pooler it is the version between the pooler and the database.
    async fn tls_version(&self) -> Result<Option<String>>;

    /// The hosts to which its password may go unencrypted, because its URL does not insist on TLS.
    fn hosts_told_in_the_clear(&self) -> Vec<String>;

    /// Waits for running statements and closes the connections.
    async fn close(&self);
}
