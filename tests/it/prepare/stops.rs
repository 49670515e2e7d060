//! Nothing holds up a pause or a close, and nothing older undoes them (I8, P9 step 7).

use std::time::{Duration, Instant};

use firstcome::domain::act::Change;
use firstcome::domain::coupon::{CouponId, State};
use firstcome::domain::limits::ROW_WAIT;
use firstcome::domain::time::UnixMs;
use firstcome::prepare::Stop;
use redis::cmd;
use reqwest::{Method, StatusCode};
use rustix::process::Signal;
use sqlx::{Connection as _, PgConnection, raw_sql};
use tempfile::TempDir;

use crate::support::eventually::eventually_holds;
use crate::support::postgres::{self, close_to_all, open_to_all};
use crate::support::processes::signal;
use crate::support::redis::{PrivateRedis, handle};
use crate::support::server::{Answer, Server, send};
use crate::support::store::open;

use super::act;

/// A server, its Redis and its database, and the coupon `summer`.
struct Place {
    server: Server,
    redis: PrivateRedis,
    database_url: String,
    _dir: TempDir,
}

impl Place {
    async fn start() -> Self {
        let redis = PrivateRedis::start().await;
        let database_url = postgres::fresh_database().await;
        let dir = tempfile::tempdir().unwrap();
        let variables = [("REDIS_URL", redis.url()), ("DATABASE_URL", &database_url)];
        let server = Server::start(dir.path(), &variables).await.ready().await;
        server.prepare("summer", 100).await;
        Self { server, redis, database_url, _dir: dir }
    }

    /// What the rows say in the end, when nothing is left to do: the state and all acts.
    async fn settled(&self, acts: &[&str]) -> State {
        let store = open(&self.database_url, 2).await.unwrap();
        let id = CouponId::parse("summer").unwrap();
        eventually_holds("the acts", async || {
            let coupon = store.find_coupon(&id).await.unwrap().unwrap();
            let left = store.unrecorded_acts(UnixMs(0), None, 10).await.unwrap();
            coupon.act_no == acts.len() as u64 && left.is_empty()
        })
        .await;
        for (number, word) in (1..).zip(acts) {
            let act = store.find_act(&id, number).await.unwrap().unwrap();
            assert_eq!(act.change.word(), *word, "act {number}");
        }
        let state = store.find_coupon(&id).await.unwrap().unwrap().state;
        store.close().await;
        state
    }
}

