//! Which databases suit, what is refused, and what a store that opens itself waits for.

use std::time::Duration;

use firstcome::store::{Error, Migrations, Settings, new};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _};

use super::{draft, find};
use crate::support::eventually::eventually_ok;
use crate::support::postgres::{close_to_all, fresh_database, fresh_database_in, open_to_all};
use crate::support::server::command;
use crate::support::store::open;

pub(super) fn settings(url: &str, migrations: Migrations) -> Settings {
    let migration_wait = Duration::from_millis(300);
    Settings { url: url.to_owned(), pool_max_connections: 4, migrations, migration_wait }
}

async fn refusal(url: &str) -> String {
    match open(url, 4).await {
        Err(Error::Open(sentence)) => sentence,
        Err(error) => panic!("not refused for good: {error}"),
        Ok(_) => panic!("opened"),
    }
}

#[tokio::test]
async fn a_database_in_any_other_encoding_is_refused_with_the_line_that_makes_a_right_one() {
    for encoding in ["EUC_KR", "LATIN1", "SQL_ASCII"] {
        let refusal = refusal(&fresh_database_in(encoding).await).await;
        assert!(refusal.contains(encoding) && refusal.contains("createdb"), "{refusal}");
    }
    let (dir, url) = (tempfile::tempdir().unwrap(), fresh_database_in("EUC_KR").await);
    let variables = [("REDIS_URL", "redis://127.0.0.1:1"), ("DATABASE_URL", url.as_str())];
    let doctor = command(dir.path(), &variables).arg("doctor").output().unwrap();
    let said = String::from_utf8(doctor.stdout).unwrap();
    assert_eq!(doctor.status.code(), Some(3), "{said}");
    assert!(said.contains("the database's encoding is EUC_KR"), "{said}");
}

#[tokio::test]
async fn a_role_or_a_database_that_does_not_exist_is_refused_for_good() {
    let url = fresh_database().await;
    let no_role = refusal(&url.replace("firstcome@", "nobody@")).await;
    assert!(no_role.contains("nobody"), "{no_role}");
    let no_database = refusal(&url.replace("localhost/", "localhost/no_")).await;
    assert!(no_database.contains("does not exist"), "{no_database}");
}

#[tokio::test]
async fn a_store_opens_itself_as_soon_as_its_database_is_there() {
    let url = fresh_database().await;
    close_to_all(&url).await;
    let store = new(&settings(&url, Migrations::Here)).await.unwrap();
    for _ in 0..2 {
        let away = store.insert_coupon(&draft("summer")).await;
        assert!(matches!(away, Err(Error::Unavailable(_))), "{away:?}");
    }
    open_to_all(&url).await;
    let inserted =
        eventually_ok("the first row", async || store.insert_coupon(&draft("summer")).await);
    assert!(inserted.await);
    store.close().await;
}

#[tokio::test]
async fn a_schema_that_others_keep_is_refused_while_it_is_behind() {
    let url = fresh_database().await;
    let by_others = settings(&url, Migrations::ByOthers);
    let behind = new(&by_others).await.unwrap().ping().await;
    let Err(Error::Open(sentence)) = behind else { panic!("{behind:?}") };
    assert!(sentence.contains("firstcome migrate"), "{sentence}");
    let direct = settings(&url, Migrations::At(url.clone()));
    new(&direct).await.unwrap().ping().await.unwrap();
    new(&by_others).await.unwrap().ping().await.unwrap();
    let elsewhere = settings(&fresh_database().await, Migrations::At(url));
    let other = new(&elsewhere).await.unwrap().ping().await;
    let Err(Error::Open(sentence)) = other else { panic!("{other:?}") };
    assert!(sentence.contains("DATABASE_MIGRATE_URL"), "{sentence}");
}

#[tokio::test]
async fn a_lock_that_somebody_never_gives_back_holds_up_no_server_whose_schema_stands() {
    let url = fresh_database().await;
    open(&url, 2).await.unwrap().close().await;
    let mut holder = PgConnection::connect(&url).await.unwrap();
    // As a connection that a pooler keeps.
    let lock = sqlx::query("SELECT pg_advisory_lock($1)").bind(7379555304622747501_i64);
    lock.execute(&mut holder).await.unwrap();
    open(&url, 2).await.unwrap().close().await;
    holder.close().await.unwrap();
}

#[tokio::test]
async fn whoever_migrates_while_another_does_waits_for_a_bounded_time_and_says_so() {
    let url = fresh_database().await;
    let mut holder = PgConnection::connect(&url).await.unwrap();
    let lock = sqlx::query("SELECT pg_advisory_lock($1)").bind(7379555304622747501_i64);
    lock.execute(&mut holder).await.unwrap();
    let store = new(&settings(&url, Migrations::Here)).await.unwrap();
    let waited = tokio::time::timeout(Duration::from_secs(5), store.ping()).await;
    let refused = waited.expect("it waits for ever").unwrap_err();
    assert!(matches!(refused, Error::Unavailable(_)), "{refused}");
    assert!(refused.to_string().contains("another process migrates it"), "{refused}");
    holder.close().await.unwrap();
    eventually_ok("the migration", async || store.ping().await).await;
    store.close().await;
}

#[tokio::test]
async fn a_plan_that_is_out_of_date_costs_one_retry_and_not_an_outage() {
    let url = fresh_database().await;
    let store = open(&url, 2).await.unwrap();
    assert!(store.insert_coupon(&draft("summer")).await.unwrap());
    let mut owner = PgConnection::connect(&url).await.unwrap();
    for width in [300, 400] {
        // Twice on every connection of the pool.
        for _ in 0..4 {
            let (one, two) = tokio::join!(find(&*store, "summer"), find(&*store, "summer"));
            assert_eq!(one, two);
        }
        let sql = format!("ALTER TABLE coupons ALTER COLUMN name TYPE varchar({width})");
        sqlx::query(AssertSqlSafe(sql)).execute(&mut owner).await.unwrap();
    }
    assert_eq!(find(&*store, "summer").await, draft("summer"));
    owner.close().await.unwrap();
    store.close().await;
}

/// As a pooler or a tool does that cleans up behind our back.
const FORGETFUL: &str = "
    CREATE FUNCTION forget() RETURNS trigger LANGUAGE plpgsql
        AS 'BEGIN EXECUTE ''DEALLOCATE ALL''; RETURN NULL; END';
    CREATE TRIGGER forget AFTER INSERT ON coupons FOR EACH ROW EXECUTE FUNCTION forget();";

#[tokio::test]
async fn a_statement_that_the_server_forgot_costs_one_retry_and_not_an_outage() {
    let url = fresh_database().await;
    let store = open(&url, 1).await.unwrap();
    let mut owner = PgConnection::connect(&url).await.unwrap();
    sqlx::raw_sql(FORGETFUL).execute(&mut owner).await.unwrap();
    for number in 0..4 {
        let id = format!("c{number}");
        assert!(store.insert_coupon(&draft(&id)).await.unwrap());
        assert_eq!(find(&*store, &id).await, draft(&id));
    }
    owner.close().await.unwrap();
    store.close().await;
}
