//! Stock that a server which is gone may have told is withheld.

use firstcome::domain::coupon::CouponId;
use firstcome::domain::ticket::Serial;
use firstcome::domain::witnesses::Mark;
use reqwest::StatusCode;

use super::{Place, Told, assert_gives_the_rest, assert_persisted, issue_to, recovered};
use crate::support::eventually::eventually_holds;
use crate::support::plain_redis::PlainRedis;
use crate::support::server::Server;
use crate::support::store::open;

/// A server told 20 of 50 tickets, all rows, and 5 that are in no row; then it and Redis are gone.
async fn told_and_gone(place: &Place) -> Told {
    let mut told = Told::new();
    let mut server = place.server(&[]).await;
    server.prepare("summer", 50).await;
    issue_to(&server, "summer", 0..20, &mut told).await;
    assert_persisted(&server, "summer", 20).await;
    server.kill();
    let mut server = place.server(&[("FIRSTCOME_PERSISTER", "off")]).await;
    issue_to(&server, "summer", 20..25, &mut told).await;
    server.kill();
    let () = place.redis.ask("FLUSHALL").await;
    told
}

async fn is_withheld(server: &Server, units: u64) {
    let warns = async || server.get("/readyz").await.body.contains("is withheld") == (units > 0);
    eventually_holds("the warning, or its end", warns).await;
    assert_eq!(server.stats("summer").await["withheld"], units);
    let audit = server.get("/coupons/summer/audit").await.json();
    assert_eq!((&audit["ok"], &audit["withheld"]), (&true.into(), &units.into()), "{audit}");
}

#[tokio::test]
async fn at_always_what_a_dead_server_may_have_told_is_withheld_until_it_is_released_i1_i3_i5() {
    let place = Place::around(PlainRedis::start(&[]).await).await;
    let mut told = told_and_gone(&place).await;
    let server = place.listening(&[]).await;
    recovered(&server, "summer").await;
    told.retain(|user, _| user[1..].parse::<u64>().unwrap() < 20);
    issue_to(&server, "summer", 0..20, &mut told).await;
    assert_eq!(server.issue("summer", "new").await.code(), "sold_out");
    is_withheld(&server, 30).await;

    // It outlives the next recovery, in which nobody is gone.
    let () = place.redis.ask("FLUSHALL").await;
    recovered(&server, "summer").await;
    is_withheld(&server, 30).await;

    for _ in 0..2 {
        let release = server.post_as_admin("/admin/coupons/summer/release").await;
        assert_eq!(release.status, StatusCode::OK, "{}", release.body);
    }
    let is_open = async || server.issue("summer", "u20").await.status == StatusCode::OK;
    eventually_holds("the end of the embargo", is_open).await;
    assert_gives_the_rest(&server, "summer", 50, &mut told).await;
    is_withheld(&server, 0).await;
}

#[tokio::test]
async fn a_user_with_a_receipt_gets_the_same_ticket_again_from_the_withheld_stock_i1_i2_i3_i10() {
    let place = Place::around(PlainRedis::start(&[]).await).await;
    let mut told = told_and_gone(&place).await;
    let server = place.listening(&[]).await;
    recovered(&server, "summer").await;
    assert_eq!(server.issue("summer", "u20").await.code(), "sold_out");
    let restore = async |body: &str| {
        let ticket: serde_json::Value = serde_json::from_str(body).unwrap();
        let path = "/admin/tickets/restore";
        server.send_as_admin(reqwest::Method::POST, path, &ticket["ticket"]).await
    };
    for user in ["u20", "u21"] {
        let answer = restore(&told[user]).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        assert_eq!(restore(&told[user]).await.code(), "not_restored", "a second time");
    }
    for forged in [told["u22"].replace("u22", "eve"), told["u22"].replace("summer", "winter")] {
        let answer = restore(&forged).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{}", answer.body);
    }
    is_withheld(&server, 28).await;
    let is_replayed = async || server.issue("summer", "u20").await.body == told["u20"];
    eventually_holds("the same ticket", is_replayed).await;
    assert_persisted(&server, "summer", 22).await;

    // The next recovery knows of them, and of what is still withheld.
    let () = place.redis.ask("FLUSHALL").await;
    recovered(&server, "summer").await;
    is_withheld(&server, 28).await;
    server.post_as_admin("/admin/coupons/summer/release").await;
    let is_open = async || server.issue("summer", "u22").await.status == StatusCode::OK;
    eventually_holds("the end of the embargo", is_open).await;
    told.retain(|user, _| user[1..].parse::<u64>().unwrap() < 22);
    assert_gives_the_rest(&server, "summer", 50, &mut told).await;
}

#[tokio::test]
async fn after_a_clean_end_nothing_is_withheld_and_all_that_was_told_is_known_i1_i3_i10() {
    let place = Place::around(PlainRedis::start(&[]).await).await;
    let no_persister = [("FIRSTCOME_PERSISTER", "off")];
    let mut server = place.server(&no_persister).await;
    server.prepare("summer", 50).await;
    let mut told = Told::new();
    issue_to(&server, "summer", 0..20, &mut told).await;
    server.terminate();
    server.ended().await;
    let () = place.redis.ask("FLUSHALL").await;
    let server = place.listening(&[]).await;
    recovered(&server, "summer").await;
    is_withheld(&server, 0).await;
    assert_gives_the_rest(&server, "summer", 50, &mut told).await;
}

#[tokio::test]
async fn of_a_server_whose_marks_are_complete_only_what_is_lost_for_certain_is_withheld_i1() {
    let place = Place::around(PlainRedis::start(&[]).await).await;
    let server = place.server(&[]).await;
    server.prepare("summer", 50).await;
    let mut told = Told::new();
    issue_to(&server, "summer", 0..20, &mut told).await;
    assert_persisted(&server, "summer", 20).await;
    // As a server that told more than it could remember.
    let store = open(&place.database_url, 1).await.unwrap();
    let coupon_id = CouponId::parse("summer").unwrap();
    let () = place.redis.ask("FLUSHALL").await;
    let mark = Mark { coupon_id, last_serial: Serial(24) };
    store.see_process("other", 1, &[mark]).await.unwrap();
    store.end_process("other").await.unwrap();
    recovered(&server, "summer").await;
    is_withheld(&server, 4).await;
    issue_to(&server, "summer", 0..46, &mut told).await;
    assert_eq!(server.issue("summer", "late").await.code(), "sold_out");
}

#[tokio::test]
async fn a_level_that_allows_the_loss_withholds_nothing_and_gives_no_serial_again_i1_i5() {
    let place = Place::around(PlainRedis::factory().await).await;
    let mut told = told_and_gone(&place).await;
    let lost: Vec<u64> = (20..25).map(|user| super::serial(&told[&format!("u{user}")])).collect();
    told.retain(|user, _| user[1..].parse::<u64>().unwrap() < 20);
    let server = place.listening(&[]).await;
    recovered(&server, "summer").await;
    is_withheld(&server, 0).await;
    assert_gives_the_rest(&server, "summer", 50, &mut told).await;
    assert!(told.values().all(|body| !lost.contains(&super::serial(body))));
}
