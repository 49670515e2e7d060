//! `lua/recover.lua`, and the calls of one recovery.

use firstcome::domain::act::ActResult;
use firstcome::domain::ticket::Serial;
use firstcome::lua::audit::{self, audit};
use firstcome::lua::recover::{self, Reply, Stopped, recover};
use firstcome::lua::refill::{self, refill};
use firstcome::lua::reopen::{self, reopen};
use firstcome::redis::Result;

use crate::support::stage::{Stage, TOKEN};

const TERMS: &str = "recovering 1 k1   1 summer 1 0 10 ";

pub(super) async fn stop(stage: &Stage, epoch: u32) -> Reply {
    let (replid, coupon_id) = (&*stage.accepted.replid, &stage.coupon_id);
    let args = recover::Args { replid, epoch, coupon_id, terms: TERMS };
    recover(stage.redis(), &args).await.unwrap()
}

pub(super) async fn fill(stage: &Stage, epoch: u32, users: &[&str]) -> refill::Reply {
    let held = |user: &&str| ((*user).to_owned(), "7:UIfAaGV".to_owned());
    let page: Vec<_> = users.iter().map(held).collect();
    let (replid, coupon_id) = (&*stage.accepted.replid, &stage.coupon_id);
    let args = refill::Args { replid, epoch, coupon_id, is_first: true, page: &page };
    refill(stage.redis(), &args).await.unwrap()
}

pub(super) async fn open(stage: &Stage, epoch: u32, held: u64) -> Result<reopen::Reply> {
    open_without(stage, epoch, held, 0).await
}

/// As [`open`], but so much stock is withheld.
pub(super) async fn open_without(
    stage: &Stage,
    epoch: u32,
    held: u64,
    withheld: u64,
) -> Result<reopen::Reply> {
    let result = ActResult::parse("applied 1 10 8").unwrap();
    let args = reopen::Args {
        replid: &stage.accepted.replid,
        epoch,
        coupon_id: &stage.coupon_id,
        terms: &format!("open {epoch} k1   1 summer 1 9 10 "),
        held,
        remaining: 10 - held - withheld,
        last_serial: Serial(10),
        issued: held,
        returned: 0,
        act_no: 1,
        act_token: TOKEN,
        act_result: &result,
        withheld,
    };
    reopen(stage.redis(), &args).await
}

#[tokio::test]
async fn the_mark_of_a_pause_is_told_and_a_count_that_is_gone_is_made_again_i5_i8() {
    let stage = Stage::with(10).await;
    stage.ask(&[("ada", 1), ("bob", 1)]).await.unwrap();
    stage.set_field("unwritten", "pause").await;
    stage.private.ask::<()>(redis::cmd("DEL").arg("fc:{s04}:unpersisted")).await;
    let Reply::Stopped(Stopped { version, unwritten, .. }) = stop(&stage, 2).await else {
        panic!("it is not stopped")
    };
    assert_eq!((version, unwritten.as_str()), (1, "pause"));
    let count: u64 = stage.private.ask(redis::cmd("GET").arg("fc:{s04}:unpersisted")).await;
    assert_eq!(count, 2);
}

#[tokio::test]
async fn a_coupon_that_has_no_stock_yet_is_recovering_to_whoever_looks() {
    let stage = Stage::with(10).await;
    stage.private.ask::<()>(&redis::cmd("FLUSHALL")).await;
    stop(&stage, 2).await;
    let reply = audit(stage.redis(), &stage.coupon_id).await.unwrap();
    assert_eq!(reply, audit::Reply::Unknown);
}
