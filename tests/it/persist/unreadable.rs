//! Shards that cannot be read for a moment: what was in hand is written once they can (I3).

use std::sync::Arc;

use firstcome::persist::{Persister, Step};
use firstcome::redis::generation::Life;
use firstcome::telemetry::health::Health;
use redis::cmd;

use super::{Ground, until_empty};
use crate::support::eventually::eventually_holds;
use crate::support::postgres;
use crate::support::site::Dialect;

/// As while a replica starts anew: Redis is well but for writes.
async fn let_write(ground: &Ground, is_let: bool) {
    let replicas = u8::from(!is_let);
    let mut set = cmd("CONFIG");
    set.arg("SET").arg("min-replicas-to-write").arg(replicas);
    ground.site.redis.ask::<()>(&set).await;
}

/// Redis refuses writes until the persister has given up all that it could do.
async fn while_nothing_can_be_read(ground: &Ground, persister: &mut Persister, health: &Health) {
    let_write(ground, false).await;
    let is_told = || health.told().warnings.iter().any(|told| told.contains("cannot be read"));
    eventually_holds("the shards are told", async || {
        persister.step().await;
        is_told()
    })
    .await;
    for _ in 0..3 {
        persister.step().await;
    }
    let_write(ground, true).await;
}

#[tokio::test]
async fn what_was_in_hand_when_no_shard_could_be_read_becomes_rows_once_they_can_i3() {
    let ground = Ground::start(Dialect::Postgres).await;
    ground.issue(0..10).await;
    let health = Health::default();
    let mut persister = ground.persister("one").reporting_to(health.clone());
    postgres::close_to_all(&ground.site.database_url).await;
    assert_eq!(persister.step().await, Step::Waited);
    assert_eq!(ground.depth().await.pending, 1);
    postgres::open_to_all(&ground.site.database_url).await;
    while_nothing_can_be_read(&ground, &mut persister, &health).await;
    until_empty(&ground, &mut persister).await;
    ground.assert_rows(10).await;
}

#[tokio::test]
async fn rows_that_could_not_be_acknowledged_leave_the_backlog_once_they_can_i3() {
    let ground = Ground::start(Dialect::Sqlite).await;
    ground.issue(0..10).await;
    let health = Health::default();
    let mut persister = ground.persister("one").reporting_to(health.clone());
    let deny = |rule| cmd("ACL").arg("SETUSER").arg("default").arg(rule).take();
    ground.site.redis.ask::<()>(&deny("-xack")).await;
    persister.step().await;
    assert_eq!((ground.counts().await.rows, ground.depth().await.unpersisted), (10, 10));
    ground.site.redis.ask::<()>(&deny("+xack")).await;
    while_nothing_can_be_read(&ground, &mut persister, &health).await;
    until_empty(&ground, &mut persister).await;
    ground.assert_rows(10).await;
}

#[tokio::test]
async fn what_another_life_of_redis_interrupted_is_written_in_it_i3() {
    let ground = Ground::start(Dialect::Postgres).await;
    ground.issue(0..10).await;
    let mut persister = ground.persister("one");
    postgres::close_to_all(&ground.site.database_url).await;
    persister.step().await;
    postgres::open_to_all(&ground.site.database_url).await;
    // The prover has not seen the new life yet: nothing may be written.
    let generation = ground.site.redis.redis.generation();
    let mut other = ground.site.redis.accepted().await;
    other.replid = "0".repeat(40);
    generation.publish(Life::Proven(Arc::new(other)));
    for _ in 0..5 {
        persister.step().await;
    }
    ground.site.redis.accept().await;
    until_empty(&ground, &mut persister).await;
    ground.assert_rows(10).await;
}
