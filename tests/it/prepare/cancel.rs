//! Cancelling a ticket gives its stock back, and nothing else (P9 step 4).

use reqwest::StatusCode;
use serde_json::json;

use crate::support::eventually::eventually;

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
    let cancels = (0..50).map(|number| {
        let server = &server;
        async move {
            eventually("its turn", async || {
                let answer = cancel(server, &format!("summer.{}", number % 10 + 1)).await;
                let turned_away = answer.code() == "act_in_progress";
                assert!(turned_away || answer.status == StatusCode::OK, "{answer:?}");
                (!turned_away).then_some(())
            })
            .await;
        }
    });
    futures_util::future::join_all(cancels).await;
    let expected = json!({ "returned": 10, "remaining": 10, "issued": 10, "cancelled": 10 });
    assert_balance(&server, "summer", &expected).await;
}
