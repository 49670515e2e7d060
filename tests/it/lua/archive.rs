//! `lua/archive.lua`.

use firstcome::lua::archive::{Args, Reply, archive};

use crate::support::stage::Stage;

async fn reply(stage: &Stage) -> Reply {
    let (replid, coupon_id) = (&*stage.accepted.replid, &stage.coupon_id);
    archive(stage.redis(), &Args { replid, coupon_id }).await.unwrap()
}

#[tokio::test]
async fn both_keys_of_the_coupon_leave_and_its_records_stay_i3_i10() {
    let stage = Stage::with(10).await;
    stage.issue("ada").await;
    let [coupon, holders, records, unpersisted] = stage.redis().keys().of_coupon(&stage.coupon_id);
    for _ in 0..2 {
        assert_eq!(reply(&stage).await, Reply::Left);
        for (key, is_there) in
            [(&coupon, false), (&holders, false), (&records, true), (&unpersisted, true)]
        {
            let there: bool = stage.private.ask(redis::cmd("EXISTS").arg(key)).await;
            assert_eq!(there, is_there, "{key}");
        }
    }
}

#[tokio::test]
async fn another_generation_changes_nothing_i4() {
    let mut stage = Stage::with(10).await;
    stage.accepted.replid = "0".repeat(40);
    let before = stage.world().await;
    assert_eq!(reply(&stage).await, Reply::OtherGeneration);
    assert!(stage.world().await == before);
}
