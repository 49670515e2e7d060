//! Behind a pooler: in session mode with every version, in transaction mode with those that keep
//! account of prepared statements.

use std::path::Path;
use std::time::Duration;

use firstcome::domain::limits::STATEMENT_TIMEOUT;
use firstcome::store::Error;
use futures_util::future::join_all;
use reqwest::{Method, StatusCode};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _, raw_sql};

use super::{coupon_id, draft, find};
use crate::support::eventually::eventually_holds;
use crate::support::pgbouncer::{self, PgBouncer};
use crate::support::postgres::fresh_database;
use crate::support::redis::PrivateRedis;
use crate::support::server::{Server, command};
use crate::support::store::open;

/// The first version that keeps account of prepared statements in transaction mode.
const KEEPS_ACCOUNT: (u32, u32) = (1, 21);
const KEEP: &str = "max_prepared_statements = 100\n";
/// Fewer than the servers open, so that every transaction may meet another connection.
const FEW: u32 = 3;

/// One that can be worked with: in transaction mode where that is possible.
async fn suited_to(database_url: &str, pool_size: u32) -> PgBouncer {
    match pgbouncer::version() < KEEPS_ACCOUNT {
        true => PgBouncer::start(database_url, "session", pool_size, "").await,
        false => PgBouncer::start(database_url, "transaction", pool_size, KEEP).await,
    }
}

async fn assert_refused(pooler: &PgBouncer) {
    for _ in 0..3 {
        match open(&pooler.url, 4).await {
            Err(Error::Open(told)) => {
                assert!(told.contains("1.21") && told.contains("session"), "{told}");
            }
            Err(error) => panic!("not refused for good: {error}"),
            Ok(_) => panic!("opened"),
        }
    }
    let (redis, dir) = (PrivateRedis::start().await, tempfile::tempdir().unwrap());
    let variables = [("REDIS_URL", redis.url()), ("DATABASE_URL", pooler.url.as_str())];
    for verb in ["serve", "worker"] {
        let ended = command(dir.path(), &variables).arg(verb).output().unwrap();
        let told = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(ended.status.code(), Some(3), "{verb}: {told}");
        assert!(told.contains("1.21") && told.contains("session"), "{verb}: {told}");
    }
}

/// How `firstcome migrate` ends with these variables, and what it says.
fn migrate(dir: &Path, variables: &[(&str, &str)]) -> (Option<i32>, String) {
    let ended = command(dir, variables).arg("migrate").output().unwrap();
    (ended.status.code(), String::from_utf8(ended.stderr).unwrap())
}

/// Two servers behind the pooler, whose schema is made past it, from the first ticket to the
/// winners.
async fn assert_goes_the_whole_journey(database_url: &str, pooler: &PgBouncer) {
    let redis = PrivateRedis::start().await;
    let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let through = [("REDIS_URL", redis.url()), ("DATABASE_URL", pooler.url.as_str())];
    let serve = [&through[..], &[("FIRSTCOME_MIGRATE", "off")]].concat();
    let mut early = command(dirs[0].path(), &serve);
    let early = early.arg("serve").output().unwrap();
    let told = String::from_utf8(early.stderr).unwrap();
    assert_eq!(early.status.code(), Some(3), "{told}");
    assert!(told.contains("firstcome migrate"), "{told}");
    let past = [&through[..], &[("DATABASE_MIGRATE_URL", database_url)]].concat();
    assert_eq!(migrate(dirs[0].path(), &past), (Some(0), String::new()));

    let mut servers = Vec::new();
    for dir in &dirs {
        servers.push(Server::start(dir.path(), &serve).await.ready().await);
    }
    let [one, two] = servers.as_slice() else { unreachable!() };
    one.prepare("summer", 40).await;
    let users: Vec<String> = (0..60).map(|number| format!("user{number}")).collect();
    let asked = users.iter().enumerate().map(|(number, user)| {
        let server = &servers[number % servers.len()];
        async move { server.issue("summer", user).await.status }
    });
    let told = join_all(asked).await;
    assert_eq!(told.iter().filter(|status| **status == StatusCode::OK).count(), 40, "{told:?}");
    assert_eq!(two.restock("summer", 2, "more").await.status, StatusCode::OK);
    for act in ["pause", "resume"] {
        let answer = two.post_as_admin(&format!("/admin/coupons/summer/{act}")).await;
        assert_eq!(answer.status, StatusCode::OK, "{act}: {}", answer.body);
    }
    let is_issued = async || one.issue("summer", "late").await.status == StatusCode::OK;
    eventually_holds("the held stock", is_issued).await;
    eventually_holds("the rows", async || two.stats("summer").await["rows"] == 41).await;
    let cancelled = one.post_as_admin("/admin/tickets/summer.1/cancel").await;
    assert_eq!(cancelled.status, StatusCode::OK, "{}", cancelled.body);
    let closed = two.post_as_admin("/admin/coupons/summer/close").await;
    assert_eq!(closed.status, StatusCode::OK, "{}", closed.body);
    let audit = one.get("/coupons/summer/audit").await;
    assert_eq!(audit.json()["ok"], true, "{}", audit.body);
    for format in ["csv", "ndjson"] {
        let path = format!("/admin/coupons/summer/winners?format={format}");
        let winners = two.get_as_admin(&path).await;
        assert_eq!(winners.body.matches("summer.").count(), 41, "{}", winners.body);
        assert!(winners.body.contains("late"), "{}", winners.body);
    }
    let mine = one.ask(Method::GET, "/me/tickets").header("X-User-Id", "late");
    assert!(mine.send().await.unwrap().text().await.unwrap().contains("summer"));
}

