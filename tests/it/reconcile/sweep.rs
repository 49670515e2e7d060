//! Keys of a coupon that are gone while Redis lives.

use firstcome::domain::coupon::{CouponId, Shard};
use firstcome::domain::limits::PAGE_MAX_ROWS;
use firstcome::reconcile::Sweep;
use firstcome::redis::keys::Keys;
use firstcome::store::open;
use firstcome::telemetry::health::Health;
use reqwest::StatusCode;

use crate::support::copies::copies_before;
use crate::support::eventually::eventually_holds;
use crate::support::site::{Dialect, Site};

#[tokio::test]
async fn a_coupon_whose_keys_are_gone_is_told_at_once_by_name_until_they_are_back_i3() {
    let site = Site::start(Dialect::Sqlite).await;
    // A persister would make an empty stream again.
    let server = site.server(&[("FIRSTCOME_PERSISTER", "off")]).await;
    for coupon in ["summer", "winter", "autumn"] {
        server.prepare(coupon, 5).await;
    }
    let told = async || server.get("/readyz").await;
    let names = |body: &str, coupon: &str| body.contains("are gone") && body.contains(coupon);
    let keys = Keys::new("fc");
    let id = CouponId::parse("summer").unwrap();
    let shard: Shard = id.shard();
    let lost = [keys.coupon(&id), keys.holders(&id), keys.records(shard), keys.unpersisted(shard)];
    for key in lost {
        let kept = format!("kept:{key}");
        let () = site.redis.ask(redis::cmd("RENAME").arg(&key).arg(&kept)).await;
        let is_told = async || names(&told().await.body, "summer");
        eventually_holds(&format!("a warning without {key}"), is_told).await;
        let lost = server.metric("firstcome_lost_coupons").await;
        assert!(lost >= 1.0, "{lost}");
        let readiness = told().await;
        assert_eq!(readiness.status, StatusCode::OK, "others go on: {}", readiness.body);
        assert!(!names(&readiness.body, "winter"), "{}", readiness.body);
        let () = site.redis.ask(redis::cmd("DEL").arg(&key)).await;
        let () = site.redis.ask(redis::cmd("RENAME").arg(&kept).arg(&key)).await;
        let is_quiet = async || !told().await.body.contains("are gone");
        eventually_holds(&format!("the end of the warning with {key}"), is_quiet).await;
    }
}

#[tokio::test]
async fn a_coupon_that_a_request_did_not_find_does_not_wait_for_its_page_i3() {
    let site = Site::start(Dialect::Sqlite).await;
    let mut server = site.server(&[("FIRSTCOME_PERSISTER", "off")]).await;
    server.prepare("zz", 5).await;
    server.kill();
    let id = CouponId::parse("zz").unwrap();
    copies_before(&site, &id, PAGE_MAX_ROWS as usize).await;
    let () = site.redis.ask(redis::cmd("DEL").arg(Keys::new("fc").coupon(&id))).await;
    site.redis.accept().await;
    let store = open(&site.database_url, 2).await.unwrap();
    let redis = &site.redis.redis;
    let first_look = async || {
        let health = Health::default();
        Sweep::new(redis, store.clone(), health.clone()).step().await;
        health.told().warnings
    };
    assert_eq!(first_look().await, [""; 0], "its page comes later");
    redis.suspects().add(&id);
    let warnings = first_look().await;
    assert!(warnings[0].starts_with("keys of 1 coupon are gone"), "{warnings:?}");
    assert!(warnings[0].ends_with(": zz"), "{warnings:?}");
}

#[tokio::test]
async fn a_coupon_whose_keys_are_damaged_is_told_by_name_until_they_are_mended_i3() {
    let site = Site::start(Dialect::Sqlite).await;
    let server = site.server(&[("FIRSTCOME_PERSISTER", "off")]).await;
    for coupon in ["summer", "winter"] {
        server.prepare(coupon, 5).await;
    }
    let keys = Keys::new("fc");
    let id = CouponId::parse("summer").unwrap();
    let told = async || server.get("/readyz").await;
    let names = |body: &str, coupon: &str| body.contains("damaged") && body.contains(coupon);
    let [coupon, holders, records, unpersisted] = keys.of_coupon(&id);
    for (damage, key) in [
        (format!("HDEL {coupon} terms"), &coupon),
        (format!("HSET {coupon} terms open"), &coupon),
        (format!("SET {coupon} text"), &coupon),
        (format!("HDEL {holders} \0"), &holders),
        (format!("HSET {holders} \0 many"), &holders),
        (format!("SET {records} text"), &records),
        (format!("SET {unpersisted} many"), &unpersisted),
    ] {
        let kept = format!("kept:{key}");
        let () = site.redis.ask(redis::cmd("COPY").arg(key).arg(&kept)).await;
        let mut command = redis::Cmd::new();
        command.arg(damage.split(' ').map(|word| word.trim_matches('\0')).collect::<Vec<_>>());
        site.redis.ask::<redis::Value>(&command).await;
        let is_told = async || names(&told().await.body, "summer");
        eventually_holds(&format!("a warning after {damage}"), is_told).await;
        let readiness = told().await;
        assert_eq!(readiness.status, StatusCode::OK, "others go on: {}", readiness.body);
        assert!(!names(&readiness.body, "winter"), "{}", readiness.body);
        let () = site.redis.ask(redis::cmd("RENAME").arg(&kept).arg(key)).await;
        let is_quiet = async || !told().await.body.contains("damaged");
        eventually_holds(&format!("the end of the warning after {damage}"), is_quiet).await;
    }
}
