//! `lua/issue.lua`: its words. Tests of tickets, users, races and damage are in `issued/`.

use firstcome::lua::issue::{Answer, Reply};
use firstcome::lua::restock::{Args as RestockArgs, restock};
use firstcome::lua::r#return::{Args as ReturnArgs, return_tickets};
use firstcome::lua::state::{StateChange, change_state};
use firstcome::lua::window::{Args as WindowArgs, window};
use firstcome::redis::Error;

use crate::lua::acts::embargo;
use crate::support::stage::{LONG_MS, Stage};

/// Asserts that these users get these answers, and that nothing changes.
async fn assert_refused(stage: &Stage, group: &[(&str, u8)], answers: &[Answer]) {
    let before = stage.world().await;
    assert_eq!(stage.answered(group).await.answers, answers);
    assert!(stage.world().await == before, "{answers:?} changed something");
}

/// Asserts that `ada` gets her ticket again, and that nothing changes.
async fn assert_replayed(stage: &Stage, first: Answer, when: &str) {
    let Answer::Issued(held) = first else { panic!("{first:?}") };
    let before = stage.world().await;
    assert_eq!(stage.issue("ada").await, Answer::Replayed(held), "{when}");
    assert!(stage.world().await == before, "a replay when {when} changed something");
}

#[tokio::test]
async fn the_first_is_issued_a_ticket_and_the_rest_of_what_a_reply_tells() {
    let stage = Stage::with(10).await;
    let answered = stage.answered(&[("ada", 1), ("bob", 1)]).await;
    let balance = stage.balance().await;
    let [Answer::Issued(ada), Answer::Issued(bob)] = answered.answers[..] else {
        panic!("{answered:?}")
    };
    assert_eq!((ada.serial.0, bob.serial.0), (1, 2));
    assert_eq!((ada.issued_at, ada.epoch, ada.is_cancelled), (answered.now, 1, false));
    assert_eq!((answered.epoch, answered.version, answered.lease_ms), (1, 1, 100));
    assert_eq!(answered.stock_version, 1);
    assert_eq!((answered.key_id.as_str(), answered.total), ("k1", 10));
    assert_eq!((answered.valid_for, answered.opens_at), (None, None));
    assert!(answered.now <= balance.now);
    assert_eq!((balance.issued, balance.last_serial, balance.holders), (2, 2, 2));
    assert_eq!((balance.available, balance.version, balance.shard_unpersisted), (8, 1, 2));
}

#[tokio::test]
async fn a_holder_is_told_the_same_ticket_whatever_happened_since_i2_i10() {
    let mut stage = Stage::with(2).await;
    let first = stage.issue("ada").await;
    assert_replayed(&stage, first, "open").await;
    stage.issue("bob").await;
    assert_replayed(&stage, first, "sold out").await;
    stage.backlog_max_tickets = 0;
    assert_replayed(&stage, first, "the backlog is full").await;
    change_state(stage.redis(), stage.act(2), StateChange::Pause).await.unwrap();
    assert_replayed(&stage, first, "paused").await;
    let later = Some(stage.balance().await.now.0 + LONG_MS);
    let act = stage.act(3);
    let args = WindowArgs { act, opens_at_ms: later, closes_at_ms: None, per_user_limit: 1 };
    window(stage.redis(), &args).await.unwrap();
    assert_replayed(&stage, first, "not open yet").await;
    change_state(stage.redis(), stage.act(4), StateChange::Close).await.unwrap();
    assert_replayed(&stage, first, "closed").await;
}

#[tokio::test]
async fn nobody_is_issued_a_ticket_when_sold_out_paused_closed_or_outside_of_the_window_i4() {
    let stage = Stage::with(1).await;
    stage.issue("ada").await;
    assert_refused(&stage, &[("bob", 1), ("bob", 1)], &[Answer::SoldOut; 2]).await;

    let now = stage.balance().await.now.0;
    stage.set_field("remaining", 1).await;
    stage.set_field("opens_at_ms", now + LONG_MS).await;
    assert_refused(&stage, &[("bob", 1)], &[Answer::NotOpen]).await;
    stage.set_field("state", "paused").await;
    assert_refused(&stage, &[("bob", 1)], &[Answer::NotOpen]).await;
    stage.set_field("opens_at_ms", now).await;
    assert_refused(&stage, &[("bob", 1)], &[Answer::Paused]).await;
    stage.set_field("closes_at_ms", now).await;
    assert_refused(&stage, &[("bob", 1)], &[Answer::Closed]).await;
    stage.set_field("closes_at_ms", "").await;
    stage.set_field("state", "closed").await;
    assert_refused(&stage, &[("bob", 1)], &[Answer::Closed]).await;
    // The window and the state come before the limit, and the limit before the stock.
    assert_refused(&stage, &[("bob", 2)], &[Answer::Closed]).await;
    stage.set_field("state", "open").await;
    stage.set_field("remaining", 0).await;
    assert_refused(&stage, &[("bob", 2)], &[Answer::Limit]).await;
}

#[tokio::test]
async fn a_user_gets_one_ticket_a_claim_up_to_the_limit_i2_i4() {
    let stage = Stage::with_definition(|definition| definition.per_user_limit = 3).await;
    let group = [("ada", 3), ("ada", 1), ("ada", 4), ("ada", 2), ("ada", 100)];
    let answers = stage.answered(&group).await.answers;
    let serials = answers.iter().map(|answer| match answer {
        Answer::Issued(held) => Some(held.serial.0),
        Answer::Limit => None,
        other => panic!("{other:?}"),
    });
    assert_eq!(serials.collect::<Vec<_>>(), [Some(1), Some(2), None, Some(3), None]);
    assert_refused(&stage, &[("ada", 4), ("bob", 4)], &[Answer::Limit; 2]).await;
}

