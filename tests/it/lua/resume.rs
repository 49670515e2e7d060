//! `lua/resume.lua`.

use firstcome::lua::close::close;
use firstcome::lua::issue::Answer;
use firstcome::lua::pause::pause;
use firstcome::lua::resume::resume;
use firstcome::lua::{ActArgs, ActReply};
use firstcome::redis::Result;

use crate::lua::acts;
use crate::support::stage::Stage;

async fn act(stage: &Stage, args: ActArgs<'_>) -> Result<ActReply> {
    resume(stage.redis(), &args).await
}

acts::promises_of_every_act!(act);

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
async fn a_closed_coupon_stays_closed_i4() {
    let stage = acts::stage().await;
    close(stage.redis(), &stage.act(2)).await.unwrap();
    acts::assert_refused(&stage, 3, "already_closed", async || act(&stage, stage.act(3)).await)
        .await;
    assert_eq!(stage.issue("bob").await, Answer::Closed);
}
