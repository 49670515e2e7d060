//! Whether the database is there, is suitable, and keeps what it commits.

use async_trait::async_trait;

use super::error::Result;

/// What a database reports about itself; every dialect has its own way.
#[async_trait]
pub trait Health: Send + Sync {
    /// `postgres` or `sqlite`.
    fn dialect(&self) -> &'static str;

    async fn version(&self) -> Result<String>;

    /// Connections of its pools: (in use, idle).
    fn pool_connections(&self) -> (usize, usize);

    /// Opens the database and brings its schema up to date, however long its migration takes.
    async fn migrate(&self) -> Result<()>;

    /// Fails when the database does not answer, or is not suitable ([`super::Error::Open`]). Like
    /// every other call, it first opens a database that is not open yet.
    async fn ping(&self) -> Result<()>;

    /// Fails when the database accepts no rows, although it may answer: inserts a ticket and rolls
    /// back, unless this process committed tickets in the last 5 s.
    async fn rehearse(&self) -> Result<()>;

    /// Settings of the database that could lose a committed ticket, one sentence each (for
    /// instance `synchronous_commit off`); empty when it is safe.
    async fn unsafe_settings(&self) -> Result<Vec<String>>;

    /// The version of TLS that protects its connections, such as `TLSv1.3`; `None` where they are
    /// not encrypted. Behind a pooler it is the version between the pooler and the database.
    async fn tls_version(&self) -> Result<Option<String>>;

    /// The hosts to which the password may go unencrypted, because the URL does not require TLS.
    fn hosts_told_in_the_clear(&self) -> Vec<String>;

    /// Waits for running statements and closes the connections.
    async fn close(&self);
}
