//! A store for one test.

use std::sync::Arc;

use firstcome::domain::limits::MIGRATION_WAIT;
use firstcome::store::{Error, Migrations, Settings, Store, new};
use sqlx::postgres::PgConnection;
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Connection as _};

/// Opens the database of this URL, with at most so many connections, and migrates it.
pub async fn open(url: &str, pool_max_connections: u32) -> Result<Arc<dyn Store>, Error> {
    let migrations = Migrations::Here;
    let settings = Settings {
        url: url.to_owned(),
        pool_max_connections,
        migrations,
        migration_wait: MIGRATION_WAIT,
    };
    let store = new(&settings).await?;
    store.migrate().await?;
    store.ping().await?;
    Ok(store)
}

/// Runs a statement on a connection of the test's own.
pub async fn execute(url: &str, sql: &str) -> u64 {
    if url.starts_with("sqlite") {
        let mut connection = SqliteConnection::connect(url).await.unwrap();
        return sqlx::raw_sql(AssertSqlSafe(sql))
            .execute(&mut connection)
            .await
            .unwrap()
            .rows_affected();
    }
    let mut connection = PgConnection::connect(url).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.unwrap().rows_affected()
}

/// From now on the table refuses a row of which this is true, for instance `user_id = 'u7'`.
pub async fn refuse(url: &str, table: &str, refused: &str) {
    if url.starts_with("sqlite") {
        let row = refused.split(' ').next().unwrap();
        let refused = refused.replace(row, &format!("NEW.{row}"));
        let raise = "BEGIN SELECT RAISE(ABORT, 'refused by a trigger'); END";
        let named = format!("CREATE TRIGGER {table}_refused BEFORE INSERT ON {table}");
        execute(url, &format!("{named} WHEN {refused} {raise}")).await;
    } else {
        let check = format!("CHECK (NOT ({refused})) NOT VALID");
        execute(url, &format!("ALTER TABLE {table} ADD CONSTRAINT {table}_refused {check}")).await;
    }
}

/// Ends [`refuse`].
pub async fn accept(url: &str, table: &str) {
    if url.starts_with("sqlite") {
        execute(url, &format!("DROP TRIGGER {table}_refused")).await;
    } else {
        execute(url, &format!("ALTER TABLE {table} DROP CONSTRAINT {table}_refused")).await;
    }
}
