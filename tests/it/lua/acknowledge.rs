//! `lua/acknowledge.lua`.

use std::time::Duration;

use firstcome::lua::acknowledge::{Args, RECORDS_MAX, Reply, acknowledge};
use firstcome::lua::issue::Reply as IssueReply;
use firstcome::redis::Result;
use firstcome::redis::stream::Reader;
use redis::cmd;

use super::take_over::taken_by;
use crate::support::stage::Stage;
use firstcome::lua::take_over::Reply as TakeOver;

/// A coupon with three records of 1, 2 and 3 tickets, and what a persister read of them.
async fn with_records() -> (Stage, Vec<(String, usize)>) {
    let stage = Stage::with(100).await;
    stage.answered(&[("a", 1)]).await;
    stage.answered(&[("b", 1), ("c", 1)]).await;
    stage.answered(&[("d", 1), ("e", 1), ("f", 1)]).await;
    let read = read_as(&stage, "one", 3).await;
    assert_eq!(read.iter().map(|(_, tickets)| *tickets).collect::<Vec<_>>(), [1, 2, 3]);
    (stage, read)
}

async fn read_as(stage: &Stage, consumer: &str, count: usize) -> Vec<(String, usize)> {
    let mut reader = Reader::new(stage.redis().clone(), consumer, Duration::from_millis(1));
    let entries = reader
        .read(&stage.accepted, &[(stage.coupon_id.shard(), ">")], count, false)
        .await
        .unwrap();
    entries.into_iter().map(|entry| (entry.id, entry.record.unwrap().holders.len())).collect()
}

async fn drop_records(stage: &Stage, records: &[(String, usize)]) -> Result<Reply> {
    let shard = stage.coupon_id.shard();
    acknowledge(stage.redis(), &Args { accepted: &stage.accepted, shard, records }).await
}

/// (records, pending ones, tickets in them).
async fn rest(stage: &Stage) -> (u64, u64, u64) {
    let balance = stage.balance().await;
    (balance.shard_records, balance.shard_pending, balance.shard_unpersisted)
}

#[tokio::test]
async fn exactly_the_records_of_the_batch_are_dropped_and_counted_i3() {
    let (stage, read) = with_records().await;
    assert_eq!(rest(&stage).await, (3, 3, 6));
    let batch = [read[0].clone(), read[2].clone()];
    assert_eq!(drop_records(&stage, &batch).await.unwrap(), Reply::Acknowledged(4));
    assert_eq!(rest(&stage).await, (1, 1, 2));
    stage.flush_scripts().await;
    assert_eq!(drop_records(&stage, &read[1..2]).await.unwrap(), Reply::Acknowledged(2));
    assert_eq!(rest(&stage).await, (0, 0, 0));
}

#[tokio::test]
async fn a_record_is_not_counted_twice_whoever_acknowledges_it_i9() {
    let (stage, read) = with_records().await;
    let twice = [read[1].clone(), read[1].clone()];
    assert_eq!(drop_records(&stage, &twice).await.unwrap(), Reply::Acknowledged(2));
    let before = stage.world().await;
    assert_eq!(drop_records(&stage, &read[1..2]).await.unwrap(), Reply::Acknowledged(0));
    assert!(stage.world().await == before, "a repeated acknowledgement changed something");

    // Another persister has taken the last one over; who comes late counts only the rest.
    assert_eq!(taken_by(&stage, "two", Duration::ZERO).await, TakeOver::Taken(2));
    assert_eq!(drop_records(&stage, &read[2..]).await.unwrap(), Reply::Acknowledged(3));
    assert_eq!(drop_records(&stage, &read).await.unwrap(), Reply::Acknowledged(1));
    assert_eq!(rest(&stage).await, (0, 0, 0));
}

#[tokio::test]
async fn records_that_nobody_read_or_that_are_not_there_stay_as_they_are_i3() {
    let stage = Stage::with(100).await;
    stage.answered(&[("a", 1), ("b", 1)]).await;
    let [_, _, records, _] = stage.keys();
    let all: redis::streams::StreamRangeReply =
        stage.private.ask(cmd("XRANGE").arg(&records).arg("-").arg("+")).await;
    let before = stage.world().await;
    let unread = [(all.ids[0].id.clone(), 2), ("1-1".to_owned(), 7), ("0-0".to_owned(), 7)];
    assert_eq!(drop_records(&stage, &unread).await.unwrap(), Reply::Acknowledged(0));
    assert_eq!(drop_records(&stage, &[]).await.unwrap(), Reply::Acknowledged(0));
    assert!(stage.world().await == before);
    assert_eq!(read_as(&stage, "one", 10).await, [(all.ids[0].id.clone(), 2)]);
}

#[tokio::test]
async fn another_generation_keeps_every_record_i3_i4() {
    let (mut stage, read) = with_records().await;
    let before = stage.world().await;
    let own = stage.accepted.replid.clone();
    for replid in ["0".repeat(40), String::new(), own[..39].to_owned()] {
        stage.accepted.replid = replid;
        assert_eq!(drop_records(&stage, &read).await.unwrap(), Reply::OtherGeneration);
    }
    assert!(stage.world().await == before);
}

#[tokio::test]
async fn a_full_memory_does_not_keep_the_backlog_from_shrinking() {
    let (stage, read) = with_records().await;
    stage.fill_memory().await;
    assert_eq!(drop_records(&stage, &read).await.unwrap(), Reply::Acknowledged(6));
    assert_eq!(rest(&stage).await, (0, 0, 0));
}

#[tokio::test]
async fn the_count_never_falls_below_zero() {
    let (stage, read) = with_records().await;
    let [.., unpersisted] = stage.keys();
    stage.private.ask::<()>(cmd("SET").arg(&unpersisted).arg(1)).await;
    assert_eq!(drop_records(&stage, &read[..2]).await.unwrap(), Reply::Acknowledged(3));
    assert_eq!(rest(&stage).await, (1, 1, 0));
}

#[tokio::test]
async fn a_count_that_was_lost_stays_lost_so_that_its_coupons_stay_recovering() {
    for lost in ["deleted", "no number"] {
        let (stage, read) = with_records().await;
        let [.., unpersisted] = stage.keys();
        match lost {
            "deleted" => stage.delete(&unpersisted).await,
            _ => stage.private.ask(cmd("SET").arg(&unpersisted).arg("many")).await,
        }
        assert_eq!(drop_records(&stage, &read).await.unwrap(), Reply::Acknowledged(6));
        assert_eq!(rest(&stage).await, (0, 0, 0));
        assert_eq!(stage.ask(&[("a", 1)]).await.unwrap(), IssueReply::Recovering, "{lost}");
    }
}

#[tokio::test]
async fn one_call_takes_as_many_records_as_it_may_carry() {
    let stage = Stage::with(1_000).await;
    for n in 0..RECORDS_MAX {
        stage.issue(&format!("u{n}")).await;
    }
    let read = read_as(&stage, "one", RECORDS_MAX).await;
    assert_eq!(drop_records(&stage, &read).await.unwrap(), Reply::Acknowledged(512));
    assert_eq!(rest(&stage).await, (0, 0, 0));
}

#[tokio::test]
async fn a_key_of_another_type_is_an_error_before_the_first_write_i4() {
    for position in [2, 3] {
        let (stage, read) = with_records().await;
        stage.spoil(&stage.keys()[position]).await;
        let before = stage.world().await;
        drop_records(&stage, &read).await.unwrap_err();
        assert!(stage.world().await == before, "key {position}");
    }
}
