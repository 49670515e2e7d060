//! Cancelling a ticket gives its stock back, and nothing else (P9 step 4).

use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt as _};
use reqwest::StatusCode;
use serde_json::json;

use crate::support::eventually::eventually;
use crate::support::site::{Dialect, Site};

use super::{assert_balance, cancel, rows_are_there, server, state, ticket};

#[tokio::test]
async fn a_cancelled_ticket_gives_its_stock_back_and_its_claim_and_serial_are_spent_i1_i2_i5_i7() {
    let (_dir, server) = server(&[]).await;
    server.prepare("summer", 2).await;
    for user in ["ada", "eve"] {
        assert_eq!(server.issue("summer", user).await.status, StatusCode::OK);
    }
    assert_eq!(state(&server, "summer").await, "sold_out");
    rows_are_there(&server, "summer").await;
    assert_eq!(ticket(&server, "ada", "summer.1").await.json()["status"], "accepted");
    let cancelled = cancel(&server, "summer.1").await;
    assert_eq!((cancelled.status, &cancelled.json()["id"]), (StatusCode::OK, &json!("summer.1")));
    for _ in 0..2 {
        let again = cancel(&server, "summer.1").await;
        assert_eq!((again.status, &again.body), (StatusCode::OK, &cancelled.body));
    }
    assert_eq!(ticket(&server, "ada", "summer.1").await.json()["status"], "cancelled");
    let spent = server.issue("summer", "ada").await;
    assert_eq!((spent.status, spent.code()), (StatusCode::CONFLICT, "ticket_cancelled".into()));
    // Held for 150 ms, so that nobody can win while any process still refuses from memory.
    let told = eventually("the stock that came back", async || {
        let answer = server.issue("summer", "bob").await;
        assert!(answer.status == StatusCode::OK || answer.code() == "sold_out", "{answer:?}");
        (answer.status == StatusCode::OK).then_some(answer)
    })
    .await;
    assert_eq!(told.json()["ticket"]["serial"], 3, "serial 1 never comes back");
    assert_eq!(server.issue("summer", "carl").await.code(), "sold_out");
    assert_eq!(server.issue("summer", "ada").await.code(), "ticket_cancelled");
    rows_are_there(&server, "summer").await;
    let expected = json!({
        "total": 2, "issued": 3, "returned": 1, "remaining": 0, "holders": 3, "last_serial": 3,
        "rows": 3, "cancelled": 1,
    });
    assert_balance(&server, "summer", &expected).await;
    for unknown in ["summer.4", "nothing.1"] {
        let answer = cancel(&server, unknown).await;
        assert_eq!(
            (answer.status, answer.code()),
            (StatusCode::NOT_FOUND, "ticket_not_found".into())
        );
    }
}

#[tokio::test]
async fn fifty_cancels_at_once_give_each_unit_back_once_i1() {
    let (_dir, server) = server(&[]).await;
    server.prepare("summer", 10).await;
    for number in 0..10 {
        server.issue("summer", &format!("u{number}")).await;
    }
    rows_are_there(&server, "summer").await;
    let tickets: Vec<String> = (0..50).map(|n| format!("summer.{}", n % 10 + 1)).collect();
    let cancels = tickets.iter().map(|ticket| cancel(&server, ticket));
    for answer in join_all(cancels).await {
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    }
    let expected = json!({ "returned": 10, "remaining": 10, "issued": 10, "cancelled": 10 });
    assert_balance(&server, "summer", &expected).await;
}

#[tokio::test]
async fn cancels_at_once_over_two_servers_are_all_done_and_share_acts_i1() {
    const TICKETS: u64 = 400;
    const AT_ONCE: usize = 32;
    let site = Site::start(Dialect::Postgres).await;
    let servers = [site.server(&[]).await, site.server(&[]).await];
    servers[0].prepare("summer", TICKETS).await;
    for number in 0..TICKETS {
        assert_eq!(servers[0].issue("summer", &format!("u{number}")).await.status, StatusCode::OK);
    }
    rows_are_there(&servers[0], "summer").await;
    let cancels = (1..=TICKETS).map(|serial| {
        let server = &servers[serial as usize % 2];
        async move { cancel(server, &format!("summer.{serial}")).await }
    });
    let answers: Vec<_> = stream::iter(cancels).buffer_unordered(AT_ONCE).collect().await;
    for answer in answers {
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    }
    let expected = json!({ "returned": TICKETS, "remaining": TICKETS, "cancelled": TICKETS });
    assert_balance(&servers[1], "summer", &expected).await;
    // One act each would be 401.
    let version = servers[1].stats("summer").await["version"].as_u64().unwrap();
    assert!(version < TICKETS / 2, "{version} acts");
}
