//! A ticket that the database refused is replayed or dropped (P5 step 9).

use firstcome::domain::dead_letter::{Decision, Verdict};
use firstcome::domain::time::UnixMs;
use firstcome::domain::who::Who;
use firstcome::store::Decided;
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::eventually::{eventually, eventually_holds};
use crate::support::server::{Answer, Server};
use crate::support::site::{Dialect, Site};
use crate::support::store::{accept, open, refuse};

use super::assert_balance;

/// Three of ten tickets are issued; that of `eve` is a dead letter. The ids are told of each.
async fn parked(site: &Site, server: &Server) -> String {
    server.prepare("summer", 10).await;
    refuse(&site.database_url, "tickets", "user_id = 'eve'").await;
    for user in ["ada", "eve", "bob"] {
        assert_eq!(server.issue("summer", user).await.status, 200);
    }
    let letters = eventually("the dead letter", async || {
        let listed = server.get_as_admin("/admin/dead-letters").await.json();
        let letters = listed["dead_letters"].as_array().unwrap().clone();
        (!letters.is_empty() && server.stats("summer").await["rows"] == 2).then_some(letters)
    });
    let letters = letters.await;
    assert_eq!((letters.len(), &letters[0]["user_id"]), (1, &json!("eve")));
    letters[0]["id"].as_str().unwrap().to_owned()
}

async fn drop_it(server: &Server, id: &str) -> Answer {
    let body = json!({ "reason": "eve asked for it" });
    server.send_as_admin(Method::POST, &format!("/admin/dead-letters/{id}/drop"), &body).await
}

async fn replay(server: &Server, id: &str) -> Answer {
    server.post_as_admin(&format!("/admin/dead-letters/{id}/replay")).await
}

/// Everything balances, and this much stock was returned (I1).
async fn assert_returned(server: &Server, returned: u64) {
    let expected = json!({
        "total": 10, "issued": 3, "returned": returned, "remaining": 7 + returned,
        "holders": 3, "rows": 3, "persisted": 3, "cancelled": returned, "dead_letters": 0,
        "contested": 0, "backlog": 0,
    });
    assert_balance(server, "summer", &expected).await;
}

#[tokio::test]
async fn a_drop_returns_the_stock_once_however_often_it_is_asked_for_i1_i4_i7() {
    for dialect in [Dialect::Sqlite, Dialect::Postgres] {
        let site = Site::start(dialect).await;
        let servers = [site.server(&[]).await, site.server(&[]).await];
        let id = parked(&site, &servers[0]).await;
        let refused = drop_it(&servers[0], &id).await;
        assert_eq!((refused.status.as_u16(), &*refused.code()), (409, "still_refused"));
        assert_eq!(servers[0].stats("summer").await["returned"], 0, "nothing happened (I4)");
        accept(&site.database_url, "tickets").await;
        let at_once = (0..10).map(|number| drop_it(&servers[number % 2], &id));
        for answer in join_all(at_once).await {
            assert_eq!(answer.status, 200, "{}", answer.body);
            let body = answer.json();
            assert_eq!(body["decision"], "dropped");
            assert_eq!(body["decided_because"], "eve asked for it");
        }
        assert_returned(&servers[0], 1).await;
        assert_eq!(servers[1].issue("summer", "eve").await.code(), "ticket_cancelled");
        let late = replay(&servers[1], &id).await;
        assert_eq!((late.status.as_u16(), &*late.code()), (409, "already_decided"));
        assert_returned(&servers[1], 1).await;
        let left = servers[0].get_as_admin("/admin/dead-letters").await.json();
        assert_eq!(left["dead_letters"], json!([]));
        let all = servers[0].get_as_admin("/admin/dead-letters?all=true").await.json();
        assert_eq!(all["dead_letters"][0]["decided_by"], "admin");
    }
}

#[tokio::test]
async fn a_replay_makes_the_row_that_was_told_i3_i10() {
    for dialect in [Dialect::Sqlite, Dialect::Postgres] {
        let site = Site::start(dialect).await;
        let server = site.server(&[]).await;
        let id = parked(&site, &server).await;
        let refused = replay(&server, &id).await;
        assert_eq!((refused.status.as_u16(), &*refused.code()), (409, "still_refused"));
        accept(&site.database_url, "tickets").await;
        for _ in 0..2 {
            let answer = replay(&server, &id).await;
            assert_eq!(answer.status, 200, "{}", answer.body);
            assert_eq!(answer.json()["decision"], "replayed");
        }
        assert_returned(&server, 0).await;
        let ticket = server.ask(Method::GET, "/tickets/summer.2").header("X-User-Id", "eve");
        let row = crate::support::server::send(ticket).await.unwrap().json();
        assert_eq!(row["status"], "accepted", "{row}");
        let mut told = server.issue("summer", "eve").await.json()["ticket"].clone();
        told["status"] = "accepted".into();
        told["rank"] = 2.into();
        assert_eq!(row, told, "I10");
        let late = drop_it(&server, &id).await;
        assert_eq!((late.status.as_u16(), &*late.code()), (409, "already_decided"));
    }
}

