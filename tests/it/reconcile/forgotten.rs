//! Redis forgot something while it ran.

use reqwest::StatusCode;

use firstcome::domain::coupon::CouponId;
use firstcome::redis::facts;
use firstcome::redis::keys::Keys;

use super::{assert_fails_closed, assert_recovering, words};
use crate::support::eventually::{eventually, eventually_holds};
use crate::support::redis::connect;
use crate::support::server::{Answer, Server};
use crate::support::site::{Dialect, Site};

/// A server with a coupon of which one ticket was told and is a row.
async fn site_with_a_ticket(dialect: Dialect) -> (Site, Server) {
    let site = Site::start(dialect).await;
    let server = site.server(&[]).await;
    server.prepare("summer", 5).await;
    assert_eq!(server.issue("summer", "ada").await.status, StatusCode::OK);
    let is_row = async || server.stats("summer").await["rows"] == 1;
    eventually_holds("ada's row", is_row).await;
    (site, server)
}

fn key_of(coupon: &str) -> String {
    Keys::new("fc").coupon(&CouponId::parse(coupon).unwrap())
}

#[tokio::test]
async fn a_flushed_redis_is_refused_until_it_is_recovered_i1_i3() {
    for dialect in [Dialect::Sqlite, Dialect::Postgres] {
        let (site, server) = site_with_a_ticket(dialect).await;
        let () = site.redis.ask(&redis::cmd("FLUSHALL")).await;
        // At once: what is not noticed yet is refused because its hash is missing.
        assert_recovering(&server, "summer", "ada").await;
        assert_recovering(&server, "summer", "new").await;
        assert_fails_closed(&site, &server, "heartbeat is behind").await;
        drop(server);
        let restarted = site.listening(&[]).await;
        assert_fails_closed(&site, &restarted, "heartbeat is behind").await;
        assert_eq!(restarted.get_as_admin("/admin/coupons/summer").await.json()["total"], 5);
    }
}

