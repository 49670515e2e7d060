//! `lua/release.lua`.

use firstcome::lua::issue::Answer;
use firstcome::lua::release::release;
use firstcome::lua::{ActArgs, ActReply};
use firstcome::redis::Result;

use super::acts;
use super::recover::{fill, open_without, stop};
use crate::support::stage::{Stage, words};

acts::promises_of_every_act!(run, withholding);

async fn run(stage: &Stage, args: ActArgs<'_>) -> Result<ActReply> {
    release(stage.redis(), args).await
}

/// The stage of every act, with some stock withheld.
async fn withholding() -> Stage {
    let stage = acts::stage().await;
    stage.set_field("withheld", 4).await;
    stage.set_field("remaining", 5).await;
    stage
}

#[tokio::test]
async fn withheld_stock_comes_back_once_and_for_everybody_at_one_instant_i1_i8() {
    let mut stage = Stage::with(10).await;
    stage.accepted.epoch = 2;
    stop(&stage, 2).await;
    fill(&stage, 2, &["ada", "bob"]).await;
    open_without(&stage, 2, 2, 8).await.unwrap();
    assert_eq!(stage.issue("new").await, Answer::SoldOut);
    let balance = stage.balance().await;
    assert_eq!((balance.withheld, balance.remaining, balance.issued), (8, 0, 2));

    assert_eq!(words(&run(&stage, stage.act(2)).await.unwrap()), "applied 2 10 8");
    assert_eq!(words(&run(&stage, stage.act(2)).await.unwrap()), "applied 2 10 8");
    let balance = stage.balance().await;
    assert_eq!((balance.withheld, balance.remaining), (0, 8));
    assert_eq!(stage.issue("new").await, Answer::SoldOut, "a lease may be in force");
    stage.set_field("embargo_until_ms", 0).await;
    assert!(matches!(stage.issue("new").await, Answer::Issued(held) if held.serial.0 == 11));
    assert_eq!(words(&run(&stage, stage.act(3)).await.unwrap()), "applied 2 10 7", "nothing more");
}