#[tokio::test]
async fn a_drop_that_a_crash_interrupts_is_finished_by_the_relay_once_i1_i4() {
    for dialect in [Dialect::Sqlite, Dialect::Postgres] {
        let site = Site::start(dialect).await;
        let server = site.server(&[]).await;
        let id = parked(&site, &server).await;
        accept(&site.database_url, "tickets").await;
        // As a server that dies right after its commit.
        let store = open(&site.database_url, 2).await.unwrap();
        let decision = Decision {
            decision: Verdict::Dropped,
            because: Some("a crash".to_owned()),
            who: Who::Cli,
            decided_at: UnixMs(1_000),
        };
        let decided = store.decide_dead_letter(&id, &decision).await.unwrap();
        assert!(matches!(decided, Decided::Done { act: Some(_), .. }), "{decided:?}");
        let again = store.decide_dead_letter(&id, &decision).await.unwrap();
        assert!(matches!(again, Decided::Done { act: None, .. }), "{again:?}");
        let is_returned = async || server.stats("summer").await["returned"] == 1;
        eventually_holds("the relay", is_returned).await;
        assert_eq!(drop_it(&server, &id).await.json()["decided_because"], "a crash");
        assert_returned(&server, 1).await;
    }
}

#[tokio::test]
async fn a_ticket_whose_place_is_taken_ends_as_contested_and_is_not_dropped_i5_i9() {
    let site = Site::start(Dialect::Postgres).await;
    let server = site.server(&[]).await;
    let id = parked(&site, &server).await;
    accept(&site.database_url, "tickets").await;
    let taken = "INSERT INTO tickets
         (coupon_id, serial, epoch, user_id, claim, issued_at_ms, source)
         VALUES ('summer', 2, 1, 'thief', 1, 0, 'issue');
         UPDATE coupons SET persisted = persisted + 1 WHERE id = 'summer'";
    crate::support::store::execute(&site.database_url, taken).await;
    let refused = drop_it(&server, &id).await;
    assert_eq!((refused.status.as_u16(), &*refused.code()), (409, "still_refused"));
    assert_eq!(server.stats("summer").await["contested"], 0);
    assert_eq!(replay(&server, &id).await.status, 200);
    assert_eq!(server.stats("summer").await["contested"], 1);
    let sentence = "1 ticket is contested: the row of another ticket exists instead; the first one \
                    is summer.2";
    let is_told = async || server.get("/readyz").await.body.contains(sentence);
    eventually_holds("the warning", is_told).await;
}

#[tokio::test]
async fn a_whole_record_can_only_be_marked_and_returns_nothing_i1() {
    let site = Site::start(Dialect::Sqlite).await;
    let server = site.server(&[]).await;
    server.prepare("summer", 10).await;
    let mut add = redis::cmd("XADD");
    add.arg(crate::persist::stream()).arg("*").arg("v").arg("9");
    let _: String = site.redis.ask(&add).await;
    let letter: Value = eventually("the dead letter", async || {
        let listed = server.get_as_admin("/admin/dead-letters").await.json();
        listed["dead_letters"].get(0).cloned()
    })
    .await;
    assert_eq!((&letter["ticket_id"], &letter["raw"]), (&Value::Null, &json!("v\n9")));
    let id = letter["id"].as_str().unwrap();
    assert_eq!(replay(&server, id).await.code(), "still_refused");
    let path = format!("/admin/dead-letters/{id}/drop");
    let long = "x".repeat(501);
    for bad in ["", "two\nlines", &long] {
        let answer = server.send_as_admin(Method::POST, &path, &json!({ "reason": bad })).await;
        assert_eq!((answer.status.as_u16(), &*answer.code()), (422, "validation_failed"));
    }
    assert_eq!(drop_it(&server, id).await.status, 200);
    assert_balance(&server, "summer", &json!({ "remaining": 10, "returned": 0 })).await;
    for unknown in ["0".repeat(32), "nothing".to_owned()] {
        assert_eq!(drop_it(&server, &unknown).await.code(), "dead_letter_not_found");
        let shown = server.get_as_admin(&format!("/admin/dead-letters/{unknown}")).await;
        assert_eq!((shown.status.as_u16(), &*shown.code()), (404, "dead_letter_not_found"));
    }
    let answer = server.get_as_admin("/admin/dead-letters?all=maybe").await;
    assert_eq!((answer.status.as_u16(), &*answer.code()), (400, "invalid_query"));
}
