//! Whether a connection is a session, or goes through a pooler that cannot be used.
//!
//! `PgBouncer` in transaction mode lends a connection of the server for one transaction. Since
//! 1.21 it keeps track of prepared statements; before, a name can mean another client's statement,
//! and its rows would be taken for the right ones.

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{Connection as _, Executor as _};

use super::connect::{belongs_to_a_connection, connect, farewell};
use crate::store::error::{Error, Result, connect_failure};

/// Prepared by name, like all statements of this program.
const WHO: &str = "SELECT pg_backend_pid()";

/// Prepares the same statement on two connections, the second one in a transaction. The
/// transaction keeps the connection that the pooler lent last, so that the first client gets
/// another one.
///
/// # Errors
/// [`Error::Open`] for a pooler that mixes up the statements of its clients.
pub(super) async fn check(first: &mut PgConnection, options: &PgConnectOptions) -> Result<()> {
    let mut second = connect(options).await?;
    let asked = ask_in_turn(first, &mut second).await;
    farewell(second).await;
    match asked {
        Err(error) if belongs_to_a_connection(&error) => Err(Error::Open(
            "a pooler in transaction mode mixes prepared statements up: PgBouncer needs version \
             1.21 or later with max_prepared_statements above 0, or pool_mode = session"
                .to_owned(),
        )),
        Err(error) => Err(connect_failure(error)),
        Ok(()) => Ok(()),
    }
}

async fn ask_in_turn(first: &mut PgConnection, second: &mut PgConnection) -> sqlx::Result<()> {
    first.execute(sqlx::query(WHO)).await?;
    let mut transaction = second.begin().await?;
    transaction.execute(sqlx::query(WHO)).await?;
    first.execute(sqlx::query(WHO)).await?;
    transaction.rollback().await
}
