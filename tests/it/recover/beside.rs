//! Two Redis at one database: a wrong URL, or a new Redis while the old one is still in use.

use std::time::{Duration, Instant};

use super::{Place, Told, assert_gives_the_rest, assert_persisted, issue_to, recovered};
use crate::support::eventually::eventually_holds;
use crate::support::plain_redis::PlainRedis;
use crate::support::server::Server;

/// Longer than a recovery takes to begin.
const LONG: Duration = Duration::from_secs(8);

#[tokio::test]
async fn an_empty_redis_takes_over_nothing_while_another_server_uses_the_old_one_i1_i5() {
    let place = Place::around(PlainRedis::factory().await).await;
    let mut server = place.server(&[]).await;
    server.prepare("summer", 50).await;
    let mut told = Told::new();
    issue_to(&server, "summer", 0..20, &mut told).await;
    assert_persisted(&server, "summer", 20).await;

    let (mut empty, dir) = (PlainRedis::factory().await, tempfile::tempdir().unwrap());
    let url = empty.url.clone();
    let variables = [
        ("REDIS_URL", &*url),
        ("DATABASE_URL", &*place.database_url),
        ("FIRSTCOME_RECOVERY", "auto"),
    ];
    let other = Server::start(dir.path(), &variables).await;
    // Its start is newer than the last count of the other one.
    empty.restart().await;
    let since = Instant::now();
    eventually_holds("the end of a while", async || {
        issue_to(&server, "summer", 0..20, &mut told).await;
        assert_eq!(other.issue("summer", "late").await.code(), "recovering");
        since.elapsed() > LONG
    })
    .await;

    // Nobody uses the old one any more.
    server.terminate();
    server.ended().await;
    empty.restart().await;
    recovered(&other, "summer").await;
    assert_gives_the_rest(&other, "summer", 50, &mut told).await;
}
