//! Records that nobody writes into the database: how old they are, and how many there may be.

use redis::{cmd, pipe};
use serde_json::{Value, json};

use firstcome::domain::coupon::CouponId;
use firstcome::redis::keys::Keys;

use crate::support::eventually::eventually_holds;
use crate::support::redis::connect;
use crate::support::server::Server;
use crate::support::site::{Dialect, Site};

/// Gives the only record of a shard an id that is this much earlier.
async fn make_older(site: &Site, stream: &str, by_ms: u64) {
    let mut redis = connect(site.redis.url()).await;
    let mut ask = cmd("XRANGE");
    let entries: Vec<(String, Vec<String>)> =
        ask.arg(stream).arg("-").arg("+").query_async(&mut redis).await.unwrap();
    let [(id, fields)] = entries.as_slice() else { panic!("not one record: {entries:?}") };
    let (at_ms, _) = id.split_once('-').unwrap();
    let older = format!("{}-0", at_ms.parse::<u64>().unwrap() - by_ms);
    let mut replace = pipe();
    replace.atomic().cmd("DEL").arg(stream).cmd("XADD").arg(stream).arg(older).arg(fields);
    replace.exec_async(&mut redis).await.unwrap();
}

async fn warns(server: &Server, words: &[&str]) -> bool {
    let answer = server.get("/readyz").await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let told = answer.json();
    let mut sentences = told["warnings"].as_array().unwrap().iter().filter_map(Value::as_str);
    sentences.any(|told| words.iter().all(|word| told.contains(word)))
}

#[tokio::test]
async fn a_backlog_that_is_old_or_nearly_full_is_a_warning_until_a_persister_runs_i3() {
    let site = Site::start(Dialect::Sqlite).await;
    let variables = [("FIRSTCOME_PERSISTER", "off"), ("FIRSTCOME_BACKLOG_MAX_TICKETS", "10")];
    let server = site.server(&variables).await;
    server.prepare("summer", 100).await;
    let stream = Keys::new("fc").records(CouponId::parse("summer").unwrap().shard());
    assert_eq!(server.issue("summer", "u0").await.status, 200);
    make_older(&site, &stream, 11_000).await;
    let old = ["the oldest of 1 records has waited for its rows for ", " s; does a persister run?"];
    eventually_holds("the warning of an old record", async || warns(&server, &old).await).await;
    assert!(server.metric("firstcome_stream_oldest_seconds").await >= 11.0);
    let near = ["the backlog of a shard is at 80 % of its bound"];
    for user in 1..8 {
        assert!(!warns(&server, &["the backlog of a shard"]).await, "{user} of 10");
        assert_eq!(server.issue("summer", &format!("u{user}")).await.status, 200);
    }
    eventually_holds("the warning of a full shard", async || warns(&server, &near).await).await;
    let old = ["the oldest of 8 records has waited for its rows for "];
    eventually_holds("the other warning", async || warns(&server, &old).await).await;

    let _worker = site.worker(&[]);
    let is_written = async || server.stats("summer").await["rows"] == 8;
    eventually_holds("the rows", is_written).await;
    eventually_holds("nothing to warn of", async || {
        let is_young = server.metric("firstcome_stream_oldest_seconds").await < 1.0;
        is_young && server.get("/readyz").await.json()["warnings"] == json!([])
    })
    .await;
}
