//! Two servers on one Redis and one database: what one is told, the other obeys (I8).

use std::time::{Duration, Instant};

use reqwest::StatusCode;
use serde_json::json;

use crate::support::postgres;
use crate::support::redis::PrivateRedis;
use crate::support::server::{Answer, Server};

use super::{act, assert_balance, cancel, rows_are_there, state};

/// The bound of I8.
const IN_FORCE: Duration = Duration::from_millis(150);

/// Asks the other server again and again. Requests that began 150 ms after the answer must be
/// answered as it is now, however long they take; earlier ones in either way.
async fn obeys(server: &Server, since: Instant, what: &str, is_new: impl Fn(&Answer) -> bool) {
    for number in 0.. {
        let asked = since.elapsed();
        let answer = server.issue("summer", &format!("{what}-{number}")).await;
        if is_new(&answer) {
            if asked > IN_FORCE {
                return;
            }
        } else {
            assert!(asked <= IN_FORCE, "I8: {what}: asked {asked:?} later, {answer:?}");
        }
    }
}

#[tokio::test]
async fn what_one_server_was_told_another_one_obeys_within_150_ms_i8() {
    let redis = PrivateRedis::start().await;
    let database = postgres::fresh_database().await;
    let shared = [("REDIS_URL", redis.url()), ("DATABASE_URL", &database)];
    let (dir_a, dir_b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let a = Server::start(dir_a.path(), &shared).await.ready().await;
    let b = Server::start(dir_b.path(), &shared).await.ready().await;
    a.prepare("summer", 1_000_000).await;
    assert_eq!(b.issue("summer", "ada").await.json()["ticket"]["serial"], 1);
    let has_code = |code: &'static str| move |answer: &Answer| answer.code() == code;
    let wins = |answer: &Answer| answer.status == StatusCode::OK;

    for round in 0..3 {
        assert_eq!(act(&a, "summer", "pause").await.status, StatusCode::OK);
        obeys(&b, Instant::now(), &format!("pause-{round}"), has_code("paused")).await;
        assert_eq!(act(&a, "summer", "resume").await.status, StatusCode::OK);
        obeys(&b, Instant::now(), &format!("resume-{round}"), wins).await;
    }

    assert_eq!(act(&b, "summer", "pause").await.status, StatusCode::OK);
    let left = a.stats("summer").await["remaining"].as_i64().unwrap();
    assert_eq!(a.restock("summer", -left, "all").await.status, StatusCode::OK);
    act(&b, "summer", "resume").await;
    obeys(&b, Instant::now(), "emptied", has_code("sold_out")).await;
    assert_eq!(state(&b, "summer").await, "sold_out");
    rows_are_there(&a, "summer").await;

    // Asks A for nothing in between, so that B alone can win what comes back.
    assert_eq!(a.restock("summer", 100_000, "more").await.status, StatusCode::OK);
    obeys(&b, Instant::now(), "restocked", wins).await;
    let left = a.stats("summer").await["remaining"].as_i64().unwrap();
    assert_eq!(a.restock("summer", -left, "all-again").await.status, StatusCode::OK);
    rows_are_there(&a, "summer").await;
    assert_eq!(b.issue("summer", "late").await.code(), "sold_out");
    assert_eq!(cancel(&a, "summer.1").await.status, StatusCode::OK);
    let since = Instant::now();
    while since.elapsed() <= IN_FORCE {
        assert_eq!(b.issue("summer", "ada").await.code(), "ticket_cancelled", "never held back");
    }
    assert_eq!(b.issue("summer", "bob").await.status, StatusCode::OK, "I8: the unit is back");
    assert_eq!(b.issue("summer", "carl").await.code(), "sold_out", "I1");

    act(&a, "summer", "close").await;
    obeys(&b, Instant::now(), "close", has_code("closed")).await;
    rows_are_there(&b, "summer").await;
    assert_balance(&b, "summer", &json!({ "remaining": 0, "returned": 1 })).await;
}
