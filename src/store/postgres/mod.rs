//! PostgreSQL 14 and later.

mod bulk;
mod connect;
mod health;
mod hosts;
mod migrating;
mod migrations;
mod opening;
mod pooler;
mod suited;

use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgArguments, PgPool};
use sqlx::query::{Query, QueryAs};
use sqlx::{Arguments as _, Postgres};

use self::connect::{Doubt, begin, begin_reading, belongs_to_a_connection};
use self::opening::Opening;
use self::suited::begin_on_primary;
use super::dialect::{Dialect, Row, Statement, Transaction, Value};
use super::error::{Error, Result};
use super::last_commit::LastCommit;
use super::settings::Settings;
use crate::domain::limits::{CONNECTION_RETRIES, CONNECTION_WAIT, STATEMENT_TIMEOUT};

/// A pool of connections to one PostgreSQL database, which opens itself: the first call connects,
/// checks and migrates; while the database is away, every call tries again.
pub(super) struct PostgresStore {
    pool: PgPool,
    last_commit: LastCommit,
    opening: Arc<Opening<Self>>,
}

/// The server ends slow statements itself; this time-out is for a server that vanished. It is
/// longer than any transaction of a few statements, with the wait for a connection.
const GONE_AFTER: Duration =
    Duration::from_secs(CONNECTION_WAIT.as_secs() + 6 * STATEMENT_TIMEOUT.as_secs());

impl PostgresStore {
    /// Does not connect yet; see [`crate::store::new`].
    pub(super) fn new(settings: &Settings) -> Result<Self> {
        let doubt = Doubt::default();
        let pool = connect::pool(settings.pool_max_connections, &doubt);
        let opening = Arc::new(Opening::new(settings, pool.clone(), doubt)?);
        Ok(Self { pool, opening, last_commit: LastCommit::default() })
    }
}

impl Dialect for PostgresStore {
    const FOR_UPDATE: &'static str = " FOR UPDATE";
    const GREATEST: &'static str = "GREATEST";
    const NOW_MS: &'static str = "(EXTRACT(EPOCH FROM clock_timestamp()) * 1000)::bigint";
    const RANDOM_ID: &'static str = "replace(gen_random_uuid()::text, '-', '')";
    /// Narrow integers are cast to the type that every dialect reads.
    const TICKET_COLUMNS: &'static str = "tickets.coupon_id, epoch::bigint AS epoch, \
         tickets.serial, tickets.user_id, tickets.claim::bigint AS claim, issued_at_ms, source, \
         status";

    fn among(parameter: &str) -> String {
        format!("= ANY({parameter})")
    }

    fn last_commit(&self) -> &LastCommit {
        &self.last_commit
    }

    /// Runs the call when the database is open. If only the connection failed, the call runs again
    /// on a new one: it committed nothing. When the database is away, another host of the URL may
    /// have taken its place.
    async fn call<T: Send, F: Future<Output = Result<T>> + Send>(
        &self,
        transaction: impl Fn() -> F + Send + Sync,
    ) -> Result<T> {
        let called = async {
            self.opening.done(CONNECTION_WAIT).await?;
            for _ in 0..CONNECTION_RETRIES {
                match transaction().await {
                    Err(Error::Unavailable(error)) if belongs_to_a_connection(&error) => {
                        tracing::warn!(%error, "reconnecting to the database");
                        // Statements that a pooler prepared for its clients outlive their
                        // connections, and `PgBouncer` 1.21 would not notice a DEALLOCATE. So the
                        // server process is ended, which always returns an error.
                        let end = "SELECT pg_terminate_backend(pg_backend_pid())";
                        let _ = sqlx::raw_sql(end).execute(&self.pool).await;
                        self.opening.doubt.raise();
                    }
                    done => return done,
                }
            }
            transaction().await
        };
        let waited = tokio::time::timeout(GONE_AFTER, called).await;
        let done = waited.unwrap_or_else(|_| Err(Error::late()));
        if done.as_ref().is_err_and(Error::is_away) {
            self.opening.look_for_another_host();
        }
        done
    }

    async fn begin(&self) -> Result<Transaction<Self>> {
        begin(&self.pool).await
    }

    async fn begin_checking(&self) -> Result<Transaction<Self>> {
        let mut transaction = begin(&self.pool).await?;
        let checking = Statement::new("SET CONSTRAINTS ALL IMMEDIATE");
        Self::write_in(&mut transaction, &checking).await?;
        Ok(transaction)
    }

    async fn begin_rehearsal(&self) -> Result<Transaction<Self>> {
        begin_on_primary(&self.pool).await
    }

    async fn read_in<R: Row>(
        transaction: &mut Transaction<Self>,
        statement: &Statement<'_>,
    ) -> Result<Vec<R>> {
        Ok(query_as(statement)?.fetch_all(&mut **transaction).await?)
    }

    async fn write_in(
        transaction: &mut Transaction<Self>,
        statement: &Statement<'_>,
    ) -> Result<u64> {
        Ok(query(statement)?.execute(&mut **transaction).await?.rows_affected())
    }

    async fn read<R: Row>(&self, statement: &Statement<'_>) -> Result<Vec<R>> {
        self.call(|| async {
            let mut transaction = begin_reading(&self.pool).await?;
            Self::read_in(&mut transaction, statement).await
        })
        .await
    }

    async fn write(&self, statement: &Statement<'_>) -> Result<u64> {
        self.call(|| async {
            let mut transaction = begin(&self.pool).await?;
            let written = Self::write_in(&mut transaction, statement).await?;
            transaction.commit().await?;
            Ok(written)
        })
        .await
    }

    async fn insert(&self, statement: Statement<'_>, key: &str) -> Result<bool> {
        let statement = statement.followed_by(&format!(" ON CONFLICT ({key}) DO NOTHING"));
        Ok(self.write(&statement).await? == 1)
    }
}

fn query(statement: &Statement<'_>) -> Result<Query<'static, Postgres, PgArguments>> {
    Ok(sqlx::query_with(statement.sql.clone(), bound(statement)?))
}

fn query_as<R: Row>(
    statement: &Statement<'_>,
) -> Result<QueryAs<'static, Postgres, R, PgArguments>> {
    Ok(sqlx::query_as_with(statement.sql.clone(), bound(statement)?))
}

/// Binds lists as arrays.
fn bound(statement: &Statement<'_>) -> Result<PgArguments> {
    let mut arguments = PgArguments::default();
    for value in &statement.values {
        let bound = match value {
            Value::Text(text) => arguments.add(*text),
            Value::Number(number) => arguments.add(*number),
            Value::Texts(texts) => arguments.add(texts.as_slice()),
            Value::Numbers(numbers) => arguments.add(numbers.as_slice()),
        };
        bound.map_err(sqlx::Error::Encode)?;
    }
    Ok(arguments)
}
