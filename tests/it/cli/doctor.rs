//! `firstcome doctor`, where something is away, hangs, is refused, lost, or behind.

use std::net::TcpListener;
use std::path::Path;
use std::time::{Duration, Instant};

use firstcome::domain::coupon::CouponId;
use firstcome::redis::depth;
use firstcome::redis::keys::Keys;
use sqlx::postgres::PgConnection;
use sqlx::{Connection as _, SqliteConnection};

use crate::support::eventually::eventually_holds;
use crate::support::redis::server_version;
use crate::support::server::command;
use crate::support::site::{Dialect, Site};
use crate::support::store::{accept, refuse};

use super::{Ended, run_with};

/// The doctor of a site, in a folder where nothing else is.
fn doctor_in(dir: &Path, site: &Site, variables: &[(&str, &str)]) -> Ended {
    let ours = [("REDIS_URL", site.redis.url()), ("DATABASE_URL", &*site.database_url)];
    run_with(command(dir, &[&ours, variables].concat()), "doctor")
}

/// A listener that nobody accepts at: connections are made, and hear nothing.
fn hung() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    (listener, address)
}

#[tokio::test]
async fn the_doctor_asks_redis_and_the_database_each_for_itself_and_within_seconds() {
    let site = Site::start(Dialect::Sqlite).await;
    let ours = [("DATABASE_URL", &*site.database_url)];
    assert_eq!(run_with(command(site.data_dir(), &ours), "migrate").code, Some(0));
    let (_listener, address) = hung();
    let (hung_redis, redis) = (format!("redis://{address}"), site.redis.url().to_owned());
    let (hung_database, database) =
        (format!("postgres://me@{address}/shop"), site.database_url.clone());
    let away = "postgres://me@127.0.0.1:1/shop".to_owned();
    let versions = format!("versions: {}", server_version());
    let redis_is_well = ["Redis: not encrypted", &*versions, "backlog: 0 "];
    let database_is_well = ["database: not encrypted", "versions: SQLite "];
    for (redis, database, lines) in [
        (&hung_redis, &database, [&["Redis: not reached: "], &database_is_well[..]].concat()),
        (&redis, &hung_database, [&["database: not reached: "], &redis_is_well[..]].concat()),
        (&redis, &away, [&["database: not reached: "], &redis_is_well[..]].concat()),
        (&hung_redis, &hung_database, vec!["Redis: not reached: ", "database: not reached: "]),
    ] {
        let variables = [("REDIS_URL", redis.as_str()), ("DATABASE_URL", database)];
        let since = Instant::now();
        let ended = run_with(command(site.data_dir(), &variables), "doctor");
        assert!(since.elapsed() < Duration::from_secs(7), "{:?}", since.elapsed());
        assert_eq!(ended.code, Some(3), "{ended:?}");
        for begin in lines {
            assert!(ended.out.lines().any(|line| line.starts_with(begin)), "{begin}: {ended:?}");
        }
        assert!(ended.err.contains("firstcome: "), "{ended:?}");
    }
}

#[tokio::test]
async fn the_doctor_counts_refused_records_and_names_one_of_them_i3() {
    let site = Site::start(Dialect::Sqlite).await;
    let server = site.server(&[]).await;
    server.prepare("summer", 10).await;
    let variables = [("REDIS_URL", site.redis.url()), ("DATABASE_URL", &*site.database_url)];
    let doctor = || run_with(command(site.data_dir(), &variables), "doctor");
    let well = doctor();
    assert_eq!(well.code, Some(0), "{well:?}");
    // They are not even dead letters.
    refuse(&site.database_url, "dead_letters", "id <> ''").await;
    for id in ["1000-1", "1000-2", "1000-3"] {
        let mut add = redis::cmd("XADD");
        add.arg(crate::persist::stream()).arg(id).arg("v").arg("9");
        let _: String = site.redis.ask(&add).await;
    }
    let are_read = async || depth::stream_depth(&site.redis.redis).await.unwrap().pending == 3;
    eventually_holds("all are read", are_read).await;
    let ended = doctor();
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let told = ended.out.lines().find(|line| line.contains("are held by a persister")).unwrap();
    assert!(told.starts_with("unsafe: 3 records are held"), "{told}");
    assert!(told.contains("among them 1000-1 of shard "), "{told}");
    accept(&site.database_url, "dead_letters").await;
    let letters = async || server.metric("firstcome_dead_letters").await == 3.0;
    eventually_holds("all are dead letters", letters).await;
    let ended = doctor();
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let unsafe_lines: Vec<&str> =
        ended.out.lines().filter(|line| line.starts_with("unsafe")).collect();
    assert_eq!(unsafe_lines.len(), 1, "{ended:?}");
    assert!(unsafe_lines[0].starts_with("unsafe: 3 dead letters wait"), "{ended:?}");
}

/// The rows as a dump has them, without any that comes later.
async fn rows(database: &mut SqliteConnection) -> Vec<(String, i64, String)> {
    let sql = "SELECT id, act_no, state FROM coupons UNION ALL
         SELECT coupon_id, act_no, state FROM acts ORDER BY 1, 2, 3";
    sqlx::query_as(sql).fetch_all(database).await.unwrap()
}

