//! Acts: restock, pause, resume, close (P9).

use futures_util::future::join_all;
use reqwest::StatusCode;
use serde_json::json;

use crate::support::eventually::eventually;
use crate::support::server::Server;

use super::{act, assert_balance, create, server, state};

#[tokio::test]
async fn a_restock_happens_once_a_key_and_never_goes_below_what_is_out_i1_i4() {
    let (_dir, server) = server(&[]).await;
    server.prepare("summer", 3).await;
    server.issue("summer", "ada").await;
    let first = server.restock("summer", 5, "k1").await;
    assert_eq!(first.status, StatusCode::OK);
    assert_eq!((&first.json()["total"], &first.json()["remaining"]), (&json!(8), &json!(7)));
    for key in ["k1", "\"k1\""] {
        let again = server.restock("summer", 5, key).await;
        assert_eq!((again.status, &again.body), (StatusCode::OK, &first.body), "the same act");
    }
    let other = server.restock("summer", 6, "k1").await;
    assert_eq!((other.status.as_u16(), other.code()), (422, "idempotency_key_reused".into()));
    let below = server.restock("summer", -8, "k2").await;
    assert_eq!((below.status, below.code()), (StatusCode::CONFLICT, "below_issued".into()));
    assert_eq!(below.json()["detail"], "the total cannot go below 1: a user has a ticket");
    assert_balance(&server, "summer", &json!({ "total": 8, "remaining": 7, "issued": 1 })).await;
    let less = server.restock("summer", -7, "k3").await;
    assert_eq!((&less.json()["total"], &less.json()["remaining"]), (&json!(1), &json!(0)));
    assert_eq!(state(&server, "summer").await, "sold_out");
    let refused = server.restock("summer", -8, "k2").await;
    assert_eq!(refused.code(), "below_issued", "a refused act is refused again");
    assert_eq!(server.restock("summer", 999_999_999, "k4").await.status, StatusCode::OK);
    let above = server.restock("summer", 1, "k5").await;
    assert_eq!(above.code(), "total_too_large");
    let numbers = "the total would be 1000000001; it can be at most 1000000000";
    assert_eq!(above.json()["detail"], numbers);
    assert_balance(&server, "summer", &json!({ "total": 1_000_000_000, "issued": 1 })).await;
    let none = server.restock("nothing", 1, "k").await;
    assert_eq!((none.status, none.code()), (StatusCode::NOT_FOUND, "coupon_not_found".into()));
    // A key belongs to its coupon.
    server.prepare("winter", 3).await;
    assert_eq!(server.restock("winter", 5, "k1").await.json()["total"], 8);
}

#[tokio::test]
async fn fifty_restocks_at_once_add_up_exactly_and_so_do_their_repetitions_i1() {
    let (_dir, server) = server(&[]).await;
    server.prepare("summer", 1_000).await;
    let sum: i64 = (0..50).map(delta).sum();
    let first = join_all((0..50).map(|number| restocked(&server, number))).await;
    let again = join_all((0..50).map(|number| restocked(&server, number))).await;
    assert_eq!(first, again, "each key has one result");
    let total = 1_000 + sum;
    let expected = json!({ "total": total, "remaining": total, "version": 51 });
    assert_balance(&server, "summer", &expected).await;
    assert_eq!(server.get_as_admin("/admin/coupons/summer").await.json()["total"], total);
}

fn delta(number: i64) -> i64 {
    if number % 5 == 0 { -number } else { number }.max(-100) + 1
}

/// The result of one restock; asks again while others are in the way, as a client does.
async fn restocked(server: &Server, number: i64) -> String {
    eventually("its turn", async || {
        let answer = server.restock("summer", delta(number), &format!("key-{number}")).await;
        let turned_away = answer.code() == "act_in_progress";
        assert!(turned_away || answer.status == StatusCode::OK, "{answer:?}");
        (!turned_away).then_some(answer.body)
    })
    .await
}

#[tokio::test]
async fn holders_get_their_ticket_in_every_state_and_others_are_told_the_state_i2_i7_i10() {
    let (_dir, server) = server(&[]).await;
    server.prepare("summer", 5).await;
    let told = server.issue("summer", "ada").await;
    let mut out = 1;
    for (number, (word, expected)) in [
        ("pause", "paused"),
        ("pause", "paused"),
        ("resume", "open"),
        ("resume", "open"),
        ("pause", "paused"),
        ("close", "closed"),
        ("close", "closed"),
    ]
    .into_iter()
    .enumerate()
    {
        let answer = act(&server, "summer", word).await;
        assert_eq!(answer.status, StatusCode::OK, "{word}: {answer:?}");
        assert_eq!(answer.json()["remaining"], 5 - out);
        assert_eq!(state(&server, "summer").await, expected);
        let seen = server.get_as_admin("/admin/coupons/summer").await.json();
        assert_eq!(
            (&seen["state"], &seen["version"]),
            (&json!(expected), &answer.json()["version"])
        );
        let again = server.issue("summer", "ada").await;
        assert_eq!((again.status, &again.body), (StatusCode::OK, &told.body), "I10");
        let other = server.issue("summer", &format!("other-{number}")).await;
        if expected == "open" {
            assert_eq!(other.status, StatusCode::OK, "{other:?}");
            out += 1;
        } else {
            assert_eq!((other.status.as_u16(), other.code().as_str()), (409, expected));
        }
    }
    for word in ["resume", "pause"] {
        let answer = act(&server, "summer", word).await;
        assert_eq!((answer.status, answer.code()), (StatusCode::CONFLICT, "already_closed".into()));
    }
    assert_eq!(state(&server, "summer").await, "closed", "I7");
    assert_balance(&server, "summer", &json!({ "issued": 3, "remaining": 2 })).await;
}

#[tokio::test]
async fn an_act_with_a_key_is_done_once_also_when_others_came_in_between() {
    let (_dir, server) = server(&[]).await;
    create(&server, &json!({ "id": "summer", "name": "S", "total": 5 })).await;
    act(&server, "summer", "preload").await;
    let pause = async |key: &str| {
        let request = server.ask_as_admin(reqwest::Method::POST, "/admin/coupons/summer/pause");
        crate::support::server::send(request.header("Idempotency-Key", key)).await.unwrap()
    };
    let paused = pause("p1").await;
    act(&server, "summer", "resume").await;
    assert_eq!(pause("p1").await.body, paused.body);
    assert_eq!(state(&server, "summer").await, "open", "the old pause is not done again");
    assert_eq!(pause("p2").await.status, StatusCode::OK);
    assert_eq!(state(&server, "summer").await, "paused");
}
