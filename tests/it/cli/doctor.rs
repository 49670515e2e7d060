//! `firstcome doctor`, where something is away, hangs, or is refused.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use crate::support::eventually::eventually_holds;
use crate::support::server::command;
use crate::support::site::{Dialect, Site};

use super::run_with;

/// A listener that nobody accepts at: connections are made, and hear nothing.
fn hung() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    (listener, address)
}

#[tokio::test]
async fn the_doctor_asks_redis_and_the_database_each_for_itself_and_within_seconds() {
    let site = Site::start(Dialect::Sqlite).await;
    let (_listener, address) = hung();
    let (hung_redis, redis) = (format!("redis://{address}"), site.redis.url().to_owned());
    let (hung_database, database) =
        (format!("postgres://me@{address}/shop"), site.database_url.clone());
    let away = "postgres://me@127.0.0.1:1/shop".to_owned();
    let redis_is_well = ["Redis: not encrypted", "versions: Redis ", "backlog: 0 "];
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
    for id in ["1000-1", "1000-2", "1000-3"] {
        let mut add = redis::cmd("XADD");
        add.arg(crate::persist::stream()).arg(id).arg("v").arg("9");
        let _: String = site.redis.ask(&add).await;
    }
    let refused = async || server.metric("firstcome_persist_refused_records").await == 3.0;
    eventually_holds("all are refused", refused).await;
    let ended = doctor();
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let told = ended.out.lines().find(|line| line.contains("are held by a persister")).unwrap();
    assert!(told.starts_with("unsafe: 3 records are held"), "{told}");
    assert!(told.contains("among them 1000-1 of shard "), "{told}");
}
