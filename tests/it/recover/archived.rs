//! A finished coupon leaves Redis, and everybody hears what they heard before (P2 step 14).

use std::time::Duration;

use firstcome::domain::coupon::CouponId;
use firstcome::domain::ticket::Serial;
use firstcome::redis::keys::Keys;
use firstcome::store::{Archive, Store};
use reqwest::{Method, StatusCode};
use serde_json::json;

use super::{Place, Told, assert_persisted, issue_to, recovered};
use crate::support::eventually::eventually_holds;
use crate::support::plain_redis::PlainRedis;
use crate::support::server::{Server, send};
use crate::support::store::open;

const AT_ONCE: [(&str, &str); 1] = [("FIRSTCOME_ARCHIVE_AFTER_DAYS", "0")];

/// Ten users have a ticket of `summer`, one of them a cancelled one, and it is closed.
async fn closed(server: &Server) -> Told {
    let mut told = Told::new();
    server.prepare("summer", 30).await;
    issue_to(server, "summer", 0..10, &mut told).await;
    assert_persisted(server, "summer", 10).await;
    for path in ["/admin/tickets/summer.10/cancel", "/admin/coupons/summer/close"] {
        assert_eq!(server.post_as_admin(path).await.status, StatusCode::OK);
    }
    told
}

async fn is_archived(server: &Server) {
    let is_archived = async || {
        let shown = server.get_as_admin("/admin/coupons/summer").await.json();
        shown["state"] == "archived"
    };
    eventually_holds("the coupon is archived", is_archived).await;
}

async fn has_left(place: &Place) {
    let [coupon, holders, ..] = Keys::new("fc").of_coupon(&CouponId::parse("summer").unwrap());
    let has_left = async || {
        let there: u32 = place.redis.ask(&format!("EXISTS {coupon} {holders}")).await;
        there == 0
    };
    eventually_holds("its keys are gone", has_left).await;
}

/// What each user is told, and what is shown: of the coupon, and of the tickets.
async fn all_that_users_hear(server: &Server) -> Vec<(StatusCode, String)> {
    let mut heard = Vec::new();
    for user in 0..12 {
        let answer = server.issue("summer", &format!("u{user}")).await;
        heard.push((answer.status, answer.body));
        let path = format!("/tickets/summer.{}", user + 1);
        let look = server.ask(Method::GET, &path).header("X-User-Id", format!("u{user}"));
        let look = send(look).await.unwrap();
        heard.push((look.status, look.body));
    }
    let second = server.ask(Method::GET, "/coupons/summer/issue?claim=2");
    let second = send(second.header("X-User-Id", "u1")).await.unwrap();
    heard.push((second.status, second.body));
    let export = server.get_as_admin("/admin/coupons/summer/winners?format=csv").await;
    heard.push((export.status, export.body));
    let mut page = server.get("/coupons/summer").await.json();
    page["server_time"] = json!(null);
    heard.push((StatusCode::OK, page.to_string()));
    let audit = server.get("/coupons/summer/audit").await.json();
    for count in ["ok", "faults", "total", "issued", "returned", "remaining", "holders", "version"]
    {
        heard.push((StatusCode::OK, audit[count].to_string()));
    }
    heard
}

#[tokio::test]
async fn an_archived_coupon_says_what_it_said_before_and_no_recovery_brings_it_back_i4_i7_i10() {
    let place = Place::around(PlainRedis::start(&[]).await).await;
    let mut server = place.server(&[]).await;
    let told = closed(&server).await;
    server.prepare("winter", 30).await;
    let of_winter = server.issue("winter", "u0").await;
    let before = all_that_users_hear(&server).await;
    server.terminate();
    server.ended().await;

    let server = place.server(&AT_ONCE).await;
    is_archived(&server).await;
    has_left(&place).await;
    assert_eq!(all_that_users_hear(&server).await, before);
    let stats = server.stats("summer").await;
    assert_eq!((&stats["ok"], &stats["rows"]), (&true.into(), &10.into()), "{stats}");
    let restock = server.restock("summer", 5, "k1").await;
    assert_eq!((restock.status, restock.code()), (StatusCode::CONFLICT, "archived".to_owned()));
    for verb in ["coupons/summer/resume", "coupons/summer/pause", "coupons/summer/close"]
        .into_iter()
        .chain(["coupons/summer/preload", "coupons/summer/release", "tickets/summer.1/cancel"])
    {
        let answer = server.post_as_admin(&format!("/admin/{verb}")).await;
        let refused = (StatusCode::CONFLICT, "archived".to_owned());
        assert_eq!((answer.status, answer.code()), refused, "{verb}");
    }

    let () = place.redis.ask("FLUSHALL").await;
    recovered(&server, "winter").await;
    assert_eq!(server.issue("winter", "u0").await.body, of_winter.body);
    has_left(&place).await;
    assert_eq!(server.issue("summer", "u3").await.body, told["u3"]);
    assert_eq!(server.issue("summer", "late").await.code(), "closed");
    assert_eq!(server.stats("summer").await["ok"], true);
}

