//! What makes a `GET` that changes something safe.

use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::support::server::{Server, send};

use super::{assert_problem, changes_nothing};

const ISSUE: &str = "/coupons/summer/issue";
/// The first is found before the table of routes, the others by it.
const ISSUE_PATHS: [&str; 3] = [ISSUE, "/coupons/%73ummer/issue", "/coupons/mal.formed/issue"];

#[tokio::test]
async fn what_nobody_asked_for_gets_no_ticket_i4() {
    changes_nothing(async |server| {
        for path in ISSUE_PATHS {
            unasked(server, path).await;
        }
    })
    .await;
}

async fn unasked(server: &Server, path: &str) {
    let ask = |method: Method| server.ask(method, path).header("X-User-Id", "mallory");
    for (name, value) in [
        ("Sec-Purpose", "prefetch"),
        ("Sec-Purpose", "prefetch;prerender"),
        ("Sec-Purpose", "Prefetch;anonymous-client-ip"),
        ("Purpose", "prefetch"),
        ("X-Moz", "prefetch"),
    ] {
        for method in [Method::GET, Method::POST] {
            let answer = send(ask(method).header(name, value)).await.unwrap();
            assert_problem(&format!("{path} {name}"), &answer, 403, "speculative_request");
        }
    }
    for method in [Method::GET, Method::POST] {
        let answer = send(ask(method).header("Early-Data", "1")).await.unwrap();
        assert_problem(&format!("{path} early"), &answer, 425, "too_early");
        assert_eq!(answer.headers["retry-after"], "0", "at once, after the handshake");
    }
    for method in [Method::HEAD, Method::PUT, Method::DELETE] {
        let answer = send(ask(method.clone())).await.unwrap();
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{path} {method}");
        assert_eq!(answer.headers["allow"], "GET, POST, OPTIONS");
        assert_eq!(answer.headers["cache-control"], "no-store");
    }
    let answer = send(ask(Method::POST).body("x".repeat(2_000))).await.unwrap();
    assert_problem(&format!("{path} with a body"), &answer, 413, "body_too_large");
}

#[tokio::test]
async fn a_hundred_requests_of_one_user_are_one_ticket_by_get_and_by_post_i2_i10() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path(), &[]).await.ready().await;
    server.prepare("summer", 100).await;
    let asks = (0..100).map(|number| {
        let method = if number % 2 == 0 { Method::GET } else { Method::POST };
        send(server.ask(method, ISSUE).header("X-User-Id", "ada"))
    });
    let answers = futures_util::future::join_all(asks).await;
    let first = answers[0].as_ref().unwrap();
    let mut fresh = 0;
    for answer in &answers {
        let answer = answer.as_ref().unwrap();
        assert_eq!((answer.status, &answer.body), (StatusCode::OK, &first.body));
        assert_eq!(answer.headers["cache-control"], "no-store");
        assert_eq!(answer.headers["content-type"], "application/json");
        assert_eq!(answer.headers["firstcome-durability"], "always");
        assert!(!answer.headers.contains_key("etag"));
        fresh += usize::from(answer.headers["idempotency-replayed"] == "false");
    }
    assert_eq!(fresh, 1, "one of them took it");
    let told = first.json();
    assert_eq!((&told["error"], &told["ticket"]["id"]), (&json!(null), &json!("summer.1")));
    let stats = server.stats("summer").await;
    assert_eq!((&stats["issued"], &stats["holders"]), (&json!(1), &json!(1)));

    let request = server.ask(Method::GET, ISSUE).header("X-User-Id", "ada");
    let request = request.header("Range", "bytes=0-5").header("If-None-Match", "*");
    let answer = send(request.header("Cookie", "user_id=eve")).await.unwrap();
    assert_eq!((answer.status, &answer.body), (StatusCode::OK, &first.body));
}
