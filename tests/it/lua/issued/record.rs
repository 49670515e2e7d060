//! The record of a call: what a user was told is what the stream carries (I10).

use std::time::Duration;

use firstcome::domain::record::{FIELD, Record, SOURCE_ISSUE};
use firstcome::domain::ticket::{Serial, Ticket};
use firstcome::domain::user::{Claim, UserId};
use firstcome::lua::issue::{Answer, Answered};
use firstcome::redis::holders;
use firstcome::redis::stream::Reader;
use redis::Value;

use crate::support::records::tickets_of;
use crate::support::stage::Stage;

/// The tickets that a call told, in the sequence of their serials.
pub fn told(stage: &Stage, group: &[(&str, u8)], answered: &Answered) -> Vec<Ticket> {
    let tickets = group.iter().zip(&answered.answers).filter_map(|((user, claim), answer)| {
        let Answer::Issued(held) = answer else { return None };
        Some(Ticket {
            coupon_id: stage.coupon_id.clone(),
            epoch: held.epoch,
            serial: held.serial,
            user_id: UserId::parse(user).unwrap(),
            claim: Claim::new(*claim).unwrap(),
            issued_at: held.issued_at,
        })
    });
    tickets.collect()
}

/// The records that nobody has read yet.
pub async fn records(stage: &Stage) -> Vec<Record> {
    let mut reader = Reader::new(stage.redis().clone(), "one", Duration::from_millis(1));
    let entries = reader
        .read(&stage.accepted, &[(stage.coupon_id.shard(), ">")], 1_000, false)
        .await
        .unwrap();
    entries.into_iter().map(|entry| entry.record.unwrap()).collect()
}

#[tokio::test]
async fn one_call_is_one_record_with_all_it_needs() {
    let stage = Stage::with(10).await;
    let answered = stage.answered(&[("ada", 1), ("bob", 1), ("ada", 1)]).await;
    let [_, _, records, _] = stage.keys();
    let entries: Vec<Value> =
        stage.private.ask(redis::cmd("XRANGE").arg(records).arg("-").arg("+")).await;
    let [Value::Array(entry)] = &entries[..] else { panic!("{entries:?}") };
    let fields: Vec<String> = redis::from_redis_value(entry[1].clone()).unwrap();
    let now = answered.now.0.to_string();
    let tickets = format!("1 summer 1 1 {now} {SOURCE_ISSUE}\n\nada\nbob");
    assert_eq!(fields, [FIELD, &tickets]);
}

#[tokio::test]
async fn a_record_decodes_to_the_tickets_that_were_told_i10() {
    let stage = Stage::with_definition(|definition| {
        definition.total = 5;
        definition.per_user_limit = 100;
    })
    .await;
    let first = [("ada", 1), ("bob", 100), ("ada", 1), ("ada", 2)];
    let second = [("ada", 2), ("eve", 1), ("bob", 100), ("kim", 1), ("lee", 1)];
    let mut tickets = Vec::new();
    for group in [&first[..], &second[..]] {
        let answered = stage.answered(group).await;
        tickets.push(told(&stage, group, &answered));
    }
    let decoded: Vec<Vec<Ticket>> =
        records(&stage).await.iter().map(|record| tickets_of(record).collect()).collect();
    assert_eq!(decoded, tickets);
    assert_eq!(decoded.concat().len(), 5);
}

#[tokio::test]
async fn a_call_that_issues_nothing_leaves_no_record_i4() {
    let stage = Stage::with(1).await;
    stage.answered(&[("ada", 1), ("bob", 1)]).await;
    stage.answered(&[("ada", 1), ("bob", 1)]).await;
    let records = records(&stage).await;
    assert_eq!(records.len(), 1);
    assert_eq!(records[0].holders.len(), 1);
}

#[tokio::test]
async fn a_later_epoch_is_told_held_and_recorded_i5_i10() {
    let mut stage = Stage::empty().await;
    stage.accepted.epoch = 37;
    stage.preload(&stage.definition()).await.unwrap();
    // As a recovery leaves it: serials of the epochs before are never given again.
    stage.set_field("last_serial", 5_000).await;
    let answered = stage.answered(&[("ada", 1)]).await;
    let Answer::Issued(held) = answered.answers[0] else { panic!("{answered:?}") };
    assert_eq!((held.epoch, held.serial), (37, Serial(5_001)));
    assert_eq!(stage.issue("ada").await, Answer::Replayed(held));
    let user = UserId::parse("ada").unwrap();
    let in_redis = holders::held_tickets(stage.redis(), &stage.coupon_id, &[(&user, Claim::FIRST)])
        .await
        .unwrap();
    assert_eq!(in_redis, [Some(held)]);
    let record = records(&stage).await.remove(0);
    assert_eq!((record.epoch, record.first_serial), (37, Serial(5_001)));
}
