//! What was changed, and by whom: in the log of a coupon, and in a line of the server's log.

use std::fs::File;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::server::{Server, command, send};

use super::{act, patch, server};

#[tokio::test]
async fn the_acts_of_a_coupon_are_told_with_who_asked_and_what_came_of_them_page_by_page() {
    let (_dir, server) = server(&[]).await;
    let acts = async |query: &str| {
        server.get_as_admin(&format!("/admin/coupons/summer/acts{query}")).await
    };
    assert_eq!(acts("").await.code(), "coupon_not_found");
    server.prepare("summer", 3).await;
    server.issue("summer", "ada").await;
    assert_eq!(server.restock("summer", 5, "k1").await.status, StatusCode::OK);
    assert_eq!(server.restock("summer", -8, "k2").await.code(), "below_issued");
    let window = json!({ "closes_at": "2999-01-01T00:00:00Z" });
    assert_eq!(patch(&server, "summer", &window).await.status, StatusCode::OK);
    assert_eq!(act(&server, "summer", "pause").await.status, StatusCode::OK);

    let all = acts("").await.json();
    let told = all["acts"].as_array().unwrap();
    let field = |name: &str| told.iter().map(|act| act[name].clone()).collect::<Vec<_>>();
    assert_eq!(field("act_no"), [1, 2, 3, 4, 5]);
    assert_eq!(field("kind"), ["preload", "restock", "restock", "window", "pause"]);
    assert_eq!(field("state"), ["applied", "applied", "refused", "applied", "applied"]);
    let versions = [json!(1), json!(2), Value::Null, json!(3), json!(4)];
    assert_eq!(field("version"), versions);
    assert!(told.iter().all(|act| act["who"] == "admin" && act["recorded_at"].is_string()));
    assert_eq!((&told[1]["change"], &told[4]["change"]), (&json!({ "delta": 5 }), &json!({})));
    assert_eq!((&told[1]["total"], &told[1]["remaining"]), (&json!(8), &json!(7)));
    assert_eq!(told[2]["reason"], "below_issued");
    assert_eq!(told[2]["detail"], "the total cannot go below 1: a user has a ticket");
    assert_eq!(told[3]["change"]["closes_at"], "2999-01-01T00:00:00.000Z");
    assert_eq!(all["next_cursor"], Value::Null);

    let first = acts("?limit=2").await.json();
    assert_eq!(first["acts"].as_array().unwrap()[..], told[..2]);
    let cursor = first["next_cursor"].as_str().unwrap();
    let rest = acts(&format!("?cursor={cursor}")).await.json();
    assert_eq!(rest["acts"].as_array().unwrap()[..], told[2..]);
    for wrong in
        ["?cursor=x", "?cursor=-1", "?cursor=9223372036854775808", "?limit=0", "?limit=1&limit=2"]
    {
        assert_eq!(acts(wrong).await.code(), "invalid_query", "{wrong}");
    }
}

#[tokio::test]
async fn each_act_is_one_line_of_the_log_with_who_asked_and_the_id_of_the_request() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("log");
    let variables = [("FIRSTCOME_LOG", "info"), ("FIRSTCOME_LOG_FORMAT", "json")];
    let mut command = command(dir.path(), &variables);
    command.arg("serve").stderr(File::create(&log).unwrap());
    let mut server = Server::start_from(command).ready().await;
    server.prepare("summer", 3).await;
    for _ in 0..2 {
        let restock = server.ask_as_admin(Method::POST, "/admin/coupons/summer/restock");
        let restock = restock.header("Idempotency-Key", "k1").header("X-Request-Id", "from-ci-7");
        let answer = send(restock.json(&json!({ "delta": 5 }))).await.unwrap();
        assert_eq!(answer.status, StatusCode::OK);
    }
    server.terminate();
    assert!(server.ended().await.success());

    let text = std::fs::read_to_string(&log).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let acts: Vec<Value> = lines.filter(|line| line["message"] == "act").collect();
    let kinds: Vec<&Value> = acts.iter().map(|act| &act["kind"]).collect();
    assert_eq!(kinds, ["preload", "restock"], "a repetition is no act");
    let restock = &acts[1];
    assert_eq!((&restock["level"], &restock["coupon.id"]), (&json!("INFO"), &json!("summer")));
    assert_eq!((&restock["delta"], &restock["who"]), (&json!(5), &json!("admin")));
    assert_eq!(restock["result"], "applied 2 8 8");
    assert_eq!(restock["span"]["request_id"], "from-ci-7");
    assert!(acts[0]["delta"].is_null(), "{}", acts[0]);
}
