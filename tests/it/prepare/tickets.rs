//! Tickets as their holders see them.

use std::process::Stdio;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::eventually::{eventually, eventually_holds};
use crate::support::server::{Server, command, send};

use super::{cancel, rows_are_there, server, ticket};

#[tokio::test]
async fn a_ticket_is_in_progress_until_a_worker_wrote_its_row_and_only_its_holders_i3_i10() {
    let (dir, server) = server(&[("FIRSTCOME_PERSISTER", "off")]).await;
    let definition = json!({ "id": "summer", "name": "S", "total": 5, "per_user_limit": 2 });
    server.prepare_as(&definition).await;
    server.issue("summer", "eve").await;
    let request = server.ask(Method::GET, "/coupons/summer/issue?claim=2");
    let told = send(request.header("X-User-Id", "ada")).await.unwrap().json()["ticket"].clone();
    let shown = ticket(&server, "ada", "summer.2").await;
    assert_eq!(shown.headers["cache-control"], "no-store");
    assert_eq!(shown.json(), with_status(&told, "in_progress"));
    for (user, id) in [("eve", "summer.2"), ("ada", "summer.1"), ("ada", "summer.3")] {
        let answer = ticket(&server, user, id).await;
        assert_eq!(
            (answer.status, answer.code()),
            (StatusCode::NOT_FOUND, "ticket_not_found".into())
        );
    }
    let early = cancel(&server, "summer.2").await;
    assert_eq!((early.status, early.code()), (StatusCode::CONFLICT, "in_progress".into()));
    assert_eq!(early.headers["retry-after"], "1");
    assert_eq!(mine(&server, "ada", "").await.0, Vec::<Value>::new(), "rows only");

    let mut worker = command(dir.path(), &[]).arg("worker").stdout(Stdio::null()).spawn().unwrap();
    eventually_holds("the row", async || {
        ticket(&server, "ada", "summer.2").await.json() == with_status(&told, "accepted")
    })
    .await;
    for (user, id) in [("eve", "summer.2"), ("ada", "summer.1")] {
        assert_eq!(ticket(&server, user, id).await.status, StatusCode::NOT_FOUND);
    }
    assert_eq!(mine(&server, "ada", "").await.0, [with_status(&told, "accepted")]);
    crate::support::processes::signal(worker.id(), rustix::process::Signal::TERM);
    let ended = eventually("the worker's end", async || worker.try_wait().unwrap()).await;
    assert!(ended.success());
}

/// What was told, as it is shown later: the same fields, where it stands, and, once it has a row,
/// its rank, which is the serial as long as no epoch has ended.
fn with_status(told: &Value, status: &str) -> Value {
    let mut shown = told.clone();
    shown["status"] = status.into();
    let rank = if status == "in_progress" { Value::Null } else { told["serial"].clone() };
    shown["rank"] = rank;
    shown
}

#[tokio::test]
async fn a_ticket_expires_when_its_validity_is_over_and_stays_the_same_ticket_i7_i10() {
    let (_dir, server) = server(&[]).await;
    let definition = json!({ "id": "summer", "name": "S", "total": 5, "valid_for": "PT1S" });
    server.prepare_as(&definition).await;
    let told = server.issue("summer", "ada").await;
    assert!(told.json()["ticket"]["expires_at"].is_string());
    eventually_holds("its end", async || {
        ticket(&server, "ada", "summer.1").await.json()["status"] == "expired"
    })
    .await;
    assert_eq!(server.issue("summer", "ada").await.body, told.body);
    assert_eq!(mine(&server, "ada", "").await.0[0]["status"], "expired");
    rows_are_there(&server, "summer").await;
    assert_eq!(cancel(&server, "summer.1").await.status, StatusCode::OK);
    assert_eq!(ticket(&server, "ada", "summer.1").await.json()["status"], "cancelled");
}

#[tokio::test]
async fn a_user_sees_all_own_tickets_page_by_page_and_nobody_elses_i10() {
    let (_dir, server) = server(&[]).await;
    let mut told = Vec::new();
    for coupon in ["B", "a", "c"] {
        let definition = json!({ "id": coupon, "name": "C", "total": 20, "per_user_limit": 12 });
        server.prepare_as(&definition).await;
        server.issue(coupon, "eve").await;
        for claim in 1..=12 {
            let request =
                server.ask(Method::GET, &format!("/coupons/{coupon}/issue?claim={claim}"));
            let answer = send(request.header("X-User-Id", "ada")).await.unwrap();
            told.push(with_status(&answer.json()["ticket"], "accepted"));
        }
    }
    for coupon in ["B", "a", "c"] {
        rows_are_there(&server, coupon).await;
    }
    for limit in [1, 5, 36, 1_000] {
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let (page, next) = mine(&server, "ada", &format!("limit={limit}{cursor}")).await;
            assert!(page.len() <= limit);
            seen.extend(page);
            let Some(next) = next else { break };
            cursor = format!("&cursor={next}");
        }
        assert_eq!(seen, told, "limit {limit}");
    }
    assert_eq!(mine(&server, "eve", "").await.0.len(), 3);
    assert_eq!(mine(&server, "nobody", "").await, (Vec::new(), None));
}

async fn mine(server: &Server, user: &str, query: &str) -> (Vec<Value>, Option<String>) {
    let request = server.ask(Method::GET, &format!("/me/tickets?{query}"));
    let answer = send(request.header("X-User-Id", user)).await.unwrap();
    assert_eq!(answer.headers["cache-control"], "no-store");
    let page = answer.json();
    let next = page["next_cursor"].as_str().map(str::to_owned);
    (page["tickets"].as_array().unwrap().clone(), next)
}