#[tokio::test]
async fn behind_a_pooler_in_session_mode_all_goes_as_it_does_without() {
    let database_url = fresh_database().await;
    let pooler = PgBouncer::start(&database_url, "session", 40, "").await;
    assert_goes_the_whole_journey(&database_url, &pooler).await;
}

#[tokio::test]
async fn a_pooler_in_transaction_mode_is_refused_if_it_is_old_and_else_all_goes_as_without() {
    let database_url = fresh_database().await;
    if pgbouncer::version() < KEEPS_ACCOUNT {
        assert_refused(&PgBouncer::start(&database_url, "transaction", FEW, "").await).await;
        return;
    }
    let forgets = "max_prepared_statements = 0\n";
    assert_refused(&PgBouncer::start(&database_url, "transaction", FEW, forgets).await).await;
    let database_url = fresh_database().await;
    assert_goes_the_whole_journey(&database_url, &suited_to(&database_url, FEW).await).await;
}

#[tokio::test]
async fn behind_a_pooler_a_plan_that_is_out_of_date_costs_no_outage() {
    let database_url = fresh_database().await;
    let pooler = suited_to(&database_url, 8).await;
    let store = open(&pooler.url, 4).await.unwrap();
    assert!(store.insert_coupon(&draft("summer")).await.unwrap());
    let mut owner = PgConnection::connect(&database_url).await.unwrap();
    for width in [300, 400] {
        // On every connection that the pooler has.
        let found = (0..32).map(|_| find(&*store, "summer"));
        assert!(join_all(found).await.iter().all(|coupon| *coupon == draft("summer")));
        let sql = format!("ALTER TABLE coupons ALTER COLUMN name TYPE varchar({width})");
        sqlx::query(AssertSqlSafe(sql)).execute(&mut owner).await.unwrap();
    }
    let found = (0..32).map(|_| find(&*store, "summer"));
    assert!(join_all(found).await.iter().all(|coupon| *coupon == draft("summer")));
    owner.close().await.unwrap();
    store.close().await;
}

#[tokio::test]
async fn many_that_start_at_once_behind_a_pooler_do_not_mix_up_what_they_ask() {
    let database_url = fresh_database().await;
    open(&database_url, 1).await.unwrap().close().await;
    let pooler = suited_to(&database_url, 40).await;
    let opened = (0..12).map(|_| async { open(&pooler.url, 1).await.unwrap().close().await });
    join_all(opened).await;
}

#[tokio::test]
async fn behind_a_pooler_a_statement_that_takes_too_long_is_ended_by_postgresql_as_well() {
    let database_url = fresh_database().await;
    let pooler = suited_to(&database_url, 8).await;
    let store = open(&pooler.url, 4).await.unwrap();
    assert!(store.insert_coupon(&draft("summer")).await.unwrap());
    let mut owner = PgConnection::connect(&database_url).await.unwrap();
    raw_sql("BEGIN; LOCK TABLE coupons IN ACCESS EXCLUSIVE MODE")
        .execute(&mut owner)
        .await
        .unwrap();
    let bound = STATEMENT_TIMEOUT + Duration::from_secs(3);
    let summer = coupon_id("summer");
    let (read, written) = tokio::join!(
        tokio::time::timeout(bound, store.find_coupon(&summer)),
        tokio::time::timeout(bound, store.rename_coupon(&summer, "Winter")),
    );
    for late in [read.expect("it hangs").unwrap_err(), written.expect("it hangs").unwrap_err()] {
        assert!(matches!(late, Error::Unavailable(_)), "{late}");
        assert!(late.to_string().contains("statement timeout"), "{late}");
    }
    raw_sql("COMMIT").execute(&mut owner).await.unwrap();
    assert_eq!(find(&*store, "summer").await, draft("summer"));
    store.close().await;
}
