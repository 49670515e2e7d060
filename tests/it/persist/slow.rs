//! A database that answers too late, a persister that stops in the middle: nobody waits for ever.

use rustix::process::Signal;
use sqlx::postgres::PgConnection;
use sqlx::{Connection as _, raw_sql};

use super::{BOUNDS, Ground, until_empty};
use crate::support::eventually::eventually_holds;
use crate::support::processes::signal;
use crate::support::site::{Dialect, Site};
use firstcome::persist::Bounds;
use firstcome::redis::depth;
use firstcome::redis::depth::Depth;

/// A row takes 16 ms, so that 400 of them take longer than a statement may, and 200 do not.
const SLOW: &str = "
    CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql
        AS 'BEGIN PERFORM pg_sleep(0.016); RETURN NEW; END';
    CREATE TRIGGER slow BEFORE INSERT ON tickets FOR EACH ROW EXECUTE FUNCTION slow();";

#[tokio::test]
async fn a_database_that_is_too_slow_for_a_whole_batch_gets_smaller_ones_i3() {
    let ground = Ground::start(Dialect::Postgres).await;
    let mut database = PgConnection::connect(&ground.site.database_url).await.unwrap();
    raw_sql(SLOW).execute(&mut database).await.unwrap();
    for call in 0..4 {
        ground.issue(call * 100..(call + 1) * 100).await;
    }
    let large = Bounds { batch_max_tickets: 400, ..BOUNDS };
    until_empty(&ground, &mut ground.persister_with("one", large)).await;
    ground.assert_rows(400).await;
}

#[tokio::test]
async fn a_persister_that_hangs_in_its_transaction_does_not_hold_up_the_others_i3() {
    let site = Site::start(Dialect::Postgres).await;
    let server = site.server(&[("FIRSTCOME_PERSISTER", "off")]).await;
    server.prepare("summer", 10).await;
    let hung = site.worker(&[]);
    let mut database = PgConnection::connect(&site.database_url).await.unwrap();
    let mut watch = PgConnection::connect(&site.database_url).await.unwrap();
    let mut sees = async |state: &str| {
        let sql = "SELECT COUNT(*) FROM pg_stat_activity
                   WHERE datname = current_database() AND pid <> pg_backend_pid() AND ";
        let sql = sqlx::AssertSqlSafe(format!("{sql}{state}"));
        sqlx::query_scalar::<_, i64>(sql).fetch_one(&mut watch).await.unwrap() > 0
    };
    // It stops where the coupon's row is its own, and the commit has not come.
    raw_sql("BEGIN; SELECT 1 FROM coupons FOR UPDATE").execute(&mut database).await.unwrap();
    server.issue("summer", "ada").await;
    eventually_holds("the persister at the row", async || sees("wait_event_type = 'Lock'").await)
        .await;
    signal(hung.id(), Signal::STOP);
    raw_sql("COMMIT").execute(&mut database).await.unwrap();
    let hangs = async || sees("state = 'idle in transaction' AND query LIKE 'UPDATE%'").await;
    eventually_holds("its transaction to hang", hangs).await;

    let _heir = site.worker(&[]);
    let is_row = async || server.stats("summer").await["rows"] == 1;
    eventually_holds("the ticket's row, by another persister", is_row).await;
    // It wakes, and what it had in hand is neither a second row nor counted a second time.
    signal(hung.id(), Signal::CONT);
    server.issue("summer", "bob").await;
    let is_done =
        async || depth::stream_depth(&site.redis.redis).await.unwrap() == Depth::default();
    eventually_holds("an empty stream", is_done).await;
    let stats = server.stats("summer").await;
    assert_eq!((&stats["rows"], &stats["persisted"]), (&2.into(), &2.into()), "{stats}");
}

/// A row takes 2 ms.
const SLOWISH: &str = "
    CREATE FUNCTION slowish() RETURNS trigger LANGUAGE plpgsql
        AS 'BEGIN PERFORM pg_sleep(0.002); RETURN NEW; END';
    CREATE TRIGGER slowish BEFORE INSERT ON tickets FOR EACH ROW EXECUTE FUNCTION slowish();";

#[tokio::test]
async fn two_persisters_of_a_slow_database_share_the_work_and_write_next_to_nothing_twice_i3() {
    const TICKETS: usize = 1_000;
    let ground = Ground::start(Dialect::Postgres).await;
    let mut database = PgConnection::connect(&ground.site.database_url).await.unwrap();
    raw_sql(SLOWISH).execute(&mut database).await.unwrap();
    for call in 0..TICKETS / 10 {
        ground.issue(call * 10..(call + 1) * 10).await;
    }
    // A batch takes longer than a consumer may be silent.
    let bounds = Bounds { batch_max_tickets: 100, ..BOUNDS };
    let work = async |consumer| {
        until_empty(&ground, &mut ground.persister_with(consumer, bounds.clone())).await
    };
    let (one, two) = tokio::join!(work("one"), work("two"));
    ground.assert_rows(TICKETS).await;
    assert!(one.min(two) >= TICKETS / 5, "one does all the work: {one} and {two}");
    assert!(one + two <= TICKETS + TICKETS / 10, "written twice: {one} and {two}");
}
