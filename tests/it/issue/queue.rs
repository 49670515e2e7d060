//! The bounded queue: a full queue refuses at once, a late request gets an exact answer, and no
//! coupon starves another.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use reqwest::StatusCode;
use rustix::process::Signal;

use firstcome::domain::coupon::CouponId;
use firstcome::redis::keys::Keys;

use crate::support::crowd::{Crowd, Told};
use crate::support::eventually::{eventually, eventually_holds};
use crate::support::exact::{assert_exactly, assert_kept};
use crate::support::line::Line;
use crate::support::processes::signal;
use crate::support::server::{Answer, Server};
use crate::support::site::{Dialect, Site};

/// A request that is under way on a connection of its own.
async fn ask(server: &Server, coupon: &str, user: &str) -> Line {
    let mut line = Line::open(&server.public).await.unwrap();
    line.ask(coupon, user).await.unwrap();
    line
}

async fn redis_pid(site: &Site) -> u32 {
    site.redis.info("process_id").await.parse().unwrap()
}

async fn waiting(server: &Server) -> f64 {
    server.metric("firstcome_issue_queue_requests").await
}

#[tokio::test]
async fn a_redis_that_hangs_gets_bounded_answers_and_afterwards_retries_are_exact_i2_i10() {
    let site = Site::start(Dialect::Sqlite).await;
    let server = site
        .server(&[
            ("FIRSTCOME_WORKERS", "1"),
            ("FIRSTCOME_QUEUE_MAX_REQUESTS", "16"),
            ("FIRSTCOME_REDIS_TIMEOUT_MS", "500"),
        ])
        .await;
    server.prepare("summer", 64).await;
    let redis = redis_pid(&site).await;
    signal(redis, Signal::STOP);
    let since = Instant::now();
    let answers: Vec<Answer> = join_all((0..64).map(async |number| {
        let mut line = Line::open(&server.public).await.unwrap();
        line.issue("summer", &format!("u{number}")).await.unwrap()
    }))
    .await;
    let took = since.elapsed();
    signal(redis, Signal::CONT);
    assert!(took < Duration::from_secs(5), "{took:?}");
    let told = |code: &str| answers.iter().filter(|answer| answer.code() == code).count();
    let (unknown, overloaded) = (told("outcome_unknown"), told("overloaded"));
    assert!(unknown >= 1 && overloaded >= 64 - 16 - unknown, "{unknown} {overloaded}");
    assert_eq!(unknown + overloaded + told("recovering"), 64);
    assert!(answers.iter().all(|answer| answer.status == StatusCode::SERVICE_UNAVAILABLE));

    let crowd = Crowd::new(&[&server.public], "summer");
    crowd.rush(0..80).await;
    assert_exactly(&server, "summer", 64, &crowd.told()).await;
}

#[tokio::test]
async fn a_request_whose_user_has_gone_while_it_waited_takes_no_ticket_i4() {
    let site = Site::start(Dialect::Sqlite).await;
    let variables = [("FIRSTCOME_WORKERS", "1"), ("FIRSTCOME_REDIS_TIMEOUT_MS", "20000")];
    let server = site.server(&variables).await;
    server.prepare("summer", 2).await;
    let redis = redis_pid(&site).await;
    signal(redis, Signal::STOP);
    let mut first = ask(&server, "summer", "ada").await;
    let calls = async || server.metric("firstcome_issue_wait_seconds_count").await;
    eventually_holds("ada's call is in flight", async || calls().await == 1.0).await;
    let gone = ask(&server, "summer", "bob").await;
    eventually_holds("bob waits", async || waiting(&server).await == 1.0).await;
    drop(gone);
    let mut last = ask(&server, "summer", "eve").await;
    eventually_holds("eve waits", async || waiting(&server).await == 2.0).await;
    signal(redis, Signal::CONT);
    let mut told = Told::default();
    for (user, line) in [("ada", &mut first), ("eve", &mut last)] {
        let answer = line.answer().await.unwrap();
        assert_eq!(answer.status, StatusCode::OK, "{user}: {}", answer.body);
        told.tickets.insert(user.to_owned(), answer.body);
    }
    assert_kept(&server, "summer", &told).await;
}

#[tokio::test]
async fn a_hundred_requests_of_one_user_at_once_are_one_ticket_and_one_of_them_is_new_i2_i10() {
    let site = Site::start(Dialect::Sqlite).await;
    let variables = [("FIRSTCOME_WORKERS", "1"), ("FIRSTCOME_REDIS_TIMEOUT_MS", "20000")];
    let servers = [site.server(&variables).await, site.server(&variables).await];
    servers[0].prepare("summer", 100).await;
    let redis = redis_pid(&site).await;
    signal(redis, Signal::STOP);
    // A first call is under way, so that all of ada's gather and one call answers many of them.
    let mut told = Told::default();
    let mut first = Vec::new();
    for (server, user) in servers.iter().zip(["eve", "bob"]) {
        first.push((user, ask(server, "summer", user).await));
        let calls = async || server.metric("firstcome_issue_wait_seconds_count").await;
        eventually_holds("the first call", async || calls().await == 1.0).await;
    }
    let lines = join_all((0..100).map(|turn| ask(&servers[turn % 2], "summer", "ada"))).await;
    for server in &servers {
        eventually_holds("ada waits", async || waiting(server).await == 50.0).await;
    }
    signal(redis, Signal::CONT);
    let answers = join_all(lines.into_iter().map(async |mut line| line.answer().await.unwrap()));
    let answers = answers.await;
    let is_new = |answer: &&Answer| answer.headers["idempotency-replayed"] == "false";
    assert_eq!(answers.iter().filter(is_new).count(), 1);
    assert!(answers.iter().all(|answer| answer.body == answers[0].body));
    told.tickets.insert("ada".to_owned(), answers[0].body.clone());
    for (user, mut line) in first {
        told.tickets.insert(user.to_owned(), line.answer().await.unwrap().body);
    }
    assert_kept(&servers[1], "summer", &told).await;
}

