//! Changes of a coupon that is live: window, limit, name; and what it looks like meanwhile.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use firstcome::domain::time::UnixMs;
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::support::eventually::eventually_holds;
use crate::support::server::{Answer, Server, send};

use super::{act, assert_balance, create, patch, patch_if, server, shows, state};

/// An instant some milliseconds from now, as the API writes it.
fn from_now(ms: i64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    UnixMs(i64::try_from(now).unwrap() + ms).to_string()
}

async fn claim(server: &Server, user: &str, claim: u8) -> Answer {
    let path = format!("/coupons/summer/issue?claim={claim}");
    send(server.ask(Method::GET, &path).header("X-User-Id", user)).await.unwrap()
}

#[tokio::test]
async fn of_a_live_coupon_the_name_the_window_and_the_limit_change_and_the_stock_by_restock() {
    let (_dir, server) = server(&[]).await;
    server.prepare("summer", 10).await;
    let found = server.get_as_admin("/admin/coupons/summer").await;
    let etag = found.headers["etag"].clone();
    for body in [
        json!({ "total": 20 }),
        json!({ "valid_for": "P1D" }),
        json!({ "total": 20, "name": "Both" }),
        json!({ "total": 20, "per_user_limit": 5 }),
    ] {
        let answer = patch(&server, "summer", &body).await;
        assert_eq!((answer.status, answer.code()), (StatusCode::CONFLICT, "use_restock".into()));
    }
    let found = server.get_as_admin("/admin/coupons/summer").await;
    assert_eq!((&found.headers["etag"], &found.json()["name"]), (&etag, &json!("summer")), "I4");

    let later = from_now(3_600_000);
    let all = json!({ "name": "New", "per_user_limit": 2, "closes_at": later, "total": 10 });
    let patched = patch_if(&server, "summer", &etag, &all).await;
    assert_eq!(patched.status, StatusCode::OK, "{patched:?}");
    let body = patched.json();
    assert_eq!((&body["name"], &body["per_user_limit"]), (&json!("New"), &json!(2)));
    assert_eq!((&body["closes_at"], &body["state"]), (&json!(later), &json!("open")));
    assert_eq!(patch_if(&server, "summer", &etag, &all).await.code(), "version_conflict");
    let same = patch(&server, "summer", &all).await;
    assert_eq!(same.headers["etag"], patched.headers["etag"], "nothing to change");
    eventually_holds("the new name on the public page", async || {
        server.get("/coupons/summer").await.json()["name"] == "New"
    })
    .await;

    act(&server, "summer", "close").await;
    let answer = patch(&server, "summer", &json!({ "closes_at": null })).await;
    assert_eq!((answer.status, answer.code()), (StatusCode::CONFLICT, "already_closed".into()));
    let renamed = patch(&server, "summer", &json!({ "name": "Over" })).await.json();
    assert_eq!((&renamed["name"], &renamed["state"]), (&json!("Over"), &json!("closed")));
}

#[tokio::test]
async fn a_window_opens_and_closes_by_the_clock_of_redis_and_moves_at_once() {
    let (_dir, server) = server(&[]).await;
    let opens_at = from_now(3_600_000);
    let definition = json!({ "id": "summer", "name": "S", "total": 10, "opens_at": opens_at });
    create(&server, &definition).await;
    assert_eq!(act(&server, "summer", "preload").await.json()["state"], "scheduled");
    let view = server.get("/coupons/summer").await.json();
    assert_eq!((&view["state"], &view["remaining"]), (&json!("scheduled"), &json!(10)));
    assert_eq!(view["opens_at"], json!(opens_at));
    let server_time = UnixMs::parse(view["server_time"].as_str().unwrap()).unwrap();
    let early = server.issue("summer", "ada").await;
    assert_eq!((early.status, early.code()), (StatusCode::CONFLICT, "not_open".into()));
    assert_eq!(early.json()["opens_at"], json!(opens_at));
    let wait: i64 = early.headers["retry-after"].parse().unwrap();
    let left = (UnixMs::parse(&opens_at).unwrap().0 - server_time.0) / 1_000;
    assert!((left - 30..=left + 1).contains(&wait), "{wait} s, {left} s are left");
    assert!(early.json()["retryable"].as_bool().unwrap());

    patch(&server, "summer", &json!({ "opens_at": from_now(700) })).await;
    assert_eq!(server.issue("summer", "ada").await.code(), "not_open");
    eventually_holds("the opening", async || state(&server, "summer").await == "open").await;
    let told = server.issue("summer", "ada").await;
    assert_eq!(told.status, StatusCode::OK, "{told:?}");
    patch(&server, "summer", &json!({ "opens_at": null, "closes_at": from_now(500) })).await;
    eventually_holds("the closing", async || state(&server, "summer").await == "closed").await;
    let late = server.issue("summer", "eve").await;
    assert_eq!((late.code(), late.json()["retryable"].as_bool()), ("closed".into(), Some(false)));
    assert_eq!(server.issue("summer", "ada").await.body, told.body, "I10");
    patch(&server, "summer", &json!({ "closes_at": from_now(3_600_000) })).await;
    assert_eq!(server.issue("summer", "eve").await.status, StatusCode::OK, "a longer window");
    let past = json!({ "opens_at": "2020-01-01T00:00:00Z", "closes_at": "2020-01-02T00:00:00Z" });
    assert_eq!(patch(&server, "summer", &past).await.json()["state"], "closed");
    assert_balance(&server, "summer", &json!({ "issued": 2, "remaining": 8 })).await;
}

