//! What a crash, a lost reply or a dead database leaves of an act, and who finishes it (P9).

use std::path::Path;
use std::sync::Arc;

use firstcome::domain::act::{Act, ActResult, Change, NewAct};
use firstcome::domain::coupon::CouponId;
use firstcome::domain::generation::Durability;
use firstcome::domain::limits::INSTANT_MAX_MS;
use firstcome::domain::time::UnixMs;
use firstcome::domain::who::Who;
use firstcome::embedded::LocalRedis;
use firstcome::lua::{ActArgs, ActReply, restock};
use firstcome::redis::facts;
use firstcome::redis::generation::Accepted;
use firstcome::store::{Intended, Store};
use reqwest::StatusCode;
use rustix::process::Signal;
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, SqliteConnection};

use crate::support::eventually::eventually_holds;
use crate::support::postgres;
use crate::support::redis::handle;
use crate::support::server::Server;
use crate::support::store::open;

use super::{act, assert_balance, rows_are_there, server, state};

const LONG_AGO: UnixMs = UnixMs(1_000);
const RESTOCK: Change = Change::Restock { delta: 500 };

/// The database of an embedded server, as another process sees it.
async fn database_of(dir: &Path) -> Arc<dyn Store> {
    open(&format!("sqlite:{}", dir.join("firstcome.db").display()), 2).await.unwrap()
}

/// An act as a server leaves it that dies right after writing it.
async fn intended(store: &dyn Store, change: Change) -> Act {
    intended_at(store, change, LONG_AGO).await
}

/// As [`intended`], by a server whose clock said this.
async fn intended_at(store: &dyn Store, change: Change, at: UnixMs) -> Act {
    let new = NewAct {
        coupon_id: CouponId::parse("summer").unwrap(),
        change,
        idempotency_key: None,
        if_version: None,
        who: Who::Admin,
        at,
    };
    match store.intend_act(&new).await.unwrap() {
        Intended::New(act) => act,
        other => panic!("not new: {other:?}"),
    }
}

async fn nothing_is_left_to_do(store: &dyn Store) {
    eventually_holds("the relay", async || {
        store.unrecorded_acts(UnixMs(0), None, 10).await.unwrap().is_empty()
    })
    .await;
}

#[tokio::test]
async fn an_act_that_was_only_intended_is_finished_by_the_relay_of_any_server_i8() {
    let (dir, server) = server(&[]).await;
    server.prepare("summer", 100).await;
    let store = database_of(dir.path()).await;
    for (change, total) in [(RESTOCK, 600), (Change::Restock { delta: -100 }, 500)] {
        intended(&*store, change).await;
        nothing_is_left_to_do(&*store).await;
        assert_balance(&server, "summer", &json!({ "total": total, "remaining": total })).await;
    }
    // The clock of the server that died was far ahead.
    intended_at(&*store, Change::Restock { delta: 1 }, UnixMs(INSTANT_MAX_MS)).await;
    nothing_is_left_to_do(&*store).await;
    assert_eq!(server.restock("summer", -1, "back").await.json()["total"], 500);
    intended(&*store, Change::Pause).await;
    nothing_is_left_to_do(&*store).await;
    assert_eq!(state(&server, "summer").await, "paused");
    intended(&*store, Change::Restock { delta: -501 }).await;
    nothing_is_left_to_do(&*store).await;
    assert_balance(&server, "summer", &json!({ "total": 500, "remaining": 500 })).await;

    // Whoever comes next need not wait for the relay, and meets it exactly once.
    intended(&*store, RESTOCK).await;
    let answer = server.restock("summer", 1, "own").await;
    assert_eq!((answer.status, &answer.json()["total"]), (StatusCode::OK, &json!(1_001)));
    nothing_is_left_to_do(&*store).await;
    assert_balance(&server, "summer", &json!({ "total": 1_001, "remaining": 1_001 })).await;
    store.close().await;
}

#[tokio::test]
async fn an_act_whose_reply_was_lost_is_settled_as_it_was_applied_and_not_applied_again_i1() {
    let (dir, server) = server(&[]).await;
    server.prepare("summer", 100).await;
    let store = database_of(dir.path()).await;
    let redis = handle(&LocalRedis::attach(dir.path()).await.unwrap());
    let facts = facts::read(&redis).await.unwrap();
    let accepted = Accepted {
        generation_no: 1,
        epoch: 1,
        run_id: facts.run_id,
        replid: facts.replid,
        durability: Durability::Always,
        installation_id: "a".repeat(32),
    };
    // A stopped server cannot finish it in between.
    server.signal(Signal::STOP);
    let act = intended(&*store, RESTOCK).await;
    let (coupon_id, act_no, token) = (&act.coupon_id, act.act_no, &act.token());
    let args = ActArgs { accepted: &accepted, coupon_id, act_no, token };
    let lost = restock::restock(&redis, &restock::Args { act: args, delta: 500 }).await.unwrap();
    let ActReply::Decided(ActResult::Applied(applied)) = lost else { panic!("{lost:?}") };
    assert_eq!((applied.total, applied.remaining), (600, 600));
    server.signal(Signal::CONT);
    nothing_is_left_to_do(&*store).await;
    assert_balance(&server, "summer", &json!({ "total": 600, "remaining": 600 })).await;
    let row = server.get_as_admin("/admin/coupons/summer").await.json();
    assert_eq!((&row["total"], &row["version"]), (&json!(600), &json!(applied.version)));
    assert_eq!(server.restock("summer", 1, "next").await.json()["total"], 601);
    store.close().await;
}