#[tokio::test]
async fn a_pause_that_was_told_while_the_database_was_away_is_not_undone_by_an_older_resume_i8() {
    let place = Place::start().await;
    let server = &place.server;
    assert_eq!(act(server, "summer", "pause").await.status, StatusCode::OK);
    let redis: u32 = place.redis.info("process_id").await.parse().unwrap();
    signal(redis, Signal::STOP);
    let unknown = act(server, "summer", "resume").await;
    assert_eq!(unknown.status, StatusCode::SERVICE_UNAVAILABLE, "it stands as intended");
    close_to_all(&place.database_url).await;
    signal(redis, Signal::CONT);
    eventually_holds("a pause that is told", async || {
        act(server, "summer", "pause").await.status == StatusCode::OK
    })
    .await;
    assert_eq!(server.issue("summer", "ada").await.code(), "paused");

    open_to_all(&place.database_url).await;
    let acts = ["preload", "pause", "resume", "pause"];
    assert_eq!(place.settled(&acts).await, State::Paused, "with a trace of the second pause");
    assert_eq!(server.issue("summer", "ada").await.code(), "paused");
    assert_eq!(act(server, "summer", "resume").await.status, StatusCode::OK);
    assert_eq!(server.issue("summer", "ada").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_pause_and_a_close_that_were_told_while_the_database_was_away_have_both_their_rows_i8() {
    let place = Place::start().await;
    let server = &place.server;
    close_to_all(&place.database_url).await;
    for word in ["pause", "pause", "close", "close"] {
        let told = async || act(server, "summer", word).await.status == StatusCode::OK;
        eventually_holds("the act is told", told).await;
    }
    assert_eq!(act(server, "summer", "pause").await.code(), "already_closed");
    open_to_all(&place.database_url).await;
    // What is told twice while it waits for its row is one act.
    assert_eq!(place.settled(&["preload", "pause", "close"]).await, State::Closed);
    assert_eq!(server.issue("summer", "ada").await.code(), "closed");
    let balanced = async || server.get("/coupons/summer/audit").await.json()["ok"] == true;
    eventually_holds("the balance", balanced).await;
}

#[tokio::test]
async fn a_close_with_a_row_comes_after_a_pause_that_has_none_yet_i8() {
    let place = Place::start().await;
    let id = CouponId::parse("summer").unwrap();
    Stop::Pause.go_first(&place.redis.redis, &id).await.unwrap();
    assert_eq!(act(&place.server, "summer", "close").await.status, StatusCode::OK);
    assert_eq!(place.settled(&["preload", "pause", "close"]).await, State::Closed);
}

#[tokio::test]
async fn a_resume_that_is_asked_for_after_a_pause_without_a_row_comes_after_it_i8() {
    let place = Place::start().await;
    let id = CouponId::parse("summer").unwrap();
    Stop::Pause.go_first(&place.redis.redis, &id).await.unwrap();
    assert_eq!(place.server.issue("summer", "ada").await.code(), "paused");
    assert_eq!(act(&place.server, "summer", "resume").await.status, StatusCode::OK);
    assert_eq!(place.server.issue("summer", "ada").await.status, StatusCode::OK);
    assert_eq!(place.settled(&["preload", "pause", "resume"]).await, State::Open);
}

#[tokio::test]
async fn while_the_database_hangs_a_pause_and_a_close_are_told_within_a_second_i8() {
    let place = Place::start().await;
    let mut lock = PgConnection::connect(&place.database_url).await.unwrap();
    raw_sql("BEGIN; LOCK TABLE coupons, acts").execute(&mut lock).await.unwrap();
    for (word, code) in [("pause", "paused"), ("close", "closed")] {
        let asked = Instant::now();
        let told = act(&place.server, "summer", word).await;
        let took = asked.elapsed();
        assert_eq!(told.status, StatusCode::OK, "{word}: {told:?}");
        assert!(took < Duration::from_secs(1), "{word} took {took:?}");
        assert_eq!(place.server.issue("summer", "ada").await.code(), code);
    }
    raw_sql("ROLLBACK").execute(&mut lock).await.unwrap();
    lock.close().await.unwrap();
    assert_eq!(place.settled(&["preload", "pause", "close"]).await, State::Closed);
}

#[tokio::test]
async fn a_redis_without_memory_is_paused_and_closed_i8() {
    let place = Place::start().await;
    let mut full = cmd("CONFIG");
    place.redis.ask::<()>(full.arg("SET").arg("maxmemory").arg(1)).await;
    assert_eq!(place.server.issue("summer", "ada").await.status.as_u16(), 503);
    for (word, code) in [("pause", "paused"), ("close", "closed")] {
        let told = act(&place.server, "summer", word).await;
        assert_eq!(told.status, StatusCode::OK, "{word}: {told:?}");
        assert_eq!(place.server.issue("summer", "ada").await.code(), code);
    }
}

#[tokio::test]
async fn a_pause_and_a_close_need_no_database_and_no_proven_life_of_redis_i8() {
    let place = Place::start().await;
    let redis = handle(place.redis.url());
    redis.generation().proven().unwrap_err();
    let id = CouponId::parse("summer").unwrap();
    for (stop, change, code) in
        [(Stop::Pause, Change::Pause, "paused"), (Stop::Close, Change::Close, "closed")]
    {
        let told = stop.go_first(&redis, &id).await.unwrap();
        assert_eq!((told.total, told.remaining), (100, 100), "{change:?}");
        assert_eq!(place.server.issue("summer", "ada").await.code(), code);
    }
    let nothing = CouponId::parse("nothing").unwrap();
    Stop::Pause.go_first(&redis, &nothing).await.unwrap_err();
}

/// `pause` or `close` with a header.
async fn act_with(server: &Server, word: &str, header: (&str, &str)) -> Answer {
    let path = format!("/admin/coupons/summer/{word}");
    let request = server.ask_as_admin(Method::POST, &path).header(header.0, header.1);
    send(request).await.unwrap()
}

#[tokio::test]
async fn a_close_with_a_condition_waits_for_the_row_that_may_refuse_it_i4() {
    let place = Place::start().await;
    let server = &place.server;
    let paused = act_with(server, "pause", ("Idempotency-Key", "K")).await;
    assert_eq!(paused.status, StatusCode::OK, "{paused:?}");
    let refusals = [
        (("If-Match", "\"1\""), "version_conflict"),
        (("Idempotency-Key", "K"), "idempotency_key_reused"),
    ];
    for (header, code) in refusals {
        let mut lock = PgConnection::connect(&place.database_url).await.unwrap();
        raw_sql("BEGIN; LOCK TABLE coupons, acts").execute(&mut lock).await.unwrap();
        let free = async {
            let since = Instant::now();
            let is_long = async || since.elapsed() > 3 * ROW_WAIT;
            eventually_holds("longer than any stop waits for its row", is_long).await;
            raw_sql("ROLLBACK").execute(&mut lock).await.unwrap();
        };
        let (told, ()) = tokio::join!(act_with(server, "close", header), free);
        assert_eq!(told.code(), code, "{told:?}");
    }
    assert_eq!(server.issue("summer", "ada").await.code(), "paused", "and not closed");
    assert_eq!(place.settled(&["preload", "pause"]).await, State::Paused);
}

#[tokio::test]
async fn a_pause_goes_first_whatever_its_condition_while_its_row_takes_long_i8() {
    let place = Place::start().await;
    assert_eq!(act(&place.server, "summer", "pause").await.status, StatusCode::OK);
    assert_eq!(act(&place.server, "summer", "resume").await.status, StatusCode::OK);
    let stale = ("If-Match", "\"1\"");
    let told = act_with(&place.server, "pause", stale).await;
    assert_eq!(told.code(), "version_conflict", "{told:?}");
    let mut lock = PgConnection::connect(&place.database_url).await.unwrap();
    raw_sql("BEGIN; LOCK TABLE coupons, acts").execute(&mut lock).await.unwrap();
    let told = act_with(&place.server, "pause", stale).await;
    assert_eq!(told.status, StatusCode::OK, "{told:?}");
    assert_eq!(place.server.issue("summer", "ada").await.code(), "paused");
}