#[tokio::test]
async fn a_user_holds_one_ticket_a_claim_and_a_lower_limit_hides_none_i2() {
    let (_dir, server) = server(&[]).await;
    let definition = json!({ "id": "summer", "name": "S", "total": 10, "per_user_limit": 3 });
    server.prepare_as(&definition).await;
    let mut told = Vec::new();
    for (number, serial) in [(2, 1), (1, 2), (3, 3)] {
        let answer = claim(&server, "ada", number).await;
        let ticket = &answer.json()["ticket"];
        assert_eq!((&ticket["claim"], &ticket["serial"]), (&json!(number), &json!(serial)));
        told.push((number, answer.body));
    }
    assert_eq!(server.issue("summer", "ada").await.body, told[1].1, "no claim means claim 1");
    assert_eq!(claim(&server, "ada", 4).await.code(), "user_limit_reached");
    patch(&server, "summer", &json!({ "per_user_limit": 1 })).await;
    for (number, body) in &told {
        assert_eq!(&claim(&server, "ada", *number).await.body, body, "held claims stay held");
    }
    assert_eq!(claim(&server, "eve", 2).await.code(), "user_limit_reached");
    patch(&server, "summer", &json!({ "per_user_limit": 100 })).await;
    assert_eq!(claim(&server, "eve", 100).await.json()["ticket"]["serial"], 4);
    assert_balance(&server, "summer", &json!({ "issued": 4, "holders": 4 })).await;
}

#[tokio::test]
async fn everybody_sees_the_state_of_a_coupon_and_nothing_of_its_users() {
    let (_dir, server) = server(&[]).await;
    server.prepare("summer", 1).await;
    let view = server.get("/coupons/summer").await;
    assert_eq!(view.headers["cache-control"], "no-store");
    assert_eq!((&view.json()["state"], &view.json()["remaining"]), (&json!("open"), &json!(1)));
    server.issue("summer", "a-private-user").await;
    shows(&server, "summer", "sold_out").await;
    assert_eq!(server.get("/coupons/summer").await.json()["remaining"], 0);
    let sold_out = server.issue("summer", "eve").await;
    assert_eq!((sold_out.status, sold_out.code()), (StatusCode::CONFLICT, "sold_out".into()));
    assert_eq!(sold_out.json()["detail"], "All 1 tickets of summer are taken.");
    assert_eq!(sold_out.json()["coupon_id"], "summer");
    for (word, expected) in [("pause", "paused"), ("resume", "sold_out"), ("close", "closed")] {
        assert_eq!(act(&server, "summer", word).await.status, StatusCode::OK);
        shows(&server, "summer", expected).await;
    }
    for path in ["/coupons/summer", "/coupons/summer/audit"] {
        assert!(!server.get(path).await.body.contains("private"), "{path}");
    }
    let seconds = Duration::from_secs(60).as_millis();
    let told = server.get("/coupons/summer").await.json();
    let server_time = UnixMs::parse(told["server_time"].as_str().unwrap()).unwrap();
    let here = UnixMs::parse(&from_now(0)).unwrap();
    assert!(u128::from((here.0 - server_time.0).unsigned_abs()) < seconds, "{told}");
}
