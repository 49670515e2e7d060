//! A reply of Redis that says that nothing ran is a refusal, never an unknown outcome.

use firstcome::redis::{Error, Redis};

use crate::support::eventually::eventually_holds;
use crate::support::plain_redis::PlainRedis;
use crate::support::redis::handle;
use crate::support::stage::Stage;

/// What an issue by this handle ends with.
async fn refused(stage: &Stage, redis: &Redis) -> Error {
    stage.ask_over(redis, &[("bob", 1)]).await.unwrap_err()
}

#[tokio::test]
async fn what_a_user_of_redis_may_not_run_is_refused_and_changes_nothing_i4() {
    for right in ["evalsha", "info", "hget", "hmget", "get", "time", "xadd"] {
        let stage = Stage::with(10).await;
        stage.issue("ada").await;
        let before = stage.world().await;
        stage.allow(&format!("-{right}")).await;
        let error = stage.ask(&[("bob", 1)]).await.unwrap_err();
        assert!(error.is_definite() && !error.doubts_connection(), "-{right}: {error}");
        stage.allow(&format!("+{right}")).await;
        assert!(stage.world().await == before, "-{right}");
    }
}

#[tokio::test]
async fn what_may_not_be_run_after_the_first_write_is_not_called_refused_i4() {
    let stage = Stage::with(10).await;
    stage.allow("-hset").await;
    let error = stage.ask(&[("bob", 1)]).await.unwrap_err();
    assert!(!error.is_definite(), "the record is in the stream: {error}");
}

#[tokio::test]
async fn a_key_of_another_type_is_refused_i4() {
    for position in 0..4 {
        let stage = Stage::with(10).await;
        stage.issue("ada").await;
        stage.spoil(&stage.keys()[position]).await;
        let error = stage.ask(&[("bob", 1)]).await.unwrap_err();
        assert!(error.is_definite() && !error.doubts_connection(), "key {position}: {error}");
    }
}

#[tokio::test]
async fn a_node_of_a_cluster_that_lacks_the_slot_refuses_and_is_the_wrong_server_i4() {
    let stage = Stage::with(10).await;
    let node = PlainRedis::start(&["--cluster-enabled", "yes"]).await;
    let down = refused(&stage, &handle(&node.url)).await;
    assert!(down.is_definite() && down.doubts_connection(), "{down}");
    let other = PlainRedis::start(&["--cluster-enabled", "yes"]).await;
    let () = node.ask("CLUSTER ADDSLOTSRANGE 0 8000").await;
    let () = other.ask("CLUSTER ADDSLOTSRANGE 8001 16383").await;
    let () = node.ask(&format!("CLUSTER MEET 127.0.0.1 {}", other.port)).await;
    for node in [&node, &other] {
        eventually_holds("the cluster", async || {
            node.ask::<String>("CLUSTER INFO").await.contains("cluster_state:ok")
        })
        .await;
    }
    let mut moved = Vec::new();
    for node in [&node, &other] {
        moved.extend(stage.ask_over(&handle(&node.url), &[("bob", 1)]).await.err());
    }
    let [moved] = moved.as_slice() else { panic!("one of them has the slot: {moved:?}") };
    assert!(moved.is_definite() && moved.doubts_connection(), "{moved}");
}

#[tokio::test]
async fn a_server_that_does_not_know_us_any_more_refuses_and_a_new_connection_is_made_i4() {
    let stage = Stage::with(10).await;
    let node = PlainRedis::start(&[]).await;
    let () = node.ask("ACL SETUSER default on >secret").await;
    let redis = handle(&node.url);
    let error = refused(&stage, &redis).await;
    assert!(error.is_definite() && error.doubts_connection(), "{error}");
}

#[tokio::test]
async fn a_server_without_scripts_refuses_i4() {
    let stage = Stage::with(10).await;
    let node = PlainRedis::start(&["--rename-command", "EVALSHA", ""]).await;
    let error = refused(&stage, &handle(&node.url)).await;
    assert!(error.is_definite() && !error.doubts_connection(), "{error}");
    assert!(error.to_string().contains("unknown command"), "{error}");
}
