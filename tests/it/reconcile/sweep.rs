//! Keys of a coupon that are gone while Redis lives.

use firstcome::domain::coupon::{CouponId, Shard};
use firstcome::redis::keys::Keys;
use reqwest::StatusCode;

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
        let readiness = told().await;
        assert_eq!(readiness.status, StatusCode::OK, "others go on: {}", readiness.body);
        assert!(!names(&readiness.body, "winter"), "{}", readiness.body);
        let () = site.redis.ask(redis::cmd("DEL").arg(&key)).await;
        let () = site.redis.ask(redis::cmd("RENAME").arg(&kept).arg(&key)).await;
        let is_quiet = async || !told().await.body.contains("are gone");
        eventually_holds(&format!("the end of the warning with {key}"), is_quiet).await;
    }
}
