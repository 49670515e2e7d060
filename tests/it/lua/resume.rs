//! `lua/resume.lua`.

use firstcome::lua::close::close;
use firstcome::lua::issue::Answer;
use firstcome::lua::pause::{pause, pause_first};
use firstcome::lua::resume::resume;
use firstcome::lua::{ActArgs, ActReply};
use firstcome::redis::Result;

use crate::lua::acts;
use crate::support::stage::{Stage, words};

async fn act(stage: &Stage, args: ActArgs<'_>) -> Result<ActReply> {
    resume(stage.redis(), &args).await
}

acts::promises_of_every_act!(act);

#[tokio::test]
async fn without_memory_nothing_is_written_i4() {
    acts::needs_memory(act).await;
}

#[tokio::test]
async fn a_resumed_coupon_goes_on_with_the_next_serial_i5_i8() {
    let stage = acts::stage().await;
    pause(stage.redis(), &stage.act(2)).await.unwrap();
    assert_eq!(stage.issue("bob").await, Answer::Paused);
    act(&stage, stage.act(3)).await.unwrap();
    assert_eq!(stage.balance().await.state, "open");
    assert!(matches!(stage.issue("bob").await, Answer::Issued(holding) if holding.serial.0 == 2));
}

#[tokio::test]
async fn a_pause_that_came_before_its_row_is_ended_only_after_its_act_i8() {
    let stage = acts::stage().await;
    pause(stage.redis(), &stage.act(2)).await.unwrap();
    pause_first(stage.redis(), &stage.coupon_id).await.unwrap();
    acts::assert_refused(&stage, 3, "superseded", async || act(&stage, stage.act(3)).await).await;
    assert_eq!(stage.issue("bob").await, Answer::Paused);
    pause(stage.redis(), &stage.act(4)).await.unwrap();
    assert_eq!(words(&act(&stage, stage.act(5)).await.unwrap()), "applied 5 10 9");
    assert!(matches!(stage.issue("bob").await, Answer::Issued(_)));
}

#[tokio::test]
async fn a_closed_coupon_stays_closed_i4() {
    let stage = acts::stage().await;
    close(stage.redis(), &stage.act(2)).await.unwrap();
    acts::assert_refused(&stage, 3, "already_closed", async || act(&stage, stage.act(3)).await)
        .await;
    assert_eq!(stage.issue("bob").await, Answer::Closed);
}
