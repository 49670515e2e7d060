//! How connections to the server are made, and how the database is migrated.

use sqlx::ConnectOptions;
use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};

use crate::domain::limits::{CONNECTION_WAIT, STATEMENT_TIMEOUT, TRANSACTION_IDLE};
use crate::store::Result;
use crate::store::open::{connect_failure, migrate_failure};
use crate::store::rehearsal::LastCommit;

use super::{PostgresStore, Transaction, hosts};

static MIGRATIONS: Migrator = sqlx::migrate!("src/store/postgres/migrations");

impl PostgresStore {
    /// Migrates the database and makes the pool; see [`crate::store::open`].
    pub(in crate::store) async fn open(url: &str, pool_max_connections: u32) -> Result<Self> {
        let options = hosts::writable(&hosts::hosts(url)?).await?;
        migrate(&options).await?;
        let (statement_ms, idle_ms) = (STATEMENT_TIMEOUT.as_millis(), TRANSACTION_IDLE.as_millis());
        let pool = PgPoolOptions::new()
            .max_connections(pool_max_connections)
            .acquire_timeout(CONNECTION_WAIT)
            .connect_lazy_with(options.options([
                ("statement_timeout", statement_ms),
                ("idle_in_transaction_session_timeout", idle_ms),
            ]));
        Ok(Self { pool, last_commit: LastCommit::default() })
    }
}

/// Migrates on a connection of its own without a statement time-out: an index over many rows takes
/// longer than any other statement may. The migrator holds an advisory lock, so servers that start
/// at once do it in turn.
async fn migrate(options: &PgConnectOptions) -> Result<()> {
    let waited = tokio::time::timeout(CONNECTION_WAIT, options.connect()).await;
    let connected = waited.unwrap_or(Err(sqlx::Error::PoolTimedOut));
    let mut connection = connected.map_err(connect_failure)?;
    MIGRATIONS.run_direct(None, &mut connection, false).await.map_err(migrate_failure)?;
    // The lock goes with the connection; a failed farewell changes nothing.
    let _ = sqlx::Connection::close(connection).await;
    Ok(())
}

/// Begins a transaction in which every statement sees what was committed before it, whatever the
/// server's default is: a comparison after a conflict must see the row that it met.
pub(super) async fn begin(pool: &PgPool) -> Result<Transaction> {
    Ok(pool.begin_with("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE").await?)
}
