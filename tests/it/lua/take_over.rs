//! `lua/take_over.lua`.

use std::time::Duration;

use firstcome::lua::take_over::{Args, Reply, take_over};
use firstcome::redis::keys::GROUP;
use firstcome::redis::stream::Reader;
use redis::{Value, cmd};

use crate::support::eventually::eventually_holds;
use crate::support::stage::Stage;

const HOUR: Duration = Duration::from_secs(3_600);

fn args<'a>(stage: &'a Stage, consumer: &'a str) -> Args<'a> {
    let shard = stage.coupon_id.shard();
    let accepted = &stage.accepted;
    Args { accepted, shard, consumer, silent: HOUR, gone: HOUR, records_max: 512, is_start: false }
}

/// What this consumer takes from those that were silent for so long.
pub async fn taken_by(stage: &Stage, consumer: &str, silent: Duration) -> Reply {
    take_over(stage.redis(), &Args { silent, ..args(stage, consumer) }).await.unwrap()
}

async fn read_one(stage: &Stage, consumer: &str) {
    let mut reader = Reader::new(stage.redis().clone(), consumer, Duration::from_millis(1));
    let read =
        reader.read(&stage.accepted, &[(stage.coupon_id.shard(), ">")], 1, false).await.unwrap();
    assert_eq!(read.len(), 1);
}

async fn consumers(stage: &Stage) -> usize {
    let [_, _, records, _] = stage.keys();
    let ask = cmd("XINFO").arg("CONSUMERS").arg(records).arg(GROUP).to_owned();
    stage.private.ask::<Vec<Value>>(&ask).await.len()
}

#[tokio::test]
async fn only_what_a_silent_consumer_holds_is_taken_and_being_seen_is_enough_to_keep_it_i9() {
    let stage = Stage::with(10).await;
    stage.issue("ada").await;
    stage.issue("bob").await;
    read_one(&stage, "one").await;
    read_one(&stage, "two").await;
    let silent = Duration::from_millis(300);
    let mut taken = 0;
    eventually_holds("the silent one's record", async || {
        // One is seen without taking anything, and two is silent.
        let seen = Args { silent: Duration::ZERO, records_max: 0, ..args(&stage, "one") };
        assert_eq!(take_over(stage.redis(), &seen).await.unwrap(), Reply::Taken(0));
        let Reply::Taken(records) = taken_by(&stage, "heir", silent).await else { panic!() };
        taken += records;
        taken > 0
    })
    .await;
    assert_eq!(taken, 1);
    stage.flush_scripts().await;
    assert_eq!(taken_by(&stage, "third", silent).await, Reply::Taken(0), "one and heir live");
}

#[tokio::test]
async fn a_consumer_that_is_gone_leaves_the_group_unless_it_holds_a_record_i3() {
    let stage = Stage::with(10).await;
    stage.issue("ada").await;
    read_one(&stage, "holder").await;
    for number in 0..20 {
        taken_by(&stage, &format!("dead {number}"), HOUR).await;
    }
    assert_eq!(consumers(&stage).await, 21);
    let gone = Args { gone: Duration::ZERO, ..args(&stage, "heir") };
    assert_eq!(take_over(stage.redis(), &gone).await.unwrap(), Reply::Taken(0));
    assert_eq!(consumers(&stage).await, 2, "the holder and the heir");
    assert_eq!(stage.balance().await.shard_pending, 1);
}

#[tokio::test]
async fn at_most_so_many_records_are_taken_at_once() {
    let stage = Stage::with(10).await;
    for user in ["ada", "bob", "cyd"] {
        stage.issue(user).await;
        read_one(&stage, user).await;
    }
    let two = Args { silent: Duration::ZERO, records_max: 2, ..args(&stage, "heir") };
    assert_eq!(take_over(stage.redis(), &two).await.unwrap(), Reply::Taken(2));
    assert_eq!(take_over(stage.redis(), &two).await.unwrap(), Reply::Taken(1));
}

#[tokio::test]
async fn a_missing_group_is_made_from_the_beginning_and_a_missing_stream_is_not_made_i3_i4() {
    let mut stage = Stage::empty().await;
    assert_eq!(taken_by(&stage, "one", HOUR).await, Reply::Absent);
    assert_eq!(stage.world().await, []);
    let [_, _, records, _] = stage.keys();
    let mut add = cmd("XADD");
    stage.private.ask::<()>(add.arg(&records).arg("*").arg("v").arg("1")).await;
    let accepted = stage.accepted.clone();
    stage.accepted.replid = "0".repeat(40);
    let before = stage.world().await;
    assert_eq!(taken_by(&stage, "one", HOUR).await, Reply::OtherGeneration);
    assert!(stage.world().await == before, "written in a life that was not proven");
    stage.accepted = accepted;
    assert_eq!(taken_by(&stage, "one", HOUR).await, Reply::Taken(0));
    read_one(&stage, "one").await;
    stage.spoil(&records).await;
    let damaged = take_over(stage.redis(), &args(&stage, "one")).await;
    assert!(damaged.is_err(), "{damaged:?}");
}

#[tokio::test]
async fn only_what_a_dead_consumer_had_read_gets_a_death_and_its_own_at_its_start_i3() {
    let stage = Stage::with(10).await;
    stage.issue("ada").await;
    read_one(&stage, "one").await;
    let [_, _, records, _] = stage.keys();
    let mut ask = cmd("XPENDING");
    ask.arg(records).arg(GROUP).arg("-").arg("+").arg(10);
    let deliveries = async || {
        let held: Vec<(String, Value, Value, u64)> = stage.private.ask(&ask).await;
        held[0].3
    };
    assert_eq!(take_over(stage.redis(), &args(&stage, "one")).await.unwrap(), Reply::Taken(0));
    assert_eq!(deliveries().await, 1, "its own, and no start");
    // It has not read the record since its first start.
    for _ in 0..2 {
        let start = Args { is_start: true, ..args(&stage, "one") };
        assert_eq!(take_over(stage.redis(), &start).await.unwrap(), Reply::Taken(1));
        assert_eq!(deliveries().await, 1_000_000);
    }
    for heir in ["two", "three"] {
        assert_eq!(taken_by(&stage, heir, Duration::ZERO).await, Reply::Taken(1));
        assert_eq!(deliveries().await, 1_000_000, "{heir} has not read it");
    }
}
