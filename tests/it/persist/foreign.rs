//! What another life of Redis gives is nobody's here (I9).

use std::sync::Arc;
use std::time::Duration;

use firstcome::persist::{Bounds, Step};
use firstcome::redis::generation::Life;
use redis::cmd;

use super::{BOUNDS, Ground};
use crate::support::site::Dialect;

#[tokio::test]
async fn records_of_a_life_that_is_not_proven_become_no_rows_i9() {
    let ground = Ground::start(Dialect::Sqlite).await;
    let accepted = ground.site.redis.accepted().await;
    let generation = ground.site.redis.redis.generation();
    generation.publish(Life::Proven(Arc::new(accepted)));
    ground.issue(0..1).await;
    // It looks at the shards once: only the read itself can notice what comes after it.
    let bounds = Bounds { take_over_every: Duration::from_secs(3_600), ..BOUNDS };
    let mut persister = ground.persister_with("one", bounds);
    assert_eq!(persister.step().await, Step::Persisted(1));
    for master in [["127.0.0.1", "1"], ["NO", "ONE"]] {
        let follow = cmd("REPLICAOF").arg(&master).to_owned();
        ground.site.redis.ask::<()>(&follow).await;
    }
    // Another life now, in which others issue.
    ground.issue(1..4).await;
    assert_eq!(persister.step().await, Step::Waited);
    generation.doubted().await;
    assert_eq!(ground.counts().await.rows, 1, "written without being told to anybody here");
    ground.site.redis.accept().await;
    super::until_empty(&ground, &mut persister).await;
    ground.assert_rows(4).await;
}
