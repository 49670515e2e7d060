//! A resume.

use firstcome::lua::issue::Answer;
use firstcome::lua::state::{StateChange, change_state_first};

use crate::lua::acts;
use crate::lua::state::{close, pause, resume};
use crate::support::stage::{Stage, words};

acts::promises_of_every_act!(resume, paused);

/// The stage of every act, paused.
async fn paused() -> Stage {
    let stage = acts::stage().await;
    stage.set_field("state", "paused").await;
    stage
}

#[tokio::test]
async fn a_resumed_coupon_goes_on_with_the_next_serial_i5_i8() {
    let stage = acts::stage().await;
    pause(&stage, stage.act(2)).await.unwrap();
    assert_eq!(stage.issue("bob").await, Answer::Paused);
    resume(&stage, stage.act(3)).await.unwrap();
    assert_eq!(stage.balance().await.state, "open");
    assert!(matches!(stage.issue("bob").await, Answer::Issued(held) if held.serial.0 == 2));
}

#[tokio::test]
async fn a_pause_that_came_before_its_row_is_ended_only_after_its_act_i8() {
    let stage = acts::stage().await;
    pause(&stage, stage.act(2)).await.unwrap();
    change_state_first(stage.redis(), &stage.coupon_id, StateChange::Pause).await.unwrap();
    acts::assert_refused(&stage, 3, "superseded", async || resume(&stage, stage.act(3)).await)
        .await;
    assert_eq!(stage.issue("bob").await, Answer::Paused);
    pause(&stage, stage.act(4)).await.unwrap();
    assert_eq!(words(&resume(&stage, stage.act(5)).await.unwrap()), "applied 5 10 9");
    assert!(matches!(stage.issue("bob").await, Answer::Issued(_)));
}

#[tokio::test]
async fn a_closed_coupon_stays_closed_i4() {
    let stage = acts::stage().await;
    close(&stage, stage.act(2)).await.unwrap();
    acts::assert_refused(&stage, 3, "already_closed", async || resume(&stage, stage.act(3)).await)
        .await;
    assert_eq!(stage.issue("bob").await, Answer::Closed);
}
