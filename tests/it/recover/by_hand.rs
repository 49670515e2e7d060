//! `firstcome reconcile`: what differs, and a recovery that the operator orders.

use std::process::Output;

use firstcome::domain::coupon::CouponId;
use firstcome::redis::keys::Keys;
use serde_json::Value;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _, raw_sql};

use super::{Place, Told, assert_gives_the_rest, assert_persisted, issue_to, recovered};
use crate::support::eventually::eventually_holds;
use crate::support::plain_redis::PlainRedis;
use crate::support::server::command;

const ASK: (&str, &str) = ("FIRSTCOME_RECOVERY", "ask");

/// `firstcome reconcile` with these words, and the standard output's lines as (coupon, kind,
/// count).
pub(super) async fn reconcile(place: &Place, words: &str) -> (Output, Vec<(String, String, u64)>) {
    let variables = [("REDIS_URL", &*place.redis.url), ("DATABASE_URL", &*place.database_url)];
    let mut command = command(place.dir.path(), &variables);
    command.args(["reconcile", "-o", "jsonl"]).args(words.split_whitespace());
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let line = |line: &str| {
        let line: Value = serde_json::from_str(line).unwrap();
        let word = |name: &str| line[name].as_str().unwrap().to_owned();
        (word("coupon_id"), word("kind"), line["count"].as_u64().unwrap())
    };
    let lines = text.lines().map(line).collect();
    (output, lines)
}

fn code(output: &Output) -> (Option<i32>, String) {
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

async fn in_database(place: &Place, sql: &str) {
    let mut database = PgConnection::connect(&place.database_url).await.unwrap();
    raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut database).await.unwrap();
}

fn found(lines: &[(&str, &str, u64)]) -> Vec<(String, String, u64)> {
    let owned = |(coupon, kind, count): &(&str, &str, u64)| {
        ((*coupon).to_owned(), (*kind).to_owned(), *count)
    };
    lines.iter().map(owned).collect()
}

#[tokio::test]
async fn every_kind_of_difference_is_found_and_apply_makes_both_sides_whole_i1_i2_i3_i5_i10() {
    let place = Place::around(PlainRedis::start(&[]).await).await;
    let server = place.server(&[ASK]).await;
    let mut told: Vec<Told> = Vec::new();
    for coupon in ["a", "b", "c", "d"] {
        server.prepare(coupon, 30).await;
        told.push(Told::new());
        issue_to(&server, coupon, 0..12, told.last_mut().unwrap()).await;
        assert_persisted(&server, coupon, 12).await;
    }
    let (output, lines) = reconcile(&place, "").await;
    assert_eq!((code(&output).0, lines), (Some(0), Vec::new()), "{output:?}");

    let [_, of_a, ..] = Keys::new("fc").of_coupon(&CouponId::parse("a").unwrap());
    let [hash_of_b, of_b, ..] = Keys::new("fc").of_coupon(&CouponId::parse("b").unwrap());
    let () = place.redis.ask(&format!("HDEL {of_a} u3 u4")).await;
    in_database(
        &place,
        "DELETE FROM tickets WHERE coupon_id = 'a' AND user_id IN ('u6', 'u7', 'u8');
         UPDATE coupons SET persisted = persisted - 3 WHERE id = 'a';
         UPDATE tickets SET serial = 99 WHERE coupon_id = 'c' AND user_id = 'u0';
         UPDATE acts SET intended_at_ms = intended_at_ms + 1 WHERE coupon_id = 'd'",
    )
    .await;
    let () = place.redis.ask(&format!("DEL {hash_of_b} {of_b}")).await;
    let planted = found(&[
        ("a", "MISSING_IN_DB", 3),
        ("a", "MISSING_IN_REDIS", 2),
        ("b", "MISSING_IN_REDIS", 12),
        ("b", "STOCK_MISMATCH", 18),
        ("c", "MISSING_IN_DB", 1),
        ("c", "DUPLICATE_USER", 1),
        ("d", "DIVERGED_ACT", 1),
    ]);
    let (output, lines) = reconcile(&place, "").await;
    assert_eq!((code(&output).0, lines), (Some(1), planted), "{output:?}");

    let (output, lines) = reconcile(&place, "a b --apply").await;
    assert_eq!(code(&output).0, Some(0), "{output:?}");
    assert_eq!(lines.len(), 4, "what was found before the recovery, and nothing after it");
    for (coupon, told) in ["a", "b"].into_iter().zip(&mut told) {
        assert_gives_the_rest(&server, coupon, 30, told).await;
    }
    let (_, lines) = reconcile(&place, "a b").await;
    assert_eq!(lines, []);
    let (output, _) = reconcile(&place, "c --apply").await;
    assert_eq!(code(&output).0, Some(0), "{output:?}");
    assert_eq!(server.stats("c").await["contested"], 1);
    let (output, lines) = reconcile(&place, "d --apply").await;
    let left = found(&[("d", "DIVERGED_ACT", 1), ("d", "DIVERGED_ACT", 1)]);
    assert_eq!((code(&output).0, lines), (Some(1), left), "{output:?}");
}

