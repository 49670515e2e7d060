//! Whether a server is suitable: its release, its encoding, and that it is no standby.

use sqlx::FromRow;
use sqlx::postgres::{PgConnection, PgPool};

use super::connect::{Transaction, begin};
use crate::store::error::{Error, Result, connect_failure};

/// This program compares, orders and cuts text; only UTF8 can store every user id.
const ENCODING: &str = "UTF8";
const VERSION_MIN: i32 = 140_000;

const STANDBY: &str = "it is a standby; promote it, or let DATABASE_URL name the primary";

/// Refuses what will not change by itself; a standby may be promoted, so it is waited for. Uses no
/// prepared statement: it is not known yet what kind of pooler is in between.
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
            "the connection to the database uses {client} instead of {ENCODING}: a pooler ignores \
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

/// Begins a transaction that writes.
///
/// # Errors
/// [`Error::ReadOnly`] on a standby, which answers and takes no rows.
pub(super) async fn begin_on_primary(pool: &PgPool) -> Result<Transaction> {
    if sqlx::query_scalar("SELECT pg_is_in_recovery()").fetch_one(pool).await? {
        return Err(Error::ReadOnly(STANDBY));
    }
    begin(pool).await
}