/// The row says that the coupon is archived, and the process died.
async fn archived_in_its_row(store: &dyn Store) {
    let id = CouponId::parse("summer").unwrap();
    let coupon = store.find_coupon(&id).await.unwrap().unwrap();
    let sha256 = "0".repeat(64);
    let kept = Archive { tickets: 10, cancelled: 1, last_serial: Serial(10), sha256 };
    let other = Archive { tickets: 9, ..kept.clone() };
    assert!(!store.archive(&coupon, &other).await.unwrap(), "a ticket came meanwhile");
    assert!(store.archive(&coupon, &kept).await.unwrap());
    assert!(!store.archive(&coupon, &kept).await.unwrap());
    let died = store.lead_recovery("archiver died", Duration::from_secs(2)).await.unwrap();
    assert!(died, "nobody recovers");
}

#[tokio::test]
async fn a_crash_at_any_step_of_archiving_loses_nothing_and_is_finished_by_another_i3_i10() {
    for are_keys_gone in [false, true] {
        let place = Place::around(PlainRedis::start(&[]).await).await;
        let server = place.server(&[]).await;
        let told = closed(&server).await;
        let store = open(&place.database_url, 1).await.unwrap();
        archived_in_its_row(&*store).await;
        if are_keys_gone {
            let [coupon, holders, ..] =
                Keys::new("fc").of_coupon(&CouponId::parse("summer").unwrap());
            let () = place.redis.ask(&format!("DEL {coupon} {holders}")).await;
        }
        // Any server finishes it, however long its own pause is.
        for user in ["u0", "u5"] {
            assert_eq!(server.issue("summer", user).await.body, told[user]);
        }
        has_left(&place).await;
        let is_noted = async || store.leaving().await.unwrap().is_none();
        eventually_holds("nothing is left to do", is_noted).await;
        assert_eq!(server.issue("summer", "u5").await.body, told["u5"]);
        assert_eq!(server.issue("summer", "late").await.code(), "closed");
        let ready = server.get("/readyz").await;
        assert_eq!(ready.status, StatusCode::OK, "{}", ready.body);
        store.close().await;
    }
}

#[tokio::test]
async fn a_coupon_with_a_ticket_that_is_no_row_or_not_the_same_stays_in_redis_i3() {
    let place = Place::around(PlainRedis::start(&[]).await).await;
    let mut server = place.server(&[]).await;
    closed(&server).await;
    server.terminate();
    server.ended().await;
    let [_, holders, ..] = Keys::new("fc").of_coupon(&CouponId::parse("summer").unwrap());
    let held: String = place.redis.ask(&format!("HGET {holders} u3")).await;
    let other = held.replacen("4:", "5:", 1);
    let () = place.redis.ask(&format!("HSET {holders} u3 {other}")).await;
    let server = place.server(&AT_ONCE).await;
    let looked = "firstcome_loop_steps_total{loop=\"archiver\",outcome=\"failed\"}";
    eventually_holds("it was looked at", async || server.metric(looked).await >= 1.0).await;
    let shown = server.get_as_admin("/admin/coupons/summer").await.json();
    assert_eq!(shown["state"], "closed");
    let () = place.redis.ask(&format!("HSET {holders} u3 {held}")).await;
    is_archived(&server).await;
}