#[tokio::test]
async fn a_serial_that_nobody_has_is_a_gap_and_tickets_that_wait_for_the_database_are_none_i5() {
    let place = Place::around(PlainRedis::start(&[]).await).await;
    let server = place.server(&[ASK, ("FIRSTCOME_PERSISTER", "off")]).await;
    server.prepare("summer", 30).await;
    issue_to(&server, "summer", 0..12, &mut Told::new()).await;
    let (output, lines) = reconcile(&place, "").await;
    assert_eq!((code(&output).0, lines), (Some(0), Vec::new()), "{output:?}");
    let [_, holders, ..] = Keys::new("fc").of_coupon(&CouponId::parse("summer").unwrap());
    let () = place.redis.ask(&format!("HDEL {holders} u3 u4")).await;
    let (output, lines) = reconcile(&place, "").await;
    let gap = found(&[("summer", "SERIAL_GAP", 2)]);
    assert_eq!((code(&output).0, lines), (Some(1), gap), "{output:?}");
}

#[tokio::test]
async fn a_redis_that_may_be_another_one_is_taken_over_only_by_the_operators_word_i1_i2_i5_i10() {
    let mut place = Place::around(PlainRedis::start(&[]).await).await;
    let mut server = place.server(&[]).await;
    server.prepare("summer", 30).await;
    let mut told = Told::new();
    issue_to(&server, "summer", 0..12, &mut told).await;
    assert_persisted(&server, "summer", 12).await;
    let replica = PlainRedis::start(&[]).await;
    let () = replica.ask(&format!("REPLICAOF 127.0.0.1 {}", place.redis.port)).await;
    let is_synced = async || {
        let told: String = replica.ask("INFO replication").await;
        told.contains("master_link_status:up")
    };
    eventually_holds("the replica's data", is_synced).await;
    // The link is cut, and the replica lacks what is told from now on.
    let () = replica.ask("REPLICAOF 127.0.0.1 1").await;
    issue_to(&server, "summer", 12..15, &mut told).await;
    assert_persisted(&server, "summer", 15).await;
    server.terminate();
    server.ended().await;
    let () = replica.ask("REPLICAOF NO ONE").await;
    place.redis = replica;

    let server = place.listening(&[]).await;
    let is_refused = async || server.get("/readyz").await.body.contains("may have been promoted");
    eventually_holds("the refusal", is_refused).await;
    let (output, _) = reconcile(&place, "--apply").await;
    let (code_of_apply, said) = code(&output);
    assert_eq!(code_of_apply, Some(1), "{said}");
    assert!(said.contains("`firstcome reconcile --accept-generation` recovers"), "{said}");
    assert_eq!(server.issue("summer", "u0").await.code(), "recovering");

    let (output, lines) = reconcile(&place, "--accept-generation").await;
    let lacking = found(&[("summer", "MISSING_IN_REDIS", 3)]);
    assert_eq!((code(&output).0, lines), (Some(0), lacking), "before it, and nothing after it");
    recovered(&server, "summer").await;
    assert_gives_the_rest(&server, "summer", 30, &mut told).await;
}
