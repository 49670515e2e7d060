//! One coupon lost its keys while all else lives.

use firstcome::domain::coupon::CouponId;
use firstcome::redis::keys::Keys;
use reqwest::StatusCode;

use super::{EVERYSEC, Place, Told, assert_gives_the_rest, issue_to, recovered};
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
    let summer = server.get("/coupons/summer/audit").await.json();
    let epochs = summer["epochs"].as_array().unwrap();
    assert_eq!((epochs.len(), &epochs[0]["epoch"]), (3, &summer["epoch"]), "{summer}");
    assert!(epochs[0]["first_serial"].as_u64() > epochs[1]["first_serial"].as_u64(), "{summer}");
    let winter = server.stats("winter").await;
    assert_eq!(winter["epochs"], serde_json::json!([]));
    assert_eq!((&winter["epoch"], &winter["last_serial"]), (&1.into(), &1.into()));
    assert_eq!(server.issue("winter", "bob").await.status, StatusCode::OK);
}

#[tokio::test]
async fn tickets_that_only_the_stream_or_only_the_holders_have_become_rows_and_stay_i1_i2_i3_i10() {
    let place = Place::around(PlainRedis::start(&EVERYSEC).await).await;
    let no_persister = [("FIRSTCOME_PERSISTER", "off")];
    let keys = Keys::new("fc");
    let of = |coupon| keys.of_coupon(&CouponId::parse(coupon).unwrap());
    let ([hash, holders, ..], [other_hash, _, records, unpersisted]) = (of("summer"), of("a"));
    let mut server = place.server(&no_persister).await;
    let mut told = [Told::new(), Told::new()];
    for (coupon, told) in ["summer", "a"].into_iter().zip(&mut told) {
        server.prepare(coupon, 30).await;
        issue_to(&server, coupon, 0..10, told).await;
    }
    // The next server remembers nothing.
    server.kill();
    let server = place.server(&no_persister).await;
    for lost in [[hash, holders].join(" "), [other_hash, records, unpersisted].join(" ")] {
        let () = place.redis.ask(&format!("DEL {lost}")).await;
    }
    for (coupon, mut told) in ["summer", "a"].into_iter().zip(told) {
        recovered(&server, coupon).await;
        assert_eq!(server.stats(coupon).await["rows"], 10);
        issue_to(&server, coupon, 0..30, &mut told).await;
        assert_eq!(server.issue(coupon, "late").await.code(), "sold_out");
    }
}
