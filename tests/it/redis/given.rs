//! A Redis that is given by its URL.

use redis::cmd;
use serde_json::Value;

use crate::support::eventually::{eventually, eventually_holds};
use crate::support::plain_redis::PlainRedis;
use crate::support::redis::connect;
use crate::support::site::{Dialect, Site};

#[tokio::test]
async fn a_url_that_asks_for_resp3_is_served_like_any_other() {
    let site = Site::start(Dialect::Sqlite).await;
    let url = format!("{}?protocol=resp3", site.redis.url());
    let server = site.server(&[("REDIS_URL", &url)]).await;
    server.prepare("summer", 1).await;
    assert_eq!(server.issue("summer", "ada").await.status, 200);
    assert_eq!(server.issue("summer", "bob").await.code(), "sold_out");
    eventually_holds("the row", async || server.stats("summer").await["persisted"] == 1).await;
}

#[tokio::test]
async fn a_redis_that_does_not_let_us_in_is_told_until_it_does_and_then_all_goes_on_i3() {
    let site = Site::start(Dialect::Sqlite).await;
    for (coupon, user, right, sentence) in [
        ("summer", ":new@", "new", "Redis does not let us in: Password authentication failed"),
        ("winter", "", "", "Redis refused: \"NOAUTH\""),
    ] {
        let redis = PlainRedis::start(&["--requirepass", "old"]).await;
        let mut owner = connect(&redis.url_of("default", "old")).await;
        let database = format!("sqlite:{}", site.data_dir().join(coupon).display());
        let url = format!("redis://{user}127.0.0.1:{}", redis.port);
        let variables = [("REDIS_URL", url.as_str()), ("DATABASE_URL", database.as_str())];
        let without = [&variables[..], &[("FIRSTCOME_PERSISTER", "off")]].concat();
        let server = site.listening(&without).await;
        let _worker = site.worker(&variables);
        eventually(sentence, async || {
            let answer = server.get("/readyz").await;
            let told = answer.json();
            let reasons = told["reasons"].as_array().unwrap().iter().filter_map(Value::as_str);
            // The gauges say it, and the prover: it answers, so nobody calls it silent.
            let says = |told: &str| {
                told.strip_prefix("recovering: ").unwrap_or(told).starts_with(sentence)
            };
            let is_told = reasons.map(says).collect::<Vec<_>>() == [true, true];
            (is_told && answer.status == 503).then_some(())
        })
        .await;
        let refused = server.issue(coupon, "ada").await;
        assert_eq!((refused.status.as_u16(), refused.code().as_str()), (503, "recovering"));
        let mut mend = cmd("CONFIG");
        mend.arg("SET").arg("requirepass").arg(right).exec_async(&mut owner).await.unwrap();
        let server = server.ready().await;
        server.prepare(coupon, 1).await;
        assert_eq!(server.issue(coupon, "ada").await.status, 200);
        eventually_holds("the row", async || server.stats(coupon).await["rows"] == 1).await;
    }
}
