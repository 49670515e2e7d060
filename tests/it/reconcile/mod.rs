//! When Redis may have forgotten: nothing is issued, nothing is loaded over it, and the reason is
//! told (P2).

mod benign;
mod forgotten;
mod installation;
mod outage;
mod promoted;
mod prover;
mod replaced;
mod sweep;
mod torn;

use reqwest::StatusCode;
use serde_json::Value;

use crate::support::eventually::eventually;
use crate::support::server::Server;
use crate::support::site::Site;

/// A user is told `recovering`, which is no sentence about the stock.
async fn assert_recovering(server: &Server, coupon: &str, user: &str) {
    let answer = server.issue(coupon, user).await;
    let told = (answer.status, answer.code());
    assert_eq!(told, (StatusCode::SERVICE_UNAVAILABLE, "recovering".to_owned()), "{user}");
    assert_eq!(answer.json()["retryable"], true);
}

/// `/readyz` is 503 and gives this reason.
async fn assert_not_ready(server: &Server, reason: &str) {
    let what = format!("/readyz to say {reason:?}");
    eventually(&what, async || {
        let answer = server.get("/readyz").await;
        let reasons = answer.json()["reasons"].as_array().unwrap().clone();
        let says = |told: &Value| told.as_str().unwrap().contains(reason);
        (answer.status == StatusCode::SERVICE_UNAVAILABLE && reasons.iter().any(says)).then_some(())
    })
    .await;
}

/// Whoever asks is refused, whatever an admin does changes nothing, and Redis stays as it is.
async fn assert_fails_closed(site: &Site, server: &Server, reason: &str) {
    assert_not_ready(server, reason).await;
    let before = contents(site).await;
    for user in ["ada", "new"] {
        assert_recovering(server, "summer", user).await;
    }
    server.post_as_admin("/admin/coupons/summer/preload").await;
    let new = serde_json::json!({ "id": "late", "name": "late", "total": 5 });
    let create = server.ask_as_admin(reqwest::Method::POST, "/admin/coupons").json(&new);
    crate::support::server::send(create).await.unwrap();
    let preload = server.post_as_admin("/admin/coupons/late/preload").await;
    assert_eq!(preload.code(), "recovering", "{}", preload.body);
    for user in ["ada", "new"] {
        assert_recovering(server, "late", user).await;
    }
    assert_recovering(server, "summer", "bob").await;
    assert!(contents(site).await == before, "something was loaded over it");
    assert_not_ready(server, reason).await;
}

/// All keys with their values; of streams the records. When a consumer was seen last may still
/// change: a persister ends the step that it was in.
async fn contents(site: &Site) -> Vec<(String, Vec<u8>)> {
    let mut contents = site.redis.world().await;
    for (key, value) in &mut contents {
        let kind: String = site.redis.ask(redis::cmd("TYPE").arg(&*key)).await;
        if kind == "stream" {
            let range = redis::cmd("XRANGE").arg(&*key).arg("-").arg("+").to_owned();
            let records: redis::Value = site.redis.ask(&range).await;
            *value = format!("{records:?}").into_bytes();
        }
    }
    contents
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

fn words(text: &str) -> redis::Cmd {
    let mut words = text.split(' ');
    let mut command = redis::cmd(words.next().unwrap());
    command.arg(words.collect::<Vec<_>>());
    command
}
