//! The recoverer ends in the middle.

use super::{EVERYSEC, Place, Told, assert_gives_the_rest, assert_persisted, issue_to, recovered};
use crate::support::eventually::eventually;
use crate::support::plain_redis::PlainRedis;

#[tokio::test]
async fn another_server_goes_on_with_the_recovery_of_one_that_was_killed_i1_i2_i5_i10() {
    let place = Place::around(PlainRedis::start(&EVERYSEC).await).await;
    let mut servers = [place.server(&[]).await, place.server(&[]).await];
    servers[0].prepare("summer", 50).await;
    let mut told = Told::new();
    issue_to(&servers[0], "summer", 0..20, &mut told).await;
    assert_persisted(&servers[0], "summer", 20).await;
    let () = place.redis.ask("FLUSHALL").await;
    let recoverer = eventually("a server that recovers", async || {
        for (number, server) in servers.iter().enumerate() {
            if server.get("/readyz").await.body.contains("being recovered") {
                return Some(number);
            }
        }
        None
    })
    .await;
    servers[recoverer].kill();
    let other = &servers[1 - recoverer];
    recovered(other, "summer").await;
    assert_gives_the_rest(other, "summer", 50, &mut told).await;
}
