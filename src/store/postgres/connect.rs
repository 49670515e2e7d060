//! How connections to the server are made, and what happens to those that are doubted.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sqlx::error::DatabaseError;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgDatabaseError, PgPool, PgPoolOptions};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection as _};

use crate::domain::limits::{CONNECTION_WAIT, STATEMENT_TIMEOUT, TRANSACTION_IDLE};
use crate::store::error::{Error, Result, connect_failure};

pub(super) type Transaction = sqlx::Transaction<'static, sqlx::Postgres>;

/// The limit for a few questions on a separate connection.
const OPENING_WAIT: Duration = Duration::from_secs(30);

/// A separate connection, bounded by [`CONNECTION_WAIT`].
pub(super) async fn connect(options: &PgConnectOptions) -> Result<PgConnection> {
    let waited = tokio::time::timeout(CONNECTION_WAIT, options.connect()).await;
    waited.unwrap_or(Err(sqlx::Error::PoolTimedOut)).map_err(connect_failure)
}

/// Questions on a separate connection, bounded by [`OPENING_WAIT`].
pub(super) async fn in_time<T>(asked: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::time::timeout(OPENING_WAIT, asked).await.unwrap_or_else(|_| Err(Error::late()))
}

/// Closes a connection. A failure to do so changes nothing.
pub(super) async fn farewell(connection: PgConnection) {
    let _ = connection.close().await;
}

/// A pool that learns later where to connect, and lends no connection that is doubted.
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

/// Connections that may remember something that their server has forgotten: a deallocated
/// statement, or a plan of a table that has changed. All that are older than the doubt are closed.
#[derive(Clone, Default)]
pub(super) struct Doubt(Arc<Mutex<Option<Instant>>>);

impl Doubt {
    /// Doubts every connection that exists now.
    pub(super) fn raise(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    fn covers(&self, age: Duration) -> bool {
        let raised = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        raised.is_some_and(|raised| raised.elapsed() <= age)
    }
}

/// Whether only this connection failed, so that another one may succeed at once: its server, or a
/// pooler, lost a prepared statement (26000), has it already (42P05), has another one under its
/// name (08P01, which a pooler also uses for everything else), or the plan is out of date (0A000).
/// Messages are translated; the routine names of PostgreSQL are not.
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

/// Begins a transaction in which every statement sees what was committed before it, whatever the
/// server's default is: a comparison after a conflict must see the conflicting row. The time-outs
/// are set in the same message, so they are in force behind a pooler too, where a connection is no
/// session.
pub(super) async fn begin(pool: &PgPool) -> Result<Transaction> {
    bounded(pool, "READ WRITE").await
}

/// Like [`begin`], for one statement that only reads, so that the server ends it at the time-out
/// like all others: a caller that gives up must not leave a statement running. A standby accepts
/// it too. It needs no commit; its rollback is sent with the next message on the connection.
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
