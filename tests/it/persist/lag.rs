//! How long a ticket waited for its row.

use std::time::Instant;

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _};

use crate::support::eventually::eventually_holds;
use crate::support::site::{Dialect, Site};

/// The first connection that inserts a ticket takes a second to fail, as if its prepared statement
/// was gone; others insert it. Sequences remember the connection: nothing rolls them back.
const BREAK_THE_FIRST: &str = "
    CREATE SEQUENCE broken;
    CREATE FUNCTION break() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF (SELECT NOT is_called FROM broken) THEN
            PERFORM setval('broken', pg_backend_pid());
        END IF;
        IF (SELECT last_value FROM broken) = pg_backend_pid() THEN
            PERFORM pg_sleep(1);
            RAISE EXCEPTION 'this prepared statement is gone' USING ERRCODE = '26000';
        END IF;
        RETURN NEW;
    END $$;
    CREATE TRIGGER break BEFORE INSERT ON tickets FOR EACH ROW
        WHEN (NEW.coupon_id = 'summer') EXECUTE FUNCTION break();";

#[tokio::test]
async fn the_lag_of_a_row_holds_what_a_retry_cost_and_no_more_than_passed() {
    let site = Site::start(Dialect::Postgres).await;
    let server = site.server(&[]).await;
    server.prepare("summer", 10).await;
    let mut owner = PgConnection::connect(&site.database_url).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(BREAK_THE_FIRST)).execute(&mut owner).await.unwrap();
    let issued = Instant::now();
    server.issue("summer", "u1").await;
    eventually_holds("the row", async || {
        server.metric("firstcome_persist_lag_seconds_count").await > 0.0
    })
    .await;
    let rows = server.metric("firstcome_persist_lag_seconds_count").await;
    assert!((rows - 1.0).abs() < f64::EPSILON, "the lag of a ticket is counted once: {rows}");
    let lag = server.metric("firstcome_persist_lag_seconds_sum").await;
    assert!(lag >= 1.0, "the first try alone took a second: {lag} s");
    // Counted by another clock than this one, in whole milliseconds.
    let passed = issued.elapsed().as_secs_f64() + 1.0;
    assert!(lag <= passed, "{lag} s of {passed} s");
    let failures = server.metric("firstcome_persist_failures_total").await;
    assert!(failures.abs() < f64::EPSILON, "a retry is no failure of the batch: {failures}");
    owner.close().await.unwrap();
}