/// Another coupon whose records stand in the same stream.
fn beside(coupon: &str) -> String {
    let shard = |id: &str| CouponId::parse(id).unwrap().shard();
    let names = (0..).map(|number| format!("quiet{number}"));
    names.into_iter().find(|name| shard(name) == shard(coupon)).unwrap()
}

#[tokio::test]
async fn a_hot_coupon_does_not_starve_a_quiet_one() {
    const HOT: usize = 400;
    let site = Site::start(Dialect::Sqlite).await;
    let server = site
        .server(&[
            ("FIRSTCOME_WORKERS", "1"),
            ("FIRSTCOME_PERSISTER", "off"),
            ("FIRSTCOME_GROUP_MAX_REQUESTS", "8"),
            ("FIRSTCOME_REDIS_TIMEOUT_MS", "20000"),
        ])
        .await;
    let quiet = beside("hot");
    server.prepare("hot", HOT as u64).await;
    server.prepare(&quiet, 1).await;
    let redis = redis_pid(&site).await;
    signal(redis, Signal::STOP);
    let users = (0..HOT).map(|number| format!("u{number}"));
    let rush = join_all(users.map(async |user| ask(&server, "hot", &user).await)).await;
    let queued = HOT as f64 - 8.0;
    eventually_holds("the rush waits", async || waiting(&server).await >= queued).await;
    let mut late = ask(&server, &quiet, "ada").await;
    eventually("ada waits", async || (waiting(&server).await > queued).then_some(())).await;
    signal(redis, Signal::CONT);
    assert_eq!(late.answer().await.unwrap().status, StatusCode::OK);
    for mut line in rush {
        assert_eq!(line.answer().await.unwrap().status, StatusCode::OK);
    }

    // The stream has the calls in the sequence in which Redis took them.
    let stream = Keys::new("fc").records(CouponId::parse("hot").unwrap().shard());
    let records: Vec<(String, Vec<String>)> =
        site.redis.ask(redis::cmd("XRANGE").arg(stream).arg("-").arg("+")).await;
    let of_quiet = |text: &String| text.split(' ').nth(1) == Some(&quiet);
    let place = records.iter().position(|(_, fields)| fields.iter().any(of_quiet)).unwrap();
    assert!(records.len() > HOT / 8 && place <= 3, "{place} of {}", records.len());
}

#[tokio::test]
async fn a_flood_of_ids_that_nobody_knows_leaves_room_for_a_coupon() {
    leaves_room(|number| format!("none{number}")).await;
}

#[tokio::test]
async fn a_flood_of_one_id_that_nobody_knows_leaves_room_for_a_coupon() {
    leaves_room(|_| "none".to_owned()).await;
}

async fn leaves_room(id_of: impl Fn(usize) -> String) {
    let site = Site::start(Dialect::Sqlite).await;
    let variables = [
        ("FIRSTCOME_WORKERS", "1"),
        ("FIRSTCOME_QUEUE_MAX_REQUESTS", "64"),
        ("FIRSTCOME_REDIS_TIMEOUT_MS", "20000"),
    ];
    let server = site.server(&variables).await;
    server.prepare("hot", 50).await;
    assert_eq!(server.issue("hot", "first").await.status, StatusCode::OK);
    let calls = async || server.metric("firstcome_issue_wait_seconds_count").await;
    let before = calls().await;
    let redis = redis_pid(&site).await;
    signal(redis, Signal::STOP);
    let mut under_way = ask(&server, "hot", "second").await;
    eventually_holds("a call is in flight", async || calls().await > before).await;
    let flood = (0..200).map(async |number| ask(&server, &id_of(number), "eve").await);
    let _flood = join_all(flood).await;
    let overloaded = "firstcome_issue_requests_total{outcome=\"overloaded\"}";
    let is_there = async || server.metric(overloaded).await >= 136.0;
    eventually_holds("the flood is there", is_there).await;
    let users = (0..40).map(|number| format!("u{number}"));
    let rush = join_all(users.map(async |user| ask(&server, "hot", &user).await)).await;
    signal(redis, Signal::CONT);
    assert_eq!(under_way.answer().await.unwrap().status, StatusCode::OK);
    for mut line in rush {
        let answer = line.answer().await.unwrap();
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    }
}
