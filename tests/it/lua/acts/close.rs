//! A close.

use firstcome::lua::issue::Answer;
use firstcome::lua::state::{StateChange, change_state_first};

use crate::lua::acts;
use crate::lua::state::close;
use crate::support::stage::Stage;

acts::promises_of_every_act!(close);

#[tokio::test]
async fn a_closed_coupon_issues_nothing_and_still_answers_its_holders_i8_i10() {
    let stage = acts::stage().await;
    close(&stage, stage.act(2)).await.unwrap();
    let before = stage.world().await;
    let answers = stage.answered(&[("bob", 1), ("ada", 1)]).await.answers;
    assert_eq!(answers[0], Answer::Closed);
    assert!(matches!(answers[1], Answer::Replayed(held) if held.serial.0 == 1));
    assert!(stage.world().await == before);
    assert_eq!(stage.balance().await.state, "closed");
}

#[tokio::test]
async fn before_its_row_a_close_has_no_number_and_nothing_holds_it_up_i8() {
    let first = async |stage: &Stage| {
        change_state_first(stage.redis(), &stage.coupon_id, StateChange::Close).await
    };
    acts::nothing_holds_it_up(close, first, "closed").await;
    acts::needs_no_stock(close, first, "closed").await;
}