#[tokio::test]
async fn a_redis_that_is_flushed_before_any_coupon_was_in_it_lost_nothing() {
    let site = Site::start(Dialect::Sqlite).await;
    let server = site.server(&[]).await;
    let () = site.redis.ask(&redis::cmd("FLUSHALL")).await;
    // Seconds are counted again as soon as the empty Redis was noticed and accepted.
    eventually_holds("the flush is noticed", async || {
        site.redis.ask::<bool>(redis::cmd("EXISTS").arg("fc:heartbeat")).await
    })
    .await;
    let server = server.ready().await;
    server.prepare("summer", 5).await;
    assert_eq!(server.issue("summer", "ada").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_coupon_whose_hash_is_missing_recovers_and_is_not_unknown_and_others_go_on_i1_i3() {
    let (site, server) = site_with_a_ticket(Dialect::Sqlite).await;
    server.prepare("winter", 5).await;
    let () = site.redis.ask(redis::cmd("DEL").arg(key_of("summer"))).await;
    for user in ["ada", "new"] {
        assert_recovering(&server, "summer", user).await;
    }
    let again = server.post_as_admin("/admin/coupons/summer/preload").await;
    let world = site.redis.world().await;
    assert!(!world.iter().any(|(key, _)| *key == key_of("summer")), "{}", again.body);
    assert_recovering(&server, "summer", "new").await;
    let shown = server.get("/coupons/summer").await;
    assert_eq!(
        (shown.status, shown.code().as_str()),
        (StatusCode::SERVICE_UNAVAILABLE, "recovering")
    );
    assert_eq!(server.issue("winter", "ada").await.status, StatusCode::OK);
    let unknown = server.issue("autumn", "ada").await;
    assert_eq!(
        (unknown.status, unknown.code().as_str()),
        (StatusCode::NOT_FOUND, "coupon_not_found")
    );
}

#[tokio::test]
async fn a_coupon_whose_holders_are_missing_recovers_and_issues_nothing_i2() {
    let (site, server) = site_with_a_ticket(Dialect::Sqlite).await;
    let holders = Keys::new("fc").holders(&CouponId::parse("summer").unwrap());
    let () = site.redis.ask(redis::cmd("DEL").arg(holders)).await;
    for user in ["ada", "new"] {
        assert_recovering(&server, "summer", user).await;
    }
    let stats = server.get_as_admin("/admin/coupons/summer/stats").await;
    assert_eq!((stats.status, &*stats.code()), (StatusCode::SERVICE_UNAVAILABLE, "recovering"));
}

#[tokio::test]
async fn a_database_that_was_swapped_with_another_is_refused_until_it_is_back_i1_i3_i5() {
    let (site, server) = site_with_a_ticket(Dialect::Sqlite).await;
    // An older copy stands in database 1, and none of it in database 2.
    let mut redis = connect(site.redis.url()).await;
    for (key, _) in site.redis.world().await {
        let copied: bool =
            words(&format!("COPY {key} {key} DB 1")).query_async(&mut redis).await.unwrap();
        assert!(copied, "{key}");
    }
    let old = facts::heartbeat(&site.redis.redis).await.unwrap();
    let beat = async || facts::heartbeat(&site.redis.redis).await.unwrap() > old;
    eventually_holds("a beat that the copy lacks", beat).await;
    assert_eq!(server.issue("summer", "bob").await.status, StatusCode::OK);
    let mut server = server;
    for other in [1, 2] {
        // The process and the identity of its data stay the same.
        let () = site.redis.ask(&words(&format!("SWAPDB 0 {other}"))).await;
        assert_fails_closed(&site, &server, "heartbeat is behind").await;
        let () = site.redis.ask(&words(&format!("SWAPDB 0 {other}"))).await;
        server = server.ready().await;
    }
    let carol = server.issue("summer", "carol").await;
    assert_eq!(carol.json()["ticket"]["serial"], 3, "{}", carol.body);
}

#[tokio::test]
async fn a_script_of_somebody_else_without_an_end_is_an_outage_and_loses_nothing_i3_i5() {
    let (site, server) = site_with_a_ticket(Dialect::Sqlite).await;
    let () = site.redis.ask(&words("CONFIG SET busy-reply-threshold 200")).await;
    let mut theirs = connect(site.redis.url()).await;
    let mut endless = redis::cmd("EVAL");
    let endless = endless.arg("while true do end").arg(0);
    let users: Vec<String> = (0..20).map(|number| format!("u{number}")).collect();
    let meanwhile = async {
        let told: Vec<Answer> =
            futures_util::future::join_all(users.iter().map(|user| server.issue("winter", user)))
                .await;
        let status = eventually("a reason", async || {
            let answer = server.get("/readyz").await;
            let told = answer.json()["reasons"].to_string();
            told.starts_with(r#"["Redis refused: \"BUSY\""#).then_some(answer.status)
        })
        .await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        let late = server.issue("winter", "late").await;
        let () = site.redis.ask(&words("SCRIPT KILL")).await;
        (told, late)
    };
    server.prepare("winter", 100).await;
    let killed = async { endless.exec_async(&mut theirs).await };
    let (killed, (told, late)) = tokio::join!(killed, meanwhile);
    assert!(killed.is_err(), "it has no end");
    assert!(["recovering", "overloaded"].contains(&&*late.code()), "definite: {}", late.body);
    for answer in &told {
        let code = answer.code();
        let is_known = ["", "outcome_unknown", "recovering", "overloaded"].contains(&&*code);
        assert!(is_known, "{}", answer.body);
    }
    let server = server.ready().await;
    let mut serials = Vec::new();
    for user in &users {
        let answer = eventually("a ticket", async || {
            let answer = server.issue("winter", user).await;
            (answer.status == StatusCode::OK).then_some(answer)
        })
        .await;
        serials.push(answer.json()["ticket"]["serial"].as_u64().unwrap());
    }
    serials.sort_unstable();
    assert_eq!(serials, (1..=20).collect::<Vec<_>>());
    let is_row = async || server.stats("winter").await["rows"] == 20;
    eventually_holds("the rows", is_row).await;
    assert_eq!(server.get("/coupons/winter/audit").await.json()["ok"], true);
}
