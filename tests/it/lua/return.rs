//! `lua/return.lua`.

use firstcome::domain::act::Return;
use firstcome::domain::limits::RETURNS_PER_ACT;
use firstcome::lua::issue::Answer;
use firstcome::lua::r#return::{Args, return_tickets};
use firstcome::lua::{ActArgs, ActReply};
use firstcome::redis::Result;

use crate::lua::acts::{self, embargo};
use crate::support::eventually::eventually;
use crate::support::stage::{Stage, words};

async fn act(stage: &Stage, act: ActArgs<'_>) -> Result<ActReply> {
    let returns = [Return { serial: 1, holder: "ada".to_owned() }];
    return_tickets(stage.redis(), &Args { act, returns: &returns }).await
}

acts::promises_of_every_act!(act);

#[tokio::test]
async fn without_memory_nothing_is_written_i4() {
    acts::needs_memory(act).await;
}

async fn said(stage: &Stage, act_no: u64, tickets: &[(u64, &str)]) -> String {
    let one = |(serial, holder): &(u64, &str)| Return { serial: *serial, holder: (*holder).into() };
    let returns: Vec<Return> = tickets.iter().map(one).collect();
    let args = Args { act: stage.act(act_no), returns: &returns };
    words(&return_tickets(stage.redis(), &args).await.unwrap())
}

#[tokio::test]
async fn stock_goes_back_and_the_claim_stays_spent_and_the_serial_burnt_i1_i2_i5() {
    let stage = Stage::with_definition(|definition| definition.per_user_limit = 2).await;
    let issued = stage.answered(&[("ada", 1), ("ada", 2), ("bob", 1)]).await;
    assert_eq!(said(&stage, 2, &[(2, "ada\n2")]).await, "applied 2 10 8");

    let before = stage.world().await;
    let answers = stage.answered(&[("ada", 1), ("ada", 2), ("bob", 1)]).await.answers;
    let Answer::Cancelled(cancelled) = answers[1] else { panic!("{answers:?}") };
    assert!(cancelled.is_cancelled);
    assert_eq!((cancelled.serial.0, cancelled.issued_at), (2, issued.now));
    assert!(matches!(answers[0], Answer::Replayed(held) if held.serial.0 == 1));
    assert!(matches!(answers[2], Answer::Replayed(held) if held.serial.0 == 3));
    assert!(stage.world().await == before);

    assert!(matches!(stage.issue("eve").await, Answer::Issued(held) if held.serial.0 == 4));
    let balance = stage.balance().await;
    let counts = (balance.issued, balance.returned, balance.holders, balance.remaining);
    assert_eq!(counts, (4, 1, 4, 7));
}

#[tokio::test]
async fn what_is_not_certainly_held_gives_nothing_back_i1() {
    let stage = Stage::with(12).await;
    let users: Vec<String> = (1..=12).map(|n| format!("u{n}")).collect();
    let group: Vec<(&str, u8)> = users.iter().map(|user| (user.as_str(), 1)).collect();
    stage.answered(&group).await;
    // Another's serial, a serial that begins like the held one, no holder, the empty field.
    let none = [(2, "u1"), (1, "u12"), (1, "u11"), (1, "eve"), (12, "u1"), (1, "")];
    assert_eq!(said(&stage, 2, &none).await, "applied 2 12 0");
    assert_eq!(stage.balance().await.returned, 0);
    assert_eq!(embargo::embargo_until(&stage).await.0, 0);

    // The same ticket twice in an act, and again in the next one.
    assert_eq!(said(&stage, 3, &[(12, "u12"), (12, "u12")]).await, "applied 3 12 1");
    assert_eq!(said(&stage, 4, &[(12, "u12"), (1, "u1")]).await, "applied 4 12 2");
    assert_eq!(stage.balance().await.returned, 2);
}

#[tokio::test]
async fn a_return_to_a_sold_out_coupon_is_nobodys_for_150_ms_and_then_everybodys_i8() {
    let stage = Stage::with(2).await;
    stage.answered(&[("ada", 1), ("bob", 1)]).await;
    let returns = [
        Return { serial: 1, holder: "ada".to_owned() },
        Return { serial: 2, holder: "bob".to_owned() },
    ];
    let args = Args { act: stage.act(2), returns: &returns };
    embargo::assert_held(&stage, 2, async || return_tickets(stage.redis(), &args).await).await;
}

#[tokio::test]
async fn a_second_return_during_the_hold_adds_and_does_not_prolong_it_i8() {
    eventually("a test within one hold", async || {
        let stage = Stage::with(3).await;
        stage.answered(&[("ada", 1), ("bob", 1), ("eve", 1)]).await;
        said(&stage, 2, &[(1, "ada")]).await;
        let until = embargo::renew(&stage).await;
        let told = said(&stage, 3, &[(2, "bob")]).await;
        // One that gives nothing back moves nothing either.
        let again = said(&stage, 4, &[(2, "bob")]).await;
        let (ends, kim) = (embargo::embargo_until(&stage).await, stage.issue("kim").await);
        embargo::still(&stage).await?;
        assert_eq!((told.as_str(), again.as_str()), ("applied 3 3 2", "applied 4 3 2"));
        assert_eq!((ends, kim), (until, Answer::SoldOut));

        embargo::end(&stage).await;
        assert_eq!(said(&stage, 5, &[(3, "eve")]).await, "applied 5 3 3");
        let balance = stage.balance().await;
        assert_eq!((balance.available, balance.embargoed), (3, 0));
        let kim = stage.issue("kim").await;
        assert!(matches!(kim, Answer::Issued(held) if held.serial.0 == 4));
        Some(())
    })
    .await;
}

#[tokio::test]
async fn a_clock_that_stepped_back_keeps_stock_from_nobody_i8() {
    let stage = Stage::with(2).await;
    stage.answered(&[("ada", 1), ("bob", 1)]).await;
    said(&stage, 2, &[(1, "ada")]).await;
    embargo::step_clock_back(&stage).await;
    assert_eq!(said(&stage, 3, &[(2, "bob")]).await, "applied 3 2 2");
    let balance = stage.balance().await;
    assert_eq!((balance.available, balance.embargoed), (2, 0));
    assert_eq!(stage.field("embargoed").await, "0");
}

#[tokio::test]
async fn one_act_gives_back_as_many_tickets_as_an_act_may_carry() {
    let stage = Stage::with(RETURNS_PER_ACT as u64).await;
    let users: Vec<String> = (1..=RETURNS_PER_ACT).map(|n| format!("u{n}")).collect();
    let group: Vec<(&str, u8)> = users.iter().map(|user| (user.as_str(), 1)).collect();
    stage.answered(&group).await;
    let tickets: Vec<(u64, &str)> = (1..).zip(users.iter().map(String::as_str)).collect();
    assert_eq!(said(&stage, 2, &tickets).await, "applied 2 500 500");
    let balance = stage.balance().await;
    assert_eq!((balance.returned, balance.remaining, balance.holders), (500, 500, 500));
}

#[tokio::test]
async fn holders_of_another_type_are_lost_and_left_as_they_are_i4() {
    let stage = acts::stage().await;
    stage.spoil(&stage.keys()[1]).await;
    let before = stage.world().await;
    assert_eq!(words(&act(&stage, stage.act(2)).await.unwrap()), "recovering");
    assert!(stage.world().await == before);
}
