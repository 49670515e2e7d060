//! How connections to the server are made, and what becomes of those that are doubted.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sqlx::error::DatabaseError;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgDatabaseError, PgPool, PgPoolOptions};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection as _};

use crate::domain::limits::{CONNECTION_WAIT, STATEMENT_TIMEOUT, TRANSACTION_IDLE};
use crate::store::error::{Error, Result, connect_failure};

pub(super) type Transaction = sqlx::Transaction<'static, sqlx::Postgres>;

/// A few questions on a connection of one's own take no longer than this.
const OPENING_WAIT: Duration = Duration::from_secs(30);

/// A connection of one's own, bounded by [`CONNECTION_WAIT`].
pub(super) async fn connect(options: &PgConnectOptions) -> Result<PgConnection> {
    let waited = tokio::time::timeout(CONNECTION_WAIT, options.connect()).await;
    waited.unwrap_or(Err(sqlx::Error::PoolTimedOut)).map_err(connect_failure)
}

/// What is asked on a connection of one's own, bounded by [`OPENING_WAIT`].
pub(super) async fn in_time<T>(asked: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::time::timeout(OPENING_WAIT, asked).await.unwrap_or_else(|_| Err(Error::late()))
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

/// Whether only this connection failed, and another one may do the same at once: its server, or a
/// pooler, lost a prepared statement (26000), has it already (42P05), knows another one by its name
/// (08P01, which a pooler says of everything else too), or its plan is out of date (0A000).
/// Messages are translated, routines of PostgreSQL are not.
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
