//! `lua/state.lua`; the tests of its changes are in `acts/`, with those of the other acts.

use firstcome::lua::state::{StateChange, change_state};
use firstcome::lua::{ActArgs, ActReply};
use firstcome::redis::Result;

use crate::lua::acts;
use crate::support::stage::{Stage, words};

pub async fn pause(stage: &Stage, args: ActArgs<'_>) -> Result<ActReply> {
    change_state(stage.redis(), args, StateChange::Pause).await
}

pub async fn resume(stage: &Stage, args: ActArgs<'_>) -> Result<ActReply> {
    change_state(stage.redis(), args, StateChange::Resume).await
}

pub async fn close(stage: &Stage, args: ActArgs<'_>) -> Result<ActReply> {
    change_state(stage.redis(), args, StateChange::Close).await
}

#[tokio::test]
async fn a_coupon_that_is_already_as_it_is_to_be_keeps_its_version_i4() {
    let stage = acts::stage().await;
    let said = async |reply: Result<ActReply>| words(&reply.unwrap());
    assert_eq!(said(resume(&stage, stage.act(2)).await).await, "applied 1 10 9");
    assert_eq!(said(pause(&stage, stage.act(3)).await).await, "applied 2 10 9");
    assert_eq!(said(pause(&stage, stage.act(4)).await).await, "applied 2 10 9");
    assert_eq!(said(close(&stage, stage.act(5)).await).await, "applied 3 10 9");
    assert_eq!(said(close(&stage, stage.act(6)).await).await, "applied 3 10 9");
    let balance = stage.balance().await;
    assert_eq!((balance.state.as_str(), balance.version, balance.act_no), ("closed", 3, 6));
}
