//! Whether a server suits, and takes rows.

use std::time::Duration;

use sqlx::FromRow;
use sqlx::postgres::{PgConnection, PgPool};

use super::connect::begin;
use crate::store::error::{Error, Result, connect_failure};
use crate::store::rehearsal;

/// A few questions on a connection of one's own take no longer than this.
const OPENING_WAIT: Duration = Duration::from_secs(30);

/// Rows of text are compared, ordered and cut by the house; only UTF8 holds every user id.
const ENCODING: &str = "UTF8";
/// PostgreSQL 14.
const VERSION_MIN: i32 = 140_000;

/// Why a database is read-only, and what to do.
const STANDBY: &str = "it is a standby; promote it, or let DATABASE_URL name the primary";

/// What no later moment can mend is refused; a standby may be promoted, and is waited for. Asked
/// without a prepared statement: what stands behind a pooler is not known yet.
pub(super) async fn check(connection: &mut PgConnection) -> Result<()> {
    let sql = "SELECT current_setting('server_encoding'), current_setting('client_encoding'),
         current_setting('server_version_num')::integer, pg_is_in_recovery()";
    let row = sqlx::raw_sql(sql).fetch_one(connection).await.map_err(connect_failure)?;
    let (encoding, client, version, is_standby): (String, String, i32, bool) =
        FromRow::from_row(&row).map_err(connect_failure)?;
    if encoding != ENCODING {
        return Err(Error::Open(format!(
            "the database's encoding is {encoding}, which cannot hold every user id: make one in \
             {ENCODING}, createdb --encoding=UTF8 --locale=C --template=template0 firstcome"
        )));
    }
    if client != ENCODING {
        return Err(Error::Open(format!(
            "the database is spoken to in {client} instead of {ENCODING}: a pooler ignores \
             client_encoding"
        )));
    }
    if version < VERSION_MIN {
        return Err(Error::Open(format!(
            "PostgreSQL {} is too old: 14 or later is needed",
            version / 10_000
        )));
    }
    if is_standby {
        return Err(Error::ReadOnly(STANDBY));
    }
    Ok(())
}

pub(super) async fn in_time<T>(asked: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::time::timeout(OPENING_WAIT, asked).await.unwrap_or_else(|_| Err(Error::late()))
}

/// Inserts a ticket and takes it back.
pub(super) async fn rehearse(pool: &PgPool) -> Result<()> {
    if sqlx::query_scalar("SELECT pg_is_in_recovery()").fetch_one(pool).await? {
        return Err(Error::ReadOnly(STANDBY));
    }
    let mut transaction = begin(pool).await?;
    let serial = rehearsal::serial();
    let insert = sqlx::query(rehearsal::INSERT).bind(serial).bind(serial.to_string());
    insert.execute(&mut *transaction).await?;
    Ok(transaction.rollback().await?)
}
