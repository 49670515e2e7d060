//! The two listeners as a stranger, an attacker, a browser and an operator meet them.

mod admin;
mod bodies;
mod cells;
mod connections;
mod guards;
mod head;
mod identity;
mod ids;
mod numbers;
mod observed;
mod refusals;
mod secrets;
mod shared;
mod socket;
mod values;

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::eventually::eventually_holds;
use crate::support::server::{Answer, Server};

/// Members of every problem (RFC 9457 and ours).
const MEMBERS: [&str; 7] = ["type", "title", "status", "code", "error", "detail", "retryable"];
/// What a restock before the test was asked for with; see [`changes_nothing`].
const USED_KEY: &str = "used-before";

/// Fails unless the answer is a problem with this status and code, complete and never cached.
#[track_caller]
fn assert_problem(what: &str, answer: &Answer, status: u16, code: &str) {
    let told = (answer.status.as_u16(), answer.code());
    assert_eq!(told, (status, code.to_owned()), "{what}: {answer:?}");
    let header = |name: &str| answer.headers.get(name).map(String::as_str).unwrap_or_default();
    assert_eq!(header("content-type"), "application/problem+json", "{what}");
    assert_eq!(header("cache-control"), "no-store", "{what}");
    assert!(!header("x-request-id").is_empty(), "{what}");
    let body = answer.json();
    for member in MEMBERS {
        assert!(!body[member].is_null() && body[member] != "", "{what}: {member} of {body}");
    }
    assert_eq!(body["type"], format!("/docs/errors#{code}"), "{what}");
    assert_eq!((&body["status"], &body["error"]), (&json!(status), &body["code"]), "{what}");
    let retry_after = answer.headers.contains_key("retry-after");
    assert_eq!(body["retryable"].as_bool(), Some(retry_after), "{what}: {body}");
}

/// A server with a live coupon `summer` (10 tickets, 2 a user, 1 of them ada's) and a draft
/// `winter`. What the test does to it must change nothing that anybody can see (I4), and the server
/// must answer afterwards.
async fn changes_nothing(test: impl AsyncFn(&Server)) {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path(), &[]).await.ready().await;
    server
        .prepare_as(&json!({ "id": "summer", "name": "S", "total": 9, "per_user_limit": 2 }))
        .await;
    let draft = json!({ "id": "winter", "name": "Winter", "total": 5 });
    let created = server.send_as_admin(Method::POST, "/admin/coupons", &draft).await;
    assert_eq!(created.status, StatusCode::CREATED);
    assert_eq!(server.restock("summer", 1, USED_KEY).await.status, StatusCode::OK);
    let told = server.issue("summer", "ada").await;
    assert_eq!(told.status, StatusCode::OK);
    eventually_holds("the row of the ticket", async || {
        server.stats("summer").await["shard_records"] == 0
    })
    .await;

    let before = seen(&server).await;
    test(&server).await;
    assert_eq!(seen(&server).await, before, "I4");
    assert_eq!(server.issue("summer", "ada").await.body, told.body, "I10");
    assert_eq!(server.issue("summer", "eve").await.json()["ticket"]["serial"], 2, "I5");
}

/// All that admins and the public can see of every coupon, without the time of looking.
async fn seen(server: &Server) -> Value {
    let listed = server.get_as_admin("/admin/coupons?limit=1000").await.json();
    let mut seen = vec![listed.clone()];
    for coupon in listed["coupons"].as_array().unwrap() {
        let id = coupon["id"].as_str().unwrap();
        seen.push(server.stats(id).await);
        seen.push(server.get(&format!("/coupons/{id}/audit")).await.json());
        seen.push(server.get(&format!("/coupons/{id}")).await.json());
    }
    for one in &mut seen {
        let fields = one.as_object_mut().unwrap();
        fields.remove("as_of");
        fields.remove("server_time");
    }
    Value::Array(seen)
}

/// A request that must have an answer long before anything else gives up.
const SOON: Duration = Duration::from_secs(10);