#[tokio::test]
async fn a_pause_and_a_close_hold_while_the_database_is_away_and_are_written_afterwards_i8() {
    let url = postgres::fresh_database().await;
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path(), &[("DATABASE_URL", &url)]).await.ready().await;
    server.prepare("summer", 100).await;
    let told = server.issue("summer", "ada").await;
    rows_are_there(&server, "summer").await;

    allow_connections(&url, false).await;
    let refused = server.restock("summer", 5, "k").await;
    assert_eq!((refused.status.as_u16(), refused.code()), (503, "database_unavailable".into()));
    assert!(!refused.body.contains("postgres"), "causes are for the log: {}", refused.body);
    assert_eq!(server.issue("summer", "eve").await.status, StatusCode::OK, "issuing goes on");
    let paused = act(&server, "summer", "pause").await;
    assert_eq!(paused.status, StatusCode::OK, "{paused:?}");
    assert_eq!(server.issue("summer", "bob").await.code(), "paused");
    assert_eq!(server.issue("summer", "ada").await.body, told.body, "I10");
    assert_eq!(act(&server, "summer", "resume").await.code(), "database_unavailable");
    assert_eq!(server.issue("summer", "bob").await.code(), "paused");
    eventually_holds("a warning", async || {
        let ready = server.get("/readyz").await;
        assert_eq!(ready.status, StatusCode::OK, "it can issue: {}", ready.body);
        ready.body.contains("the database")
    })
    .await;

    allow_connections(&url, true).await;
    let store = open(&url, 2).await.unwrap();
    let row = async || {
        let id = CouponId::parse("summer").unwrap();
        store.find_coupon(&id).await.unwrap().unwrap().state.word()
    };
    eventually_holds("the row of the pause", async || row().await == "paused").await;
    nothing_is_left_to_do(&*store).await;
    assert_eq!(act(&server, "summer", "resume").await.status, StatusCode::OK);
    assert_eq!(server.issue("summer", "bob").await.status, StatusCode::OK);

    allow_connections(&url, false).await;
    assert_eq!(act(&server, "summer", "close").await.status, StatusCode::OK);
    assert_eq!(server.issue("summer", "carl").await.code(), "closed");
    allow_connections(&url, true).await;
    eventually_holds("the row of the close", async || row().await == "closed").await;
    rows_are_there(&server, "summer").await;
    assert_balance(&server, "summer", &json!({ "issued": 3, "remaining": 97, "rows": 3 })).await;
    store.close().await;
}

/// The relay reads, so it never meets the lock that kept the act from its row.
#[tokio::test]
async fn a_pause_that_only_its_own_request_could_not_write_is_written_afterwards_i8() {
    let (dir, server) = server(&[]).await;
    server.prepare("summer", 100).await;
    let store = database_of(dir.path()).await;
    let file = format!("sqlite:{}", dir.path().join("firstcome.db").display());
    let mut lock = SqliteConnection::connect(&file).await.unwrap();
    sqlx::query("BEGIN IMMEDIATE").execute(&mut lock).await.unwrap();
    let paused = act(&server, "summer", "pause").await;
    assert_eq!(paused.status, StatusCode::OK, "{paused:?}");
    assert_eq!(server.issue("summer", "ada").await.code(), "paused");
    let row = async || {
        let id = CouponId::parse("summer").unwrap();
        store.find_coupon(&id).await.unwrap().unwrap().state.word()
    };
    assert_eq!(row().await, "open");
    sqlx::query("ROLLBACK").execute(&mut lock).await.unwrap();
    eventually_holds("the row of the pause", async || row().await == "paused").await;
    assert_eq!(act(&server, "summer", "resume").await.status, StatusCode::OK);
    assert_eq!(server.issue("summer", "ada").await.status, StatusCode::OK);
    lock.close().await.unwrap();
    store.close().await;
}

/// Sends everybody away from the database and lets nobody in, or lets them in again.
async fn allow_connections(url: &str, allowed: bool) {
    let (head, query) = url.split_once('?').unwrap();
    let (server, name) = head.rsplit_once('/').unwrap();
    let mut connection =
        PgConnection::connect(&format!("{server}/postgres?{query}")).await.unwrap();
    let mut run = async |sql: String| {
        sqlx::query(AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
    };
    run(format!("ALTER DATABASE {name} ALLOW_CONNECTIONS {allowed}")).await;
    if !allowed {
        run(format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
        ))
        .await;
    }
    connection.close().await.unwrap();
}
