//! `lua/holders_page.lua`.

use std::collections::BTreeSet;

use firstcome::domain::act::Return;
use firstcome::lua::holders_page::{Args, Page, Reply, holders_page};
use firstcome::lua::restock::{Args as RestockArgs, restock};
use firstcome::lua::r#return::{Args as ReturnArgs, return_tickets};
use firstcome::lua::state::{StateChange, change_state};
use firstcome::lua::window::{Args as WindowArgs, window};

use crate::lua::acts::embargo;
use crate::support::stage::Stage;

async fn turn(stage: &Stage, stock_version: u64, cursor: &str) -> Reply {
    let (accepted, coupon_id) = (&stage.accepted, &stage.coupon_id);
    let args = Args { accepted, coupon_id, epoch: accepted.epoch, stock_version, cursor };
    holders_page(stage.redis(), &args).await.unwrap()
}

async fn page(stage: &Stage, cursor: &str) -> Page {
    match turn(stage, 1, cursor).await {
        Reply::Page(page) => page,
        Reply::Stale => panic!("stale"),
    }
}

/// A coupon whose tickets are all taken, by users of these names and claims.
async fn sold_out(holders: &[(&str, u8)]) -> Stage {
    let stage = Stage::with_definition(|definition| {
        (definition.total, definition.per_user_limit) = (holders.len() as u64, 2);
    })
    .await;
    for group in holders.chunks(512) {
        stage.answered(group).await;
    }
    assert_eq!(stage.balance().await.available, 0);
    stage
}

#[tokio::test]
async fn the_pages_of_a_sold_out_coupon_hold_every_holder_and_change_nothing_i10() {
    let names: Vec<String> = (0..1_500).map(|number| format!("u{number}")).collect();
    let holders: Vec<(&str, u8)> = names.iter().map(|name| (name.as_str(), 1)).collect();
    let stage = sold_out(&holders).await;
    let before = stage.world().await;
    stage.flush_scripts().await;
    let (mut cursor, mut seen, mut pages) = ("0".to_owned(), BTreeSet::new(), 0);
    loop {
        let page = page(&stage, &cursor).await;
        assert_eq!(page.holders, 1_501, "the empty field is counted too");
        assert!(page.fields.len() < 500, "a page is bounded: {}", page.fields.len());
        seen.extend(page.fields);
        pages += 1;
        cursor = page.next_cursor;
        if cursor == "0" {
            break;
        }
    }
    assert!(pages > 3, "{pages} pages");
    assert!(names.iter().all(|name| seen.contains(name)));
    assert!(stage.world().await == before);
}

#[tokio::test]
async fn a_holder_is_named_as_the_holders_hash_names_them() {
    let stage = sold_out(&[("ada", 1), ("ada", 2), ("홍길동", 1)]).await;
    let mut fields = page(&stage, "0").await.fields;
    fields.sort();
    assert_eq!(fields, ["", "ada", "ada\n2", "홍길동"]);
}

#[tokio::test]
async fn a_coupon_that_somebody_can_win_is_stale_i4_i8() {
    let stage = Stage::with(2).await;
    stage.issue("ada").await;
    assert_eq!(turn(&stage, 1, "0").await, Reply::Stale, "one is left");
    stage.issue("bob").await;
    page(&stage, "0").await;
    assert_eq!(turn(&stage, 2, "0").await, Reply::Stale, "a stock version that is not there yet");

    let act = stage.act(2);
    restock(stage.redis(), &RestockArgs { act, delta: 1 }).await.unwrap();
    embargo::renew(&stage).await;
    for stock_version in [1, 2] {
        assert_eq!(turn(&stage, stock_version, "0").await, Reply::Stale, "stock is held back");
    }
    embargo::end(&stage).await;
    assert_eq!(turn(&stage, 2, "0").await, Reply::Stale, "and there");
    stage.issue("eve").await;
    assert!(matches!(turn(&stage, 2, "0").await, Reply::Page(_)));
    assert_eq!(turn(&stage, 1, "0").await, Reply::Stale, "a stock version that is over");
}

#[tokio::test]
async fn only_what_makes_stock_makes_a_page_stale_i8_i10() {
    let stage = sold_out(&[("ada", 1), ("bob", 1)]).await;
    let redis = stage.redis();
    change_state(redis, stage.act(2), StateChange::Pause).await.unwrap();
    page(&stage, "0").await;
    change_state(redis, stage.act(3), StateChange::Resume).await.unwrap();
    page(&stage, "0").await;
    let act = stage.act(4);
    let args = WindowArgs { act, opens_at_ms: None, closes_at_ms: None, per_user_limit: 9 };
    window(redis, &args).await.unwrap();
    page(&stage, "0").await;
    // The stock is taken again at once: a filter from before would lack a user who won meanwhile.
    restock(redis, &RestockArgs { act: stage.act(5), delta: 1 }).await.unwrap();
    restock(redis, &RestockArgs { act: stage.act(6), delta: -1 }).await.unwrap();
    assert_eq!(turn(&stage, 1, "0").await, Reply::Stale);
    assert!(matches!(turn(&stage, 3, "0").await, Reply::Page(_)));
    let returns = [Return { serial: 1, holder: "ada".to_owned() }];
    return_tickets(redis, &ReturnArgs { act: stage.act(7), returns: &returns }).await.unwrap();
    embargo::end(&stage).await;
    stage.issue("eve").await;
    assert_eq!(turn(&stage, 3, "0").await, Reply::Stale);
    change_state(redis, stage.act(8), StateChange::Close).await.unwrap();
    assert!(matches!(turn(&stage, 4, "0").await, Reply::Page(_)));
}

#[tokio::test]
async fn another_life_or_a_damaged_coupon_is_stale_i4() {
    let mut stage = sold_out(&[("ada", 1)]).await;
    let own = stage.accepted.clone();
    stage.accepted.replid = "0".repeat(40);
    assert_eq!(turn(&stage, 1, "0").await, Reply::Stale);
    stage.accepted = own.clone();
    stage.accepted.epoch = 2;
    assert_eq!(turn(&stage, 1, "0").await, Reply::Stale);
    stage.accepted = own;
    stage.set_field("state", "recovering").await;
    assert_eq!(turn(&stage, 1, "0").await, Reply::Stale);
    stage.set_field("state", "open").await;
    page(&stage, "0").await;
    let [coupon, holders, ..] = stage.keys();
    stage.delete(&holders).await;
    assert_eq!(turn(&stage, 1, "0").await, Reply::Stale);
    stage.delete(&coupon).await;
    assert_eq!(turn(&stage, 1, "0").await, Reply::Stale);
}
