//! One damaged coupon is that coupon's trouble, and nobody else's.

use std::sync::Arc;

use firstcome::domain::act::{Change, NewAct};
use firstcome::domain::coupon::CouponId;
use firstcome::domain::time::UnixMs;
use firstcome::domain::who::Who;
use firstcome::store::{Intended, Store, open};
use redis::cmd;
use reqwest::{Method, StatusCode};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::eventually::eventually_holds;
use crate::support::postgres::{close_to_all, open_to_all};
use crate::support::processes::signal;
use crate::support::server::{Server, send};
use crate::support::site::{Dialect, Site};

use super::act;

/// Takes the terms away, which restock and audit need.
async fn damage(site: &Site, id: &str) {
    let key = site.redis.redis.keys().coupon(&CouponId::parse(id).unwrap());
    site.redis.ask::<()>(cmd("HDEL").arg(key).arg("terms")).await;
}

/// A restock as a server leaves it that dies right after writing it.
async fn intended(store: &Arc<dyn Store>, id: &str) {
    let new = NewAct {
        coupon_id: CouponId::parse(id).unwrap(),
        change: Change::Restock { delta: 5 },
        idempotency_key: None,
        if_version: None,
        who: Who::Admin,
        at: UnixMs(1_000),
    };
    let intended = store.intend_act(&new).await.unwrap();
    assert!(matches!(intended, Intended::New(_)), "{intended:?}");
}

async fn list(server: &Server) -> Value {
    let listed = send(server.ask_as_admin(Method::GET, "/admin/coupons?limit=1000")).await.unwrap();
    assert_eq!(listed.status, StatusCode::OK, "{listed:?}");
    let coupons = listed.json()["coupons"].as_array().unwrap().clone();
    coupons.iter().map(|one| json!([one["id"], one["state"]])).collect()
}

#[tokio::test]
async fn acts_that_cannot_be_finished_hold_up_no_others_i8() {
    // More than a page, and all of them come before the one that can be finished.
    const DAMAGED: usize = 110;
    let site = Site::start(Dialect::Postgres).await;
    let server = site.server(&[]).await;
    let store = open(&site.database_url, 2).await.unwrap();
    for number in 0..DAMAGED {
        let id = format!("damaged-{number:03}");
        server.prepare(&id, 10).await;
        damage(&site, &id).await;
        intended(&store, &id).await;
    }
    server.prepare("whole", 10).await;
    intended(&store, "whole").await;
    eventually_holds("the act of the whole coupon", async || {
        server.stats("whole").await["total"] == 15
    })
    .await;
    store.close().await;
}

#[tokio::test]
async fn a_pause_that_came_first_is_written_beside_a_damaged_coupon_i8() {
    let site = Site::start(Dialect::Postgres).await;
    let server = site.server(&[]).await;
    server.prepare("aaa", 10).await;
    server.prepare("zzz", 10).await;
    damage(&site, "aaa").await;
    close_to_all(&site.database_url).await;
    assert_eq!(act(&server, "zzz", "pause").await.status, StatusCode::OK);
    open_to_all(&site.database_url).await;
    let store = open(&site.database_url, 2).await.unwrap();
    eventually_holds("the row of the pause", async || {
        let id = CouponId::parse("zzz").unwrap();
        store.find_coupon(&id).await.unwrap().unwrap().state.word() == "paused"
    })
    .await;
    store.close().await;
}

#[tokio::test]
async fn a_coupon_that_redis_cannot_tell_is_listed_as_unknown() {
    let site = Site::start(Dialect::Sqlite).await;
    let server = site.server(&[]).await;
    for id in ["a", "b", "c"] {
        server.prepare(id, 10).await;
    }
    damage(&site, "b").await;
    assert_eq!(list(&server).await, json!([["a", "open"], ["b", "unknown"], ["c", "open"]]));
    let found = server.get_as_admin("/admin/coupons/b").await;
    assert_eq!((found.status, &found.json()["state"]), (StatusCode::OK, &json!("unknown")));

    let redis: u32 = site.redis.info("process_id").await.parse().unwrap();
    signal(redis, Signal::STOP);
    let unknown = json!([["a", "unknown"], ["b", "unknown"], ["c", "unknown"]]);
    assert_eq!(list(&server).await, unknown);
    let found = server.get_as_admin("/admin/coupons/a").await;
    assert_eq!((found.status, &found.json()["state"]), (StatusCode::OK, &json!("unknown")));
    signal(redis, Signal::CONT);
}