#[tokio::test]
async fn a_cancelled_claim_answers_cancelled_and_stays_spent_i2_i4() {
    let stage = Stage::with(1).await;
    let Answer::Issued(mut held) = stage.issue("ada").await else { panic!("no ticket") };
    let returns = [firstcome::domain::act::Return { serial: 1, holder: "ada".to_owned() }];
    let args = ReturnArgs { act: stage.act(2), returns: &returns };
    return_tickets(stage.redis(), &args).await.unwrap();
    held.is_cancelled = true;
    let cancelled = Answer::Cancelled(held);
    assert_refused(&stage, &[("ada", 1)], &[cancelled]).await;
    embargo::end(&stage).await;
    assert_refused(&stage, &[("ada", 1)], &[cancelled]).await;
    assert!(matches!(stage.issue("bob").await, Answer::Issued(held) if held.serial.0 == 2));
    assert_refused(&stage, &[("ada", 1)], &[cancelled]).await;
}

#[tokio::test]
async fn a_clock_that_stepped_back_keeps_stock_from_nobody_i8() {
    let stage = Stage::with(1).await;
    stage.issue("ada").await;
    restock(stage.redis(), &RestockArgs { act: stage.act(2), delta: 2 }).await.unwrap();
    embargo::step_clock_back(&stage).await;
    let answered = stage.answered(&[("bob", 1), ("eve", 1), ("max", 1)]).await;
    let [Answer::Issued(bob), Answer::Issued(eve), Answer::SoldOut] = answered.answers[..] else {
        panic!("{answered:?}")
    };
    assert_eq!((bob.serial.0, eve.serial.0, answered.lease_ms), (2, 3, 100));
    assert_eq!(stage.field("embargoed").await, "0");
    // Also what a return gives back.
    let cancelled = firstcome::domain::act::Return { serial: 3, holder: "eve".to_owned() };
    let args = ReturnArgs { act: stage.act(3), returns: &[cancelled] };
    return_tickets(stage.redis(), &args).await.unwrap();
    embargo::step_clock_back(&stage).await;
    assert!(matches!(stage.issue("max").await, Answer::Issued(held) if held.serial.0 == 4));
}

#[tokio::test]
async fn beyond_the_backlog_nothing_is_issued_i3_i4() {
    let mut stage = Stage::with(10).await;
    stage.backlog_max_tickets = 3;
    let answers = stage.answered(&[("a", 1), ("b", 1), ("a", 1), ("c", 1), ("d", 1)]).await.answers;
    assert!(matches!(answers[3], Answer::Issued(held) if held.serial.0 == 3));
    assert_eq!(answers[4], Answer::BacklogFull);
    assert_refused(&stage, &[("e", 1)], &[Answer::BacklogFull]).await;
    stage.backlog_max_tickets = 4;
    assert!(matches!(stage.issue("e").await, Answer::Issued(_)));
}

#[tokio::test]
async fn a_call_is_refused_as_a_whole_by_a_word_alone_and_changes_nothing_i4() {
    let mut stage = Stage::empty().await;
    assert_eq!(stage.ask(&[("ada", 1)]).await.unwrap(), Reply::Unknown);
    assert_eq!(stage.world().await, []);

    stage.preload(&stage.definition()).await.unwrap();
    let before = stage.world().await;
    let own = stage.accepted.clone();
    for replid in ["0".repeat(40), String::new(), own.replid[..39].to_owned()] {
        stage.accepted.replid = replid;
        assert_eq!(stage.ask(&[("ada", 1)]).await.unwrap(), Reply::OtherGeneration);
    }
    stage.accepted = own;
    assert!(stage.world().await == before);
    stage.set_field("epoch", "10").await;
    let before = stage.world().await;
    stage.accepted.epoch = 9;
    assert_eq!(stage.ask(&[("ada", 1)]).await.unwrap(), Reply::StaleEpoch(10));
    assert!(stage.world().await == before);
    // A caller that knows a later epoch serves it.
    stage.accepted.epoch = 11;

    stage.set_field("state", "recovering").await;
    let before = stage.world().await;
    assert_eq!(stage.ask(&[("ada", 1)]).await.unwrap(), Reply::Recovering);
    assert!(stage.world().await == before);
}

#[tokio::test]
async fn after_script_flush_a_call_is_made_once_more_and_issues_once_i2() {
    let stage = Stage::with(10).await;
    for serial in 1..=3 {
        stage.flush_scripts().await;
        let answer = stage.issue(&format!("u{serial}")).await;
        assert!(matches!(answer, Answer::Issued(held) if held.serial.0 == serial));
    }
    assert_eq!(stage.balance().await.issued, 3);
}

#[tokio::test]
async fn a_write_that_redis_denies_leaves_no_half_ticket_i3_i4() {
    let stage = Stage::with(10).await;
    stage.allow("-xadd").await;
    let before = stage.world().await;
    let reply = stage.ask(&[("ada", 1)]).await;
    assert!(reply.is_err(), "{reply:?}");
    assert!(stage.world().await == before);
    stage.allow("+xadd").await;
    assert!(matches!(stage.issue("ada").await, Answer::Issued(held) if held.serial.0 == 1));
}

#[tokio::test]
async fn without_memory_a_call_is_definitely_refused_and_holders_are_answered_i4_i10() {
    let stage = Stage::with(10).await;
    let first = stage.issue("ada").await;
    stage.fill_memory().await;
    let before = stage.world().await;
    let reply = stage.ask(&[("bob", 1), ("ada", 1)]).await;
    assert!(matches!(reply, Err(Error::Refused(_))), "{reply:?}");
    assert!(stage.world().await == before);
    assert_replayed(&stage, first, "memory is full").await;
}
