//! `lua/window.lua`.

use firstcome::domain::limits::EMBARGO_MS;
use firstcome::domain::time::UnixMs;
use firstcome::lua::issue::Answer;
use firstcome::lua::state::{StateChange, change_state};
use firstcome::lua::window::{Args, window};
use firstcome::lua::{ActArgs, ActReply};
use firstcome::redis::Result;

use crate::lua::acts;
use crate::support::eventually::eventually_holds;
use crate::support::stage::{LONG_MS, Stage};

async fn act(stage: &Stage, act: ActArgs<'_>) -> Result<ActReply> {
    let args =
        Args { act, opens_at_ms: Some(1), closes_at_ms: Some(i64::MAX >> 10), per_user_limit: 2 };
    window(stage.redis(), &args).await
}

acts::promises_of_every_act!(act);

#[tokio::test]
async fn without_memory_nothing_is_written_i4() {
    acts::needs_memory(act).await;
}

/// Moves the window as act `act_no`.
async fn move_to(stage: &Stage, act_no: u64, opens: Option<i64>, closes: Option<i64>) {
    let act = stage.act(act_no);
    let args = Args { act, opens_at_ms: opens, closes_at_ms: closes, per_user_limit: 1 };
    window(stage.redis(), &args).await.unwrap();
}

async fn limit_to(stage: &Stage, act_no: u64, per_user_limit: u8) {
    let act = stage.act(act_no);
    let args = Args { act, opens_at_ms: None, closes_at_ms: None, per_user_limit };
    window(stage.redis(), &args).await.unwrap();
}

#[tokio::test]
async fn a_moved_window_is_in_force_at_once_and_holders_are_answered_outside_of_it_i8_i10() {
    let stage = acts::stage().await;
    let now = stage.balance().await.now.0;
    let moves = [
        (Some(now + LONG_MS), None, Answer::NotOpen),
        (Some(now - LONG_MS), Some(now), Answer::Closed),
        // Both over and not yet open: `closed` wins, because it is final.
        (Some(now + LONG_MS), Some(now), Answer::Closed),
    ];
    for (act_no, (opens, closes, answer)) in (2..).zip(moves) {
        move_to(&stage, act_no, opens, closes).await;
        let before = stage.world().await;
        let answers = stage.answered(&[("bob", 1), ("ada", 1)]).await.answers;
        assert_eq!(answers[0], answer);
        assert!(matches!(answers[1], Answer::Replayed(_)));
        assert!(stage.world().await == before);
        let balance = stage.balance().await;
        assert_eq!((balance.opens_at, balance.closes_at), (opens.map(UnixMs), closes.map(UnixMs)));
    }
    move_to(&stage, 5, Some(now), Some(now + LONG_MS)).await;
    assert!(matches!(stage.issue("bob").await, Answer::Issued(_)));
    move_to(&stage, 6, None, None).await;
    assert!(matches!(stage.issue("eve").await, Answer::Issued(_)));
    let balance = stage.balance().await;
    assert_eq!((balance.opens_at, balance.closes_at), (None, None));
}

#[tokio::test]
async fn a_window_opens_and_closes_at_the_very_millisecond_of_redis() {
    let stage = Stage::with(1_000_000).await;
    let (opens, closes) = {
        let now = stage.balance().await.now.0;
        (now + 100, now + 200)
    };
    move_to(&stage, 2, Some(opens), Some(closes)).await;
    let mut users = 0;
    eventually_holds("the end of the window", async || {
        users += 1;
        let answered = stage.answered(&[(&format!("u{users}"), 1)]).await;
        let now = answered.now.0;
        let [answer] = answered.answers[..] else { panic!("one user, one answer") };
        match answer {
            Answer::NotOpen => assert!(now < opens),
            Answer::Issued(_) => assert!((opens..closes).contains(&now)),
            other => assert!(other == Answer::Closed && now >= closes, "{other:?} at {now}"),
        }
        // A lease never outlives the window (P1 step 4).
        assert_eq!(answered.lease_ms, u64::try_from((closes - now).clamp(0, 100)).unwrap());
        answer == Answer::Closed
    })
    .await;
}

#[tokio::test]
async fn a_lower_limit_hides_no_held_claim_and_allows_no_new_one_i2() {
    let stage = Stage::with(10).await;
    limit_to(&stage, 2, 3).await;
    let group = [("ada", 1), ("ada", 2), ("ada", 3), ("ada", 4)];
    let answers = stage.answered(&group).await.answers;
    assert!(matches!(answers[2], Answer::Issued(held) if held.serial.0 == 3));
    assert_eq!(answers[3], Answer::Limit);

    limit_to(&stage, 3, 1).await;
    let before = stage.world().await;
    let answers = stage.answered(&group).await.answers;
    for (i, answer) in answers[..3].iter().enumerate() {
        assert!(matches!(answer, Answer::Replayed(held) if held.serial.0 == i as u64 + 1));
    }
    assert_eq!(answers[3], Answer::Limit);
    assert_eq!(stage.answered(&[("bob", 2)]).await.answers, [Answer::Limit]);
    assert!(stage.world().await == before);
    assert_eq!(stage.balance().await.per_user_limit, 1);
}

#[tokio::test]
async fn a_closed_coupon_stays_closed_i4() {
    let stage = acts::stage().await;
    change_state(stage.redis(), stage.act(2), StateChange::Close).await.unwrap();
    acts::assert_refused(&stage, 3, "already_closed", async || act(&stage, stage.act(3)).await)
        .await;
    assert_eq!(stage.issue("bob").await, Answer::Closed);
}

#[tokio::test]
async fn before_its_first_ticket_a_coupon_opens_150_ms_after_it_was_told_to_open_earlier_i8_i10() {
    let stage = Stage::with(10).await;
    let now = stage.balance().await.now.0;
    move_to(&stage, 2, Some(now + LONG_MS), None).await;
    for (act_no, opens) in (3..).zip([None, Some(now), Some(now - LONG_MS)]) {
        let from = stage.balance().await.now.0;
        move_to(&stage, act_no, opens, None).await;
        let to = stage.balance().await;
        let opens_at = to.opens_at.unwrap().0;
        let hold_ms = EMBARGO_MS as i64;
        assert!((from + hold_ms..=to.now.0 + hold_ms).contains(&opens_at), "{opens:?}");
        stage.set_field("opens_at_ms", now + LONG_MS).await;
    }
    // An opening that comes soon is not delayed by an act that repeats it.
    let soon = stage.balance().await.now.0 + 100;
    for (act_no, opens) in (6..).zip([Some(soon), Some(soon - 1), Some(soon + 1)]) {
        stage.set_field("opens_at_ms", soon).await;
        move_to(&stage, act_no, opens, None).await;
        let balance = stage.balance().await;
        let expected = opens.max(Some(soon)).map(UnixMs);
        assert!(balance.opens_at == expected || balance.now.0 >= soon, "{balance:?}");
    }
    let later = now + LONG_MS / 2;
    move_to(&stage, 9, Some(later), None).await;
    assert_eq!(stage.balance().await.opens_at, Some(UnixMs(later)), "early enough to say so");
}
