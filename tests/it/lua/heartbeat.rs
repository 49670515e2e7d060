//! `lua/heartbeat.lua`.

use firstcome::lua::heartbeat::{Args, Reply, heartbeat};
use firstcome::redis::Error;
use firstcome::redis::facts;

use crate::support::stage::Stage;

async fn beat(stage: &Stage, at_least: u64) -> Result<Reply, Error> {
    heartbeat(stage.redis(), Args { generation: &stage.accepted, at_least }).await
}

#[tokio::test]
async fn every_beat_counts_one_more_also_after_script_flush_i3() {
    let stage = Stage::empty().await;
    for count in 1..=4 {
        stage.flush_scripts().await;
        assert_eq!(beat(&stage, 0).await.unwrap(), Reply::Beat(count));
        assert_eq!(facts::heartbeat(stage.redis()).await.unwrap(), count);
    }
    stage.private.ask::<()>(redis::cmd("SET").arg("fc:heartbeat").arg(1_u64 << 40)).await;
    let reply = beat(&stage, 0).await.unwrap();
    assert_eq!(reply, Reply::Beat((1 << 40) + 1));
}

#[tokio::test]
async fn another_generation_is_not_counted_i4() {
    let mut stage = Stage::empty().await;
    let own = stage.accepted.replid.clone();
    for replid in ["0".repeat(40), String::new(), own[..39].to_owned()] {
        stage.accepted.replid = replid;
        let reply = beat(&stage, 0).await.unwrap();
        assert_eq!(reply, Reply::OtherGeneration);
    }
    assert_eq!(stage.world().await, []);
}

#[tokio::test]
async fn after_a_restart_the_old_life_is_another_and_the_count_goes_on_i3() {
    let mut stage = Stage::empty().await;
    beat(&stage, 0).await.unwrap();
    stage.private.crash_and_restart().await;
    let reply = beat(&stage, 0).await.unwrap();
    assert_eq!(reply, Reply::OtherGeneration);
    stage.accepted = stage.private.accepted().await;
    assert_eq!(beat(&stage, 0).await.unwrap(), Reply::Beat(2));
}

#[tokio::test]
async fn without_memory_or_with_a_key_of_another_type_nothing_is_written_i4() {
    let stage = Stage::empty().await;
    stage.spoil(&stage.redis().keys().heartbeat()).await;
    let before = stage.world().await;
    beat(&stage, 0).await.unwrap_err();
    assert!(stage.world().await == before);

    stage.fill_memory().await;
    stage.delete(&stage.redis().keys().heartbeat()).await;
    let reply = beat(&stage, 0).await;
    assert!(matches!(reply, Err(Error::Refused(_))), "{reply:?}");
    assert_eq!(stage.world().await, []);
}

#[tokio::test]
async fn a_count_below_the_one_that_was_seen_is_told_and_left_as_it_is_i3_i4() {
    let stage = Stage::empty().await;
    for count in 1..=3 {
        assert_eq!(beat(&stage, count - 1).await.unwrap(), Reply::Beat(count));
    }
    let world = stage.world().await;
    assert_eq!(beat(&stage, 4).await.unwrap(), Reply::Behind(3));
    assert_eq!(beat(&stage, u64::from(u32::MAX) * 8).await.unwrap(), Reply::Behind(3));
    assert!(stage.world().await == world);
    let () = stage.private.ask(&redis::cmd("FLUSHALL")).await;
    assert_eq!(beat(&stage, 3).await.unwrap(), Reply::Behind(0));
    assert_eq!(stage.world().await, []);
}

#[tokio::test]
async fn a_redis_gets_its_installation_once_and_counts_for_no_other_i4() {
    let mut stage = Stage::empty().await;
    beat(&stage, 0).await.unwrap();
    let named = facts::installation_id(stage.redis()).await.unwrap();
    assert_eq!(named.as_ref(), Some(&stage.accepted.installation_id));
    let before = stage.world().await;
    stage.accepted.installation_id = "b".repeat(32);
    assert_eq!(beat(&stage, 0).await.unwrap(), Reply::OtherInstallation);
    assert!(stage.world().await == before);
}
