//! `lua/refill.lua`.

use firstcome::lua::recover::Reply;
use firstcome::lua::{refill, reopen};

use super::recover::{fill, open, stop};
use crate::support::stage::Stage;

#[tokio::test]
async fn a_recoverer_that_was_overtaken_writes_nothing_i1_i2() {
    let mut stage = Stage::with(10).await;
    stop(&stage, 3).await;
    let before = stage.world().await;
    assert_eq!(stop(&stage, 2).await, Reply::Fenced(3));
    assert_eq!(fill(&stage, 2, &["ada"]).await, refill::Reply::Fenced);
    assert_eq!(open(&stage, 2, 0).await.unwrap(), reopen::Reply::Fenced);
    let own = stage.accepted.replid.clone();
    stage.accepted.replid = "0".repeat(40);
    assert_eq!(stop(&stage, 4).await, Reply::OtherGeneration);
    assert_eq!(fill(&stage, 3, &["ada"]).await, refill::Reply::OtherGeneration);
    assert_eq!(open(&stage, 3, 0).await.unwrap(), reopen::Reply::OtherGeneration);
    stage.accepted.replid = own;
    assert!(stage.world().await == before);
}

#[tokio::test]
async fn the_first_page_replaces_all_holders_and_comes_again_without_a_change_i2_i10() {
    let stage = Stage::with(10).await;
    stage.ask(&[("old", 1)]).await.unwrap();
    assert_eq!(fill(&stage, 1, &["ada"]).await, refill::Reply::Fenced, "it is not stopped");
    stop(&stage, 2).await;
    assert_eq!(fill(&stage, 2, &["ada"]).await, refill::Reply::Refilled);
    let before = stage.world().await;
    assert_eq!(fill(&stage, 2, &["ada"]).await, refill::Reply::Refilled);
    assert!(stage.world().await == before);
    let count: u64 = stage.private.ask(redis::cmd("HLEN").arg(HOLDERS)).await;
    assert_eq!(count, 1);
}

const HOLDERS: &str = "fc:{s04}:coupon:summer:holders";
