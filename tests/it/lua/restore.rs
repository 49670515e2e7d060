//! `lua/restore.lua`.

use firstcome::domain::record::Record;
use firstcome::domain::ticket::{Serial, Ticket};
use firstcome::domain::time::UnixMs;
use firstcome::domain::user::{Claim, UserId};
use firstcome::lua::issue::Answer;
use firstcome::lua::restore::{Args, restore};
use firstcome::lua::{ActArgs, ActReply};
use firstcome::redis::Result;

use super::acts;
use crate::support::stage::{Stage, words};

acts::promises_of_every_act!(run, withholding);

fn lost(user: &str, claim: u8) -> Ticket {
    Ticket {
        coupon_id: firstcome::domain::coupon::CouponId::parse("summer").unwrap(),
        epoch: 1,
        serial: Serial(7),
        user_id: UserId::parse(user).unwrap(),
        claim: Claim::new(claim).unwrap(),
        issued_at: UnixMs(1_764_558_001_482),
    }
}

async fn run(stage: &Stage, act: ActArgs<'_>) -> Result<ActReply> {
    let ticket = lost(if act.act_no == 3 { "eve" } else { "bob" }, 1);
    restore(stage.redis(), &Args { act, ticket: &ticket }).await
}

/// The stage of every act, with some stock withheld.
async fn withholding() -> Stage {
    let stage = acts::stage().await;
    stage.set_field("withheld", 2).await;
    stage.set_field("remaining", 7).await;
    stage
}

#[tokio::test]
async fn a_restored_ticket_is_held_gets_a_record_and_takes_a_withheld_unit_i1_i2_i3_i10() {
    let stage = withholding().await;
    assert_eq!(words(&run(&stage, stage.act(2)).await.unwrap()), "applied 2 10 7");
    let second = lost("bob", 2);
    let args = Args { act: stage.act(3), ticket: &second };
    assert_eq!(words(&restore(stage.redis(), &args).await.unwrap()), "applied 3 10 7");
    let balance = stage.balance().await;
    assert_eq!((balance.withheld, balance.issued, balance.holders), (0, 3, 3));
    assert_eq!((balance.last_serial, balance.shard_unpersisted), (1, 3));
    let answers = stage.answered(&[("bob", 1), ("bob", 2)]).await.answers;
    for answer in answers {
        assert!(matches!(answer, Answer::Replayed(held) if held.serial.0 == 7), "{answer:?}");
    }
    let records: Vec<(String, Vec<String>)> =
        stage.private.ask(redis::cmd("XRANGE").arg(&stage.keys()[2]).arg("-").arg("+")).await;
    let record = Record::decode(&records[2].1[1]).unwrap();
    assert_eq!((record.first_serial, record.issued_at), (Serial(7), second.issued_at));
    assert_eq!(record.holders, [(second.user_id, second.claim)]);
}

#[tokio::test]
async fn nothing_is_restored_to_a_holder_or_beyond_what_is_withheld_i1_i2() {
    let stage = withholding().await;
    run(&stage, stage.act(2)).await.unwrap();
    for (user, withheld, act_no) in [("bob", 1, 3), ("eve", 0, 4)] {
        stage.set_field("withheld", withheld).await;
        let ticket = lost(user, 1);
        let args = Args { act: stage.act(act_no), ticket: &ticket };
        let refused = async || restore(stage.redis(), &args).await;
        acts::assert_refused(&stage, act_no, "not_restored", refused).await;
    }
}
