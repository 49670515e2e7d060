//! Redis forgot something while it ran.

use reqwest::StatusCode;

use firstcome::domain::coupon::CouponId;
use firstcome::redis::keys::Keys;

use super::{assert_fails_closed, assert_recovering};
use crate::support::eventually::eventually_holds;
use crate::support::server::Server;
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
    assert_eq!(server.stats("summer").await["issued"], 1);
}
