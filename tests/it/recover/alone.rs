//! One coupon lost its keys while all else lives.

use firstcome::domain::coupon::CouponId;
use firstcome::redis::keys::Keys;
use reqwest::StatusCode;

use super::{Place, Told, assert_gives_the_rest, issue_to, recovered};
use crate::support::plain_redis::PlainRedis;

#[tokio::test]
async fn a_coupon_whose_keys_are_deleted_is_recovered_alone_and_others_go_on_i1_i2_i5_i10() {
    let place = Place::around(PlainRedis::start(&[]).await).await;
    let server = place.server(&[]).await;
    let mut told = Told::new();
    for coupon in ["summer", "winter"] {
        server.prepare(coupon, 30).await;
    }
    let of_winter = server.issue("winter", "ada").await;
    let id = CouponId::parse("summer").unwrap();
    let [hash, holders, _, unpersisted] = Keys::new("fc").of_coupon(&id);
    for (key, some) in [(holders, 10), (hash, 15), (unpersisted, 20)] {
        issue_to(&server, "summer", 0..some, &mut told).await;
        let () = place.redis.ask(&format!("DEL {key}")).await;
        assert_eq!(server.issue("summer", "new").await.code(), "recovering", "without {key}");
        assert_eq!(server.issue("winter", "ada").await.body, of_winter.body);
        recovered(&server, "summer").await;
    }
    assert_gives_the_rest(&server, "summer", 30, &mut told).await;
    let winter = server.stats("winter").await;
    assert_eq!((&winter["epoch"], &winter["last_serial"]), (&1.into(), &1.into()));
    assert_eq!(server.issue("winter", "bob").await.status, StatusCode::OK);
}
