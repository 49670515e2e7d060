//! Rows whose records cannot be acknowledged (I3 I9).

use firstcome::domain::coupon::Shard;
use firstcome::redis::keys::Keys;
use redis::cmd;

use super::bad_records::forged_into;
use super::{Ground, summer, until_empty};
use crate::support::eventually::eventually_holds;
use crate::support::site::Dialect;

const ASIDE: &str = "aside";

#[tokio::test]
async fn a_shard_that_cannot_acknowledge_holds_up_no_other_i3_i9() {
    let ground = Ground::start(Dialect::Sqlite).await;
    let (redis, keys) = (&ground.site.redis, Keys::new("fc"));
    ground.issue(0..10).await;
    let unpersisted = keys.unpersisted(summer().shard());
    redis.ask::<()>(cmd("RENAME").arg(&unpersisted).arg(ASIDE)).await;
    redis.ask::<()>(cmd("RPUSH").arg(&unpersisted).arg("no such type")).await;

    let mut persister = ground.persister("one");
    persister.step().await;
    assert_eq!(ground.counts().await.rows, 10, "they are rows, and pending");
    let other = Shard::all().find(|shard| *shard != summer().shard()).unwrap();
    let stream = keys.records(other);
    let _: String = redis.ask(&forged_into(&stream, "1", "11", "eve")).await;
    eventually_holds("the other shard is written", async || {
        persister.step().await;
        redis.ask::<u64>(cmd("XLEN").arg(&stream)).await == 0
    })
    .await;

    redis.ask::<()>(cmd("RENAME").arg(ASIDE).arg(&unpersisted)).await;
    assert_eq!(until_empty(&ground, &mut persister).await, 10);
    ground.assert_rows(11).await;
}
