//! The database is away: tickets wait in the stream, up to a bound, and none is lost (I3).

use firstcome::redis::depth;
use firstcome::telemetry::health::Health;
use reqwest::StatusCode;

use super::{Ground, until_empty};
use crate::support::crowd::{Crowd, Told};
use crate::support::eventually::eventually_holds;
use crate::support::exact::{assert_exactly, assert_kept};
use crate::support::postgres;
use crate::support::site::{Dialect, Site};

#[tokio::test]
async fn issuing_goes_on_while_the_database_is_away_and_every_ticket_becomes_a_row_i1_i3() {
    let site = Site::start(Dialect::Postgres).await;
    let server = site.server(&[]).await;
    server.prepare("summer", 400).await;
    let crowd = Crowd::new(&[&server.public], "summer");
    crowd.rush(0..100).await;
    postgres::close_to_all(&site.database_url).await;
    crowd.rush(100..600).await;
    let failures = async || {
        server.metric("firstcome_persist_failures_total{reason=\"unavailable\"}").await > 1.0
    };
    eventually_holds("the persister tries again", failures).await;
    let unpersisted = depth::stream_depth(&site.redis.redis).await.unwrap().unpersisted;
    assert!(unpersisted >= 300, "acknowledged without a row: {unpersisted} wait");
    postgres::open_to_all(&site.database_url).await;
    let told = crowd.told();
    assert!(told.interruptions.is_empty(), "{:?}", told.interruptions);
    assert_exactly(&server, "summer", 400, &told).await;
}

#[tokio::test]
async fn at_the_bound_of_the_backlog_nothing_is_issued_and_holders_are_still_answered_i3_i10() {
    let site = Site::start(Dialect::Sqlite).await;
    let variables = [("FIRSTCOME_PERSISTER", "off"), ("FIRSTCOME_BACKLOG_MAX_TICKETS", "10")];
    let server = site.server(&variables).await;
    server.prepare("summer", 50).await;
    let mut told = Told::default();
    for number in 0..10 {
        let user = format!("u{number}");
        let answer = server.issue("summer", &user).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        told.tickets.insert(user, answer.body);
    }
    let refused = server.issue("summer", "late").await;
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(refused.code(), "backlog_full");
    for (user, body) in &told.tickets {
        assert_eq!(&server.issue("summer", user).await.body, body);
    }
    assert_eq!(server.stats("summer").await["issued"], 10, "refused, and nothing happened (I4)");

    let mut worker = site.worker(&[]);
    assert_kept(&server, "summer", &told).await;
    let late = server.issue("summer", "late").await;
    assert_eq!(late.status, StatusCode::OK, "{}", late.body);
    told.tickets.insert("late".to_owned(), late.body);
    assert_eq!(worker.terminate().await.code(), Some(0));
    let rows = server.stats("summer").await;
    assert_eq!(rows["rows"], 11, "a worker that is told to stop drains: {rows}");
    assert_kept(&server, "summer", &told).await;
}

#[tokio::test]
async fn while_no_row_can_be_written_a_persister_says_for_how_long_and_why_i3() {
    let ground = Ground::start(Dialect::Postgres).await;
    ground.issue(0..10).await;
    let health = Health::default();
    let mut persister = ground.persister("one").reporting_to(health.clone());
    postgres::close_to_all(&ground.site.database_url).await;
    eventually_holds("the first whole second", async || {
        persister.step().await;
        let warnings = health.told().warnings;
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        let rest = warnings[0].strip_prefix("no row could be written for ").unwrap();
        let (seconds, why) = rest.split_once(" s: ").unwrap();
        assert!(why.starts_with("the database is not available"), "{why}");
        seconds.parse::<u64>().unwrap() >= 1
    })
    .await;
    postgres::open_to_all(&ground.site.database_url).await;
    until_empty(&ground, &mut persister).await;
    assert_eq!(health.told().warnings, [""; 0]);
    ground.assert_rows(10).await;
}
