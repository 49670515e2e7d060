//! `lua/pause.lua`.

use firstcome::lua::close::close;
use firstcome::lua::issue::Answer;
use firstcome::lua::pause::{pause, pause_first};
use firstcome::lua::{ActArgs, ActReply};
use firstcome::redis::Result;

use crate::lua::acts;
use crate::support::stage::{Stage, words};

async fn act(stage: &Stage, args: ActArgs<'_>) -> Result<ActReply> {
    pause(stage.redis(), &args).await
}

acts::promises_of_every_act!(act);

#[tokio::test]
async fn a_paused_coupon_issues_nothing_and_still_answers_its_holders_i8_i10() {
    let stage = acts::stage().await;
    act(&stage, stage.act(2)).await.unwrap();
    let before = stage.world().await;
    let answers = stage.answered(&[("bob", 1), ("ada", 1)]).await.answers;
    assert_eq!(answers[0], Answer::Paused);
    assert!(matches!(answers[1], Answer::Replayed(holding) if holding.serial.0 == 1));
    assert!(stage.world().await == before);
    assert_eq!(stage.balance().await.state, "paused");
}

#[tokio::test]
async fn before_its_row_a_pause_has_no_number_and_nothing_holds_it_up_i8() {
    let first = async |stage: &Stage| pause_first(stage.redis(), &stage.coupon_id).await;
    acts::nothing_holds_it_up(act, first, "paused").await;
}

#[tokio::test]
async fn a_closed_coupon_is_not_paused_i4() {
    let stage = acts::stage().await;
    close(stage.redis(), &stage.act(2)).await.unwrap();
    let before = stage.world().await;
    let refused = pause_first(stage.redis(), &stage.coupon_id).await.unwrap();
    assert_eq!(words(&refused), "refused already_closed");
    assert!(stage.world().await == before, "a refused pause without a number left a trace");
    acts::assert_refused(&stage, 3, "already_closed", async || act(&stage, stage.act(3)).await)
        .await;
}
