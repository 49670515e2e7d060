//! How connections to the server are made, and what becomes of those that are doubted.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection as _};

use crate::domain::limits::{CONNECTION_WAIT, STATEMENT_TIMEOUT, TRANSACTION_IDLE};
use crate::store::error::{Result, connect_failure};

type Transaction = sqlx::Transaction<'static, sqlx::Postgres>;

/// A connection of one's own, bounded by [`CONNECTION_WAIT`].
pub(super) async fn connect(options: &PgConnectOptions) -> Result<PgConnection> {
    let waited = tokio::time::timeout(CONNECTION_WAIT, options.connect()).await;
    waited.unwrap_or(Err(sqlx::Error::PoolTimedOut)).map_err(connect_failure)
}

/// A failed farewell changes nothing.
pub(super) async fn farewell(connection: PgConnection) {
    let _ = connection.close().await;
}

/// A pool that is told later where to connect to, and lends no connection that is doubted.
pub(super) fn pool(max_connections: u32, doubt: &Doubt) -> PgPool {
    let doubt = doubt.clone();
    PgPoolOptions::new()
        .max_connections(max_connections)
        .acquire_timeout(CONNECTION_WAIT)
        .before_acquire(move |_, met| {
            let is_sound = !doubt.covers(met.age);
            Box::pin(async move { Ok(is_sound) })
        })
        .connect_lazy_with(PgConnectOptions::new_without_pgpass())
}

/// Connections that may remember what their server has forgotten: a statement that was deallocated,
/// a plan of a table that has changed. All that are older than the doubt are closed.
#[derive(Clone, Default)]
pub(super) struct Doubt(Arc<Mutex<Option<Instant>>>);

impl Doubt {
    /// Doubts every connection that was made until now.
    pub(super) fn raise(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    fn covers(&self, age: Duration) -> bool {
        let raised = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        raised.is_some_and(|raised| raised.elapsed() <= age)
    }
}

/// Begins a transaction in which every statement sees what was committed before it, whatever the
/// server's default is: a comparison after a conflict must see the row that it met. Its time-outs
/// come with it in one message, so they hold behind a pooler too, where a connection is no session.
pub(super) async fn begin(pool: &PgPool) -> Result<Transaction> {
    bounded(pool, "READ WRITE").await
}

/// As [`begin`], for one statement that only reads, so that the server ends it as it ends all
/// others: whoever gave up must not leave a statement behind. A standby takes it too. Nobody need
/// commit it; its end goes to the server with what the connection says next.
pub(super) async fn begin_reading(pool: &PgPool) -> Result<Transaction> {
    bounded(pool, "READ ONLY").await
}

async fn bounded(pool: &PgPool, access: &str) -> Result<Transaction> {
    let begin = format!(
        "BEGIN ISOLATION LEVEL READ COMMITTED {access}; SET LOCAL statement_timeout = {}; \
         SET LOCAL idle_in_transaction_session_timeout = {}",
        STATEMENT_TIMEOUT.as_millis(),
        TRANSACTION_IDLE.as_millis()
    );
    Ok(pool.begin_with(AssertSqlSafe(begin)).await?)
}
