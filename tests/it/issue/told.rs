//! A server that cannot issue tickets says in `/readyz` why.

use reqwest::StatusCode;
use rustix::process::Signal;

use firstcome::domain::coupon::CouponId;
use firstcome::redis::keys::Keys;

use crate::support::processes::signal;
use crate::support::server::Server;
use crate::support::site::{Dialect, Site};

async fn assert_warned(server: &Server, sentence: &str) {
    let warnings = server.get("/readyz").await.json()["warnings"].to_string();
    assert!(warnings.contains(sentence), "{warnings}");
}

#[tokio::test]
async fn calls_that_redis_does_not_answer_in_time_are_a_warning() {
    let site = Site::start(Dialect::Sqlite).await;
    let server = site.server(&[("FIRSTCOME_REDIS_TIMEOUT_MS", "500")]).await;
    server.prepare("summer", 10).await;
    let redis: u32 = site.redis.info("process_id").await.parse().unwrap();
    signal(redis, Signal::STOP);
    let unanswered = server.issue("summer", "ada").await;
    signal(redis, Signal::CONT);
    assert_eq!(unanswered.code(), "outcome_unknown");
    assert_warned(&server, "calls of the issue script fail: the outcome is unknown").await;
}

#[tokio::test]
async fn a_coupon_that_lost_a_part_is_a_warning_when_somebody_asks_for_it() {
    let site = Site::start(Dialect::Sqlite).await;
    let server = site.server(&[]).await;
    server.prepare("summer", 10).await;
    server.prepare("winter", 10).await;
    let damaged = Keys::new("fc").coupon(&CouponId::parse("summer").unwrap());
    site.redis.ask::<()>(redis::cmd("HSET").arg(damaged).arg("terms").arg("open")).await;
    assert_eq!(server.issue("summer", "ada").await.code(), "recovering");
    assert_warned(&server, "coupon summer gives no tickets: Redis lost a part of it").await;
    assert_eq!(server.issue("winter", "ada").await.status, StatusCode::OK);
}
