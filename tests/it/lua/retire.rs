//! `lua/retire.lua`.

use firstcome::domain::coupon::Shard;
use firstcome::lua::retire::{Args, Reply, retire};
use firstcome::redis::keys::GROUP;
use firstcome::redis::stream::Reader;

use crate::support::stage::Stage;

async fn reply(stage: &Stage, shard: Shard) -> Reply {
    let args = Args { accepted: &stage.accepted, shard, consumer: "one" };
    retire(stage.redis(), &args).await.unwrap()
}

#[tokio::test]
async fn a_consumer_goes_only_when_it_holds_nothing_i3() {
    let stage = Stage::with(10).await;
    let shard = stage.coupon_id.shard();
    stage.issue("ada").await;
    let mut reader = Reader::new(stage.redis().clone(), "one", std::time::Duration::from_secs(1));
    let held = reader.read(&stage.accepted, &[(shard, ">")], 16, false).await.unwrap();
    assert_eq!(held.len(), 1);

    let before = stage.world().await;
    assert_eq!(reply(&stage, shard).await, Reply::Busy);
    assert!(stage.world().await == before, "what it holds would be lost");

    let key = stage.redis().keys().records(shard);
    let acked: u32 =
        stage.private.ask(redis::cmd("XACK").arg(&key).arg(GROUP).arg(&held[0].id)).await;
    assert_eq!(acked, 1);
    stage.flush_scripts().await;
    assert_eq!(reply(&stage, shard).await, Reply::Retired);
    let consumers: Vec<redis::Value> =
        stage.private.ask(redis::cmd("XINFO").arg("CONSUMERS").arg(&key).arg(GROUP)).await;
    assert_eq!(consumers.len(), 0);
    assert_eq!(reply(&stage, shard).await, Reply::Retired, "repeating it changes nothing");
}

#[tokio::test]
async fn a_shard_without_a_stream_and_another_generation_change_nothing_i4() {
    let mut stage = Stage::empty().await;
    let shard = stage.coupon_id.shard();
    assert_eq!(reply(&stage, shard).await, Reply::Retired);
    assert_eq!(stage.world().await, []);
    stage.accepted.replid = "0".repeat(40);
    assert_eq!(reply(&stage, shard).await, Reply::OtherGeneration);
}
