//! `lua/restock.lua`.

use firstcome::domain::limits::TOTAL_MAX;
use firstcome::lua::issue::Answer;
use firstcome::lua::restock::{Args, restock};
use firstcome::lua::{ActArgs, ActReply};
use firstcome::redis::Result;

use crate::lua::acts::{self, embargo};
use crate::support::eventually::eventually;
use crate::support::stage::{Stage, words};

async fn by(stage: &Stage, act_no: u64, delta: i64) -> Result<ActReply> {
    restock(stage.redis(), &Args { act: stage.act(act_no), delta }).await
}

async fn act(stage: &Stage, act: ActArgs<'_>) -> Result<ActReply> {
    restock(stage.redis(), &Args { act, delta: 5 }).await
}

acts::promises_of_every_act!(act);

#[tokio::test]
async fn without_memory_nothing_is_written_i4() {
    acts::needs_memory(act).await;
}

/// A coupon whose only ticket is `ada`'s.
async fn sold_out() -> Stage {
    let stage = Stage::with(1).await;
    stage.issue("ada").await;
    stage
}

async fn said(stage: &Stage, act_no: u64, delta: i64) -> String {
    words(&by(stage, act_no, delta).await.unwrap())
}

#[tokio::test]
async fn stock_is_given_and_taken_down_to_what_is_out_i1() {
    let stage = acts::stage().await;
    assert_eq!(said(&stage, 2, 5).await, "applied 2 15 14");
    assert_eq!(said(&stage, 3, -14).await, "applied 3 1 0");
    let balance = stage.balance().await;
    assert_eq!((balance.available, balance.embargoed, balance.issued), (0, 0, 1));
    assert_eq!(stage.issue("bob").await, Answer::SoldOut);
}

#[tokio::test]
async fn below_what_is_out_or_above_all_bounds_it_is_refused_i1_i4() {
    let stage = acts::stage().await;
    let refused = async |act_no, reason, delta| {
        acts::assert_refused(&stage, act_no, reason, async || by(&stage, act_no, delta).await).await
    };
    refused(2, "below_issued 1", -10).await;
    refused(3, "below_issued 1", -(1 << 52)).await;
    refused(4, "total_too_large 1000000001", TOTAL_MAX as i64 - 9).await;
    assert_eq!(said(&stage, 5, TOTAL_MAX as i64 - 10).await, "applied 2 1000000000 999999999");

    let stage = Stage::with(10).await;
    acts::assert_refused(&stage, 2, "below_issued 0", async || by(&stage, 2, -10).await).await;
}

#[tokio::test]
async fn stock_for_a_sold_out_coupon_is_nobodys_for_150_ms_and_then_everybodys_i8() {
    let stage = sold_out().await;
    assert_eq!(stage.issue("bob").await, Answer::SoldOut);
    embargo::assert_held(&stage, 3, async || by(&stage, 2, 3).await).await;
    assert!(matches!(stage.issue("bob").await, Answer::Issued(held) if held.serial.0 == 3));
}

#[tokio::test]
async fn stock_for_a_coupon_that_has_some_is_not_held() {
    let stage = acts::stage().await;
    by(&stage, 2, 5).await.unwrap();
    let balance = stage.balance().await;
    assert_eq!((balance.available, balance.embargoed), (14, 0));
    assert_eq!(embargo::embargo_until(&stage).await.0, 0);
}

#[tokio::test]
async fn a_second_restock_during_the_hold_adds_and_does_not_prolong_it_i8() {
    eventually("a test within one hold", async || {
        let stage = sold_out().await;
        by(&stage, 2, 3).await.unwrap();
        let until = embargo::renew(&stage).await;
        let told = said(&stage, 3, 4).await;
        let (balance, before) = (stage.balance().await, stage.world().await);
        let answers = [stage.issue("bob").await, stage.issue("ada").await];
        let (after, ends) = (stage.world().await, embargo::embargo_until(&stage).await);
        embargo::still(&stage).await?;
        assert_eq!((told.as_str(), ends), ("applied 3 8 7", until));
        assert_eq!((balance.available, balance.embargoed), (0, 7));
        assert!(matches!(answers, [Answer::SoldOut, Answer::Replayed(_)]), "{answers:?}");
        assert!(after == before);

        embargo::end(&stage).await;
        assert_eq!(stage.balance().await.available, 7);
        let bob = stage.issue("bob").await;
        assert!(matches!(bob, Answer::Issued(held) if held.serial.0 == 2));
        Some(())
    })
    .await;
}

#[tokio::test]
async fn stock_is_taken_from_what_is_held_down_to_what_is_out_i1() {
    eventually("a test within one hold", async || {
        let stage = sold_out().await;
        by(&stage, 2, 5).await.unwrap();
        let until = embargo::renew(&stage).await;
        let told = said(&stage, 3, -2).await;
        let (held, ends) = (stage.field("embargoed").await, embargo::embargo_until(&stage).await);
        embargo::still(&stage).await?;
        assert_eq!((told.as_str(), held.as_str(), ends), ("applied 3 4 3", "3", until));
        assert_eq!(said(&stage, 4, -4).await, "refused below_issued 1");
        assert_eq!(said(&stage, 5, -3).await, "applied 4 1 0");
        embargo::end(&stage).await;
        assert_eq!(stage.issue("bob").await, Answer::SoldOut);
        Some(())
    })
    .await;
}

#[tokio::test]
async fn a_clock_that_stepped_back_keeps_stock_from_nobody_i8() {
    let stage = sold_out().await;
    by(&stage, 2, 3).await.unwrap();
    embargo::step_clock_back(&stage).await;
    let balance = stage.balance().await;
    assert_eq!((balance.available, balance.embargoed), (3, 0));
    assert_eq!(said(&stage, 3, 4).await, "applied 3 8 7");
    let balance = stage.balance().await;
    assert_eq!((balance.available, balance.embargoed), (7, 0), "and no further one is held");
    assert_eq!(stage.field("embargoed").await, "0");
}

#[tokio::test]
async fn after_the_hold_a_restock_counts_what_was_held_as_stock_i1() {
    for (delta, told, rest) in [(4, "applied 3 8 7", 7), (-2, "applied 3 2 1", 1)] {
        let stage = sold_out().await;
        by(&stage, 2, 3).await.unwrap();
        embargo::end(&stage).await;
        assert_eq!(said(&stage, 3, delta).await, told);
        let balance = stage.balance().await;
        assert_eq!((balance.available, balance.embargoed, balance.remaining), (rest, 0, rest));
        assert_eq!(stage.field("embargoed").await, "0");
    }
}

#[tokio::test]
async fn a_hold_that_was_taken_back_begins_anew_with_the_next_restock_i8() {
    let stage = sold_out().await;
    by(&stage, 2, 5).await.unwrap();
    by(&stage, 3, -5).await.unwrap();
    embargo::assert_held(&stage, 6, async || by(&stage, 4, 6).await).await;
}
