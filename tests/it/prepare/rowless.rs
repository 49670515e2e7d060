//! A coupon that the database lost altogether, while Redis goes on with it.

use reqwest::StatusCode;

use crate::support::eventually::eventually_holds;
use crate::support::server::{Server, command};
use crate::support::site::{Dialect, Site};

use super::act;
use super::diverged::Backup;

/// What `/readyz` says of coupons without a row.
async fn told(server: &Server) -> String {
    let ready = server.get("/readyz").await;
    assert_eq!(ready.status, StatusCode::OK, "the others are issued: {}", ready.body);
    let warnings = ready.json()["warnings"].as_array().unwrap().clone();
    let warnings = warnings.iter().filter_map(|warning| warning.as_str());
    warnings.filter(|warning| warning.contains("lost")).collect()
}

#[tokio::test]
async fn a_coupon_that_the_database_lost_is_told_and_stopped_until_its_row_is_back_i8() {
    let site = Site::start(Dialect::Sqlite).await;
    // Its count of rows would miss those that are written while its own is lost.
    let server = site.server(&[("FIRSTCOME_PERSISTER", "off")]).await;
    server.prepare("winter", 5).await;
    let mut older = Backup::at(&site.database_url).await;
    for coupon in ["autumn", "summer"] {
        server.prepare(coupon, 5).await;
    }
    let mut newer = Backup::at(&site.database_url).await;
    assert_eq!(told(&server).await, "");
    older.restore().await;

    let is_told = async || told(&server).await.ends_with(": autumn, summer");
    eventually_holds("a warning", is_told).await;
    assert!(told(&server).await.starts_with("Redis has 2 coupons that the database lost"));
    for (coupon, is_ok) in [("summer", false), ("winter", true)] {
        let audit = server.get(&format!("/coupons/{coupon}/audit")).await;
        assert_eq!(audit.status, StatusCode::OK, "{coupon}: {audit:?}");
        assert_eq!(audit.json()["ok"], is_ok, "{coupon}: {audit:?}");
    }
    assert_eq!(server.get("/coupons/nothing/audit").await.status, StatusCode::NOT_FOUND);
    assert_eq!(server.issue("summer", "ada").await.status, StatusCode::OK);

    let paused = act(&server, "summer", "pause").await;
    assert_eq!(paused.status, StatusCode::OK, "{paused:?}");
    let urls = [("REDIS_URL", site.redis.url()), ("DATABASE_URL", &*site.database_url)];
    let mut pause = command(site.data_dir(), &urls);
    let paused = pause.args(["coupon", "pause", "autumn", "--now"]).output().unwrap();
    assert!(paused.status.success(), "{paused:?}");
    for coupon in ["summer", "autumn"] {
        assert_eq!(server.issue(coupon, "eve").await.code(), "paused");
        let resumed = act(&server, coupon, "resume").await;
        assert_eq!(resumed.status, StatusCode::NOT_FOUND, "{resumed:?}");
        assert_eq!(server.issue(coupon, "eve").await.code(), "paused");
    }

    newer.restore().await;
    eventually_holds("the end of the warning", async || told(&server).await.is_empty()).await;
    let audit = server.get("/coupons/summer/audit").await.json();
    assert_eq!(audit["ok"], true, "{audit}");
}

#[tokio::test]
async fn a_lost_coupon_that_redis_does_not_have_any_more_either_is_told_no_longer_i8() {
    let site = Site::start(Dialect::Sqlite).await;
    let server = site.server(&[("FIRSTCOME_PERSISTER", "off")]).await;
    let mut older = Backup::at(&site.database_url).await;
    server.prepare("summer", 5).await;
    older.restore().await;
    let is_told = async || told(&server).await.ends_with(": summer");
    eventually_holds("a warning", is_told).await;
    let keys = site.redis.redis.keys();
    let id = firstcome::domain::coupon::CouponId::parse("summer").unwrap();
    let [coupon, holders, ..] = keys.of_coupon(&id);
    site.redis.ask::<()>(redis::cmd("DEL").arg(coupon).arg(holders)).await;
    eventually_holds("the end of the warning", async || told(&server).await.is_empty()).await;
}
