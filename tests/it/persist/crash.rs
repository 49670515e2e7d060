//! A persister that dies at any moment: its records come again, and coming again changes nothing.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use firstcome::persist::{Bounds, Persister, Step};
use firstcome::redis::depth::Depth;
use firstcome::redis::stream::Reader;

use super::{BOUNDS, Ground, run, stream, summer, until_empty};
use crate::support::eventually::eventually_holds;
use crate::support::site::Dialect;

/// Reads everything that is new, as a persister with this name, and dies.
async fn read_and_die(ground: &Ground, consumer: &str) -> Vec<firstcome::domain::record::Record> {
    let mut reader = Reader::new(ground.site.redis.redis.clone(), consumer, BOUNDS.read_block);
    let accepted = ground.site.redis.accepted().await;
    let entries = reader.read(&accepted, &[(summer().shard(), ">")], 512, true).await.unwrap();
    entries.into_iter().map(|entry| entry.record.unwrap()).collect()
}

/// The names of the group's consumers.
async fn consumers(ground: &Ground) -> Vec<String> {
    let ask = redis::cmd("XINFO").arg("CONSUMERS").arg(stream()).arg("persisters").to_owned();
    let told: Vec<HashMap<String, String>> = ground.site.redis.ask(&ask).await;
    told.into_iter().filter_map(|mut consumer| consumer.remove("name")).collect()
}

#[tokio::test]
async fn what_a_dead_persister_had_read_is_taken_over_i3() {
    let ground = Ground::start(Dialect::Sqlite).await;
    for call in 0..10 {
        ground.issue(call * 10..(call + 1) * 10).await;
    }
    assert_eq!(read_and_die(&ground, "dead").await.len(), 10);
    assert_eq!(ground.depth().await.pending, 10);
    assert_eq!(until_empty(&ground, &mut ground.persister("heir")).await, 100);
    ground.assert_rows(100).await;
}

#[tokio::test]
async fn a_dead_persister_is_taken_out_of_the_group_when_it_was_silent_for_long_i3() {
    let ground = Ground::start(Dialect::Sqlite).await;
    ground.issue(0..10).await;
    read_and_die(&ground, "dead").await;
    // It holds a record as long as nobody takes it over.
    let careful = Bounds { take_over_idle: Duration::from_secs(3_600), ..BOUNDS };
    let patient = Bounds { gone_after: Duration::from_secs(3_600), ..BOUNDS };
    let mut heir = ground.persister_with("heir", careful);
    let stepped = async |heir: &mut Persister| {
        let until = Instant::now() + 2 * BOUNDS.gone_after;
        while Instant::now() < until {
            heir.step().await;
        }
        consumers(&ground).await
    };
    assert_eq!(stepped(&mut heir).await, ["dead", "heir"], "what it holds would be lost");
    let mut heir = ground.persister_with("heir", patient);
    assert_eq!(until_empty(&ground, &mut heir).await, 10);
    assert_eq!(stepped(&mut heir).await, ["dead", "heir"], "it may only be slow");
    let mut heir = ground.persister("heir");
    eventually_holds("the dead one is gone", async || {
        heir.step().await;
        consumers(&ground).await == ["heir"]
    })
    .await;
    ground.issue(10..20).await;
    assert_eq!(until_empty(&ground, &mut heir).await, 10);
    ground.assert_rows(20).await;
}

#[tokio::test]
async fn what_a_living_persister_has_in_hand_is_left_to_it_i9() {
    let ground = Ground::start(Dialect::Sqlite).await;
    ground.issue(0..10).await;
    read_and_die(&ground, "slow").await;
    let patient = Bounds { take_over_idle: Duration::from_secs(60), ..BOUNDS };
    let mut other = ground.persister_with("other", patient);
    for _ in 0..3 {
        assert_eq!(other.step().await, Step::Idle);
    }
    assert_eq!(ground.depth().await.pending, 1);
    assert_eq!(until_empty(&ground, &mut ground.persister("slow")).await, 10);
    ground.assert_rows(10).await;
}

