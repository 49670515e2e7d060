//! A ticket that the database refused is a dead letter, and its user keeps it (I10).

use super::{Place, Told, assert_persisted, issue_to, recovered};
use crate::support::eventually::eventually_holds;
use crate::support::plain_redis::PlainRedis;
use crate::support::store::refuse;

#[tokio::test]
async fn a_parked_ticket_is_held_and_out_after_a_recovery_i1_i2_i5_i10() {
    let mut place = Place::around(PlainRedis::factory().await).await;
    let server = place.server(&[]).await;
    server.prepare("summer", 50).await;
    refuse(&place.database_url, "tickets", "user_id = 'u19'").await;
    let mut told = Told::new();
    issue_to(&server, "summer", 0..20, &mut told).await;
    assert_persisted(&server, "summer", 19).await;
    let is_parked = async || server.stats("summer").await["dead_letters"] == 1;
    eventually_holds("the dead letter", is_parked).await;
    for _ in 0..2 {
        place.redis.crash(|dir| drop(std::fs::remove_file(dir.join("dump.rdb")))).await;
        recovered(&server, "summer").await;
        issue_to(&server, "summer", 0..20, &mut told).await;
    }
    issue_to(&server, "summer", 0..50, &mut told).await;
    assert_eq!(server.issue("summer", "late").await.code(), "sold_out");
    assert_persisted(&server, "summer", 49).await;
    let stats = server.stats("summer").await;
    assert_eq!((&stats["ok"], &stats["backlog"]), (&true.into(), &0.into()), "{stats}");
    assert_eq!(stats["dead_letters"], 1, "{stats}");
    let audit = server.get("/coupons/summer/audit").await;
    assert_eq!(audit.json()["ok"], true, "{}", audit.body);
}