#[tokio::test]
async fn the_doctor_names_coupons_whose_keys_are_gone_or_that_have_diverged() {
    let site = Site::start(Dialect::Sqlite).await;
    let server = site.server(&[]).await;
    for coupon in ["august", "autumn", "spring", "summer", "winter"] {
        server.prepare(coupon, 10).await;
    }
    assert_eq!(server.restock("winter", 5, "k").await.status, 200);
    drop(server);
    let doctor = || doctor_in(site.data_dir(), &site, &[]);
    let well = doctor();
    assert_eq!(well.code, Some(0), "{well:?}");
    let id = CouponId::parse("summer").unwrap();
    let () = site.redis.ask(redis::cmd("DEL").arg(Keys::new("fc").coupon(&id))).await;
    // The database lost the last act of one coupon and all of another one, and has another first
    // act of a third one.
    let mut database = SqliteConnection::connect(&site.database_url).await.unwrap();
    let went_back = "DELETE FROM acts WHERE coupon_id = 'winter' AND act_no = 2;
         UPDATE coupons SET act_no = 1 WHERE id = 'winter';
         UPDATE acts SET intended_at_ms = intended_at_ms - 1 WHERE coupon_id = 'spring';
         DELETE FROM acts WHERE coupon_id = 'august'; DELETE FROM coupons WHERE id = 'august'";
    sqlx::raw_sql(went_back).execute(&mut database).await.unwrap();
    let before = rows(&mut database).await;
    let ended = doctor();
    assert_eq!(ended.code, Some(1), "{ended:?}");
    for told in [
        "keys of 1 coupon are gone from Redis or damaged",
        "Redis has 1 coupon that the database lost",
        "acts that it lost, of 2 coupons",
    ] {
        assert!(ended.out.contains(told), "{told}: {ended:?}");
    }
    for (coupon, is_told) in
        [("summer", true), ("spring", true), ("august", true), ("autumn", false)]
    {
        assert_eq!(ended.out.contains(coupon), is_told, "{coupon}: {ended:?}");
    }
    assert_eq!(rows(&mut database).await, before, "it changes nothing");
    database.close().await.unwrap();
}

#[tokio::test]
async fn the_doctor_counts_contested_tickets_as_long_as_they_stand_in_their_table_i9() {
    let site = Site::start(Dialect::Sqlite).await;
    let server = site.server(&[]).await;
    for coupon in ["summer", "winter"] {
        server.prepare(coupon, 10).await;
    }
    let mut database = SqliteConnection::connect(&site.database_url).await.unwrap();
    let another = "INSERT INTO contested (coupon_id, serial, epoch, user_id, claim, issued_at_ms,
             source, reason, seen_at_ms)
         VALUES ('winter', 1, 1, 'ada', 1, 1, '1-1', 'serial_taken', 1)";
    sqlx::raw_sql(another).execute(&mut database).await.unwrap();
    let ended = doctor_in(site.data_dir(), &site, &[]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.out.contains("unsafe: 1 ticket is contested"), "{ended:?}");
    assert!(ended.out.contains("the first one is winter.1"), "{ended:?}");
    sqlx::raw_sql("DELETE FROM contested").execute(&mut database).await.unwrap();
    assert_eq!(doctor_in(site.data_dir(), &site, &[]).code, Some(0));
    database.close().await.unwrap();
}

#[tokio::test]
async fn the_doctor_migrates_nothing() {
    let site = Site::start(Dialect::Postgres).await;
    let dir = tempfile::tempdir().unwrap();
    let ended = doctor_in(dir.path(), &site, &[("FIRSTCOME_MIGRATE", "on")]);
    assert_eq!(ended.code, Some(3), "{ended:?}");
    assert!(ended.out.contains("schema is behind"), "{ended:?}");
    assert!(ended.out.contains("run `firstcome migrate`"), "{ended:?}");
    assert!(ended.out.contains("Redis: not encrypted"), "it goes on: {ended:?}");
    let mut database = PgConnection::connect(&site.database_url).await.unwrap();
    let tables = "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public'";
    let tables: i64 = sqlx::query_scalar(tables).fetch_one(&mut database).await.unwrap();
    assert_eq!(tables, 0);
    database.close().await.unwrap();

    let site = Site::start(Dialect::Sqlite).await;
    let file = Path::new(site.database_url.strip_prefix("sqlite:").unwrap());
    let ended = doctor_in(dir.path(), &site, &[]);
    assert_eq!(ended.code, Some(3), "{ended:?}");
    assert!(ended.out.contains("no database yet: the first server makes it"), "{ended:?}");
    assert!(ended.out.contains("Redis: not encrypted"), "it goes on: {ended:?}");
    assert!(!file.exists(), "it was made");
    // An older server's, say.
    std::fs::write(file, "").unwrap();
    let ended = doctor_in(dir.path(), &site, &[]);
    assert_eq!(ended.code, Some(3), "{ended:?}");
    assert!(ended.out.contains("schema is behind"), "{ended:?}");
    assert_eq!(std::fs::metadata(file).unwrap().len(), 0, "it was migrated");
    let ours = [("DATABASE_URL", &*site.database_url)];
    assert_eq!(run_with(command(dir.path(), &ours), "migrate").code, Some(0));
    assert_eq!(doctor_in(dir.path(), &site, &[]).code, Some(0));
}
