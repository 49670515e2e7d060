//! A pause.

use firstcome::lua::issue::Answer;
use firstcome::lua::state::{StateChange, change_state_first};

use crate::lua::acts;
use crate::lua::state::{close, pause};
use crate::support::stage::{Stage, words};

acts::promises_of_every_act!(pause);

#[tokio::test]
async fn a_paused_coupon_issues_nothing_and_still_answers_its_holders_i8_i10() {
    let stage = acts::stage().await;
    pause(&stage, stage.act(2)).await.unwrap();
    let before = stage.world().await;
    let answers = stage.answered(&[("bob", 1), ("ada", 1)]).await.answers;
    assert_eq!(answers[0], Answer::Paused);
    assert!(matches!(answers[1], Answer::Replayed(held) if held.serial.0 == 1));
    assert!(stage.world().await == before);
    assert_eq!(stage.balance().await.state, "paused");
}

#[tokio::test]
async fn before_its_row_a_pause_has_no_number_and_nothing_holds_it_up_i8() {
    let first = async |stage: &Stage| {
        change_state_first(stage.redis(), &stage.coupon_id, StateChange::Pause).await
    };
    acts::nothing_holds_it_up(pause, first, "paused").await;
    acts::needs_no_stock(pause, first, "paused").await;
}

#[tokio::test]
async fn a_closed_coupon_is_not_paused_i4() {
    let stage = acts::stage().await;
    close(&stage, stage.act(2)).await.unwrap();
    let before = stage.world().await;
    let refused =
        change_state_first(stage.redis(), &stage.coupon_id, StateChange::Pause).await.unwrap();
    assert_eq!(words(&refused), "refused already_closed");
    assert!(stage.world().await == before, "a refused pause without a number left a trace");
    acts::assert_refused(&stage, 3, "already_closed", async || pause(&stage, stage.act(3)).await)
        .await;
}