#[tokio::test]
async fn a_crash_between_commit_and_acknowledgement_writes_nothing_twice_i9() {
    for dialect in [Dialect::Sqlite, Dialect::Postgres] {
        let ground = Ground::start(dialect).await;
        ground.issue(0..100).await;
        ground.issue(100..150).await;
        let records = read_and_die(&ground, "dead").await;
        let persisted = ground.store.persist(&records).await.unwrap();
        assert_eq!(persisted.inserted, 150);
        assert_eq!(ground.depth().await.unpersisted, 150, "not acknowledged");
        ground.issue(150..160).await;
        assert_eq!(until_empty(&ground, &mut ground.persister("heir")).await, 160);
        ground.assert_rows(160).await;
    }
}

#[tokio::test]
async fn a_group_that_was_destroyed_is_made_again_and_skips_nothing_i3_i9() {
    let ground = Ground::start(Dialect::Sqlite).await;
    let destroy = redis::cmd("XGROUP").arg("DESTROY").arg(stream()).arg("persisters").to_owned();
    let mut persister = ground.persister("one");
    ground.issue(0..10).await;
    assert_eq!(persister.step().await, Step::Persisted(10));
    // Never read, pending in dead hands, and blocked on.
    ground.issue(10..20).await;
    read_and_die(&ground, "dead").await;
    ground.issue(20..30).await;
    assert_eq!(ground.site.redis.ask::<i64>(&destroy).await, 1);
    assert_eq!(until_empty(&ground, &mut persister).await, 20);
    let blocked = async {
        let is_waiting = async || ground.site.redis.info("blocked_clients").await == "1";
        eventually_holds("the blocking read", is_waiting).await;
        assert_eq!(ground.site.redis.ask::<i64>(&destroy).await, 1);
        ground.issue(30..40).await;
    };
    let patient = Bounds { read_block: Duration::from_secs(20), ..BOUNDS };
    let mut persister = ground.persister_with("two", patient);
    let (_, ()) = tokio::join!(persister.step(), blocked);
    until_empty(&ground, &mut ground.persister("one")).await;
    ground.assert_rows(40).await;
}

#[tokio::test]
async fn a_persister_that_is_told_to_stop_drains_and_retires_i3() {
    let ground = Ground::start(Dialect::Postgres).await;
    for call in 0..20 {
        ground.issue(call * 50..(call + 1) * 50).await;
    }
    let stopped = CancellationToken::new();
    stopped.cancel();
    run(ground.persister("late"), stopped).await;
    ground.assert_rows(1_000).await;
    assert_eq!(consumers(&ground).await, [""; 0]);

    let shutdown = CancellationToken::new();
    let stop = async {
        for call in 20..40 {
            ground.issue(call * 50..(call + 1) * 50).await;
        }
        let begun = async || ground.counts().await.rows > 1_000;
        eventually_holds("a batch", begun).await;
        ground.issue(2_000..2_010).await;
        shutdown.cancel();
    };
    tokio::join!(run(ground.persister("early"), shutdown.clone()), stop);
    ground.assert_rows(2_010).await;
    assert_eq!(consumers(&ground).await, [""; 0]);
}

#[tokio::test]
async fn a_stop_at_any_moment_of_a_step_drains_everything_i3() {
    let ground = Ground::start(Dialect::Sqlite).await;
    for round in 0..40 {
        // A first step looks at every shard, and that is where most of them are cut off.
        let bounds = Bounds { take_over_every: Duration::from_secs(60), ..BOUNDS };
        let mut persister = ground.persister_with("one", bounds);
        ground.issue(round..round + 1).await;
        let moment = Duration::from_micros(250 * round as u64);
        // Whether the step ends or is cut off: the drain has to find the record.
        let _ = tokio::time::timeout(moment, persister.step()).await;
        persister.drain().await;
        assert_eq!(ground.depth().await, Depth::default(), "cut off after {moment:?}");
    }
    ground.assert_rows(40).await;
}
