//! `lua/preload.lua`.

use firstcome::domain::coupon::CouponId;
use firstcome::domain::limits::{TOTAL_MAX, VALID_FOR_MAX_MS};
use firstcome::domain::time::{UnixMs, ValidFor};
use firstcome::lua::state::{StateChange, change_state};
use firstcome::redis::Error;
use redis::cmd;

use crate::support::stage::{Stage, words};

async fn said(stage: &Stage) -> String {
    words(&stage.preload(&stage.definition()).await.unwrap())
}

#[tokio::test]
async fn a_coupon_comes_with_all_its_stock_and_every_key_of_its_life_i1() {
    let stage = Stage::empty().await;
    let mut definition = stage.definition();
    definition.total = TOTAL_MAX;
    definition.per_user_limit = 100;
    definition.opens_at = Some(UnixMs(1));
    definition.closes_at = Some(UnixMs(253_402_300_799_999));
    definition.valid_for = ValidFor::from_ms(VALID_FOR_MAX_MS);
    let reply = stage.preload(&definition).await.unwrap();
    assert_eq!(words(&reply), "applied 1 1000000000 1000000000");

    let balance = stage.balance().await;
    assert_eq!(
        (balance.total, balance.available, balance.remaining),
        (TOTAL_MAX, TOTAL_MAX, TOTAL_MAX)
    );
    assert_eq!((balance.issued, balance.returned, balance.embargoed), (0, 0, 0));
    assert_eq!((balance.last_serial, balance.holders, balance.per_user_limit), (0, 0, 100));
    assert_eq!((balance.epoch, balance.version, balance.act_no), (1, 1, 1));
    assert_eq!((balance.opens_at, balance.closes_at), (definition.opens_at, definition.closes_at));
    assert_eq!(balance.state, "open");
    let answered = stage.answered(&[("ada", 1)]).await;
    assert_eq!((answered.key_id.as_str(), answered.valid_for), ("k1", definition.valid_for));
    assert_eq!((answered.total, answered.opens_at), (TOTAL_MAX, definition.opens_at));

    let mut world: Vec<String> = stage.world().await.into_iter().map(|(key, _)| key).collect();
    let mut keys = stage.keys().to_vec();
    world.sort();
    keys.sort();
    assert_eq!(world, keys);
}

/// In a packed list Redis walks over all holders to find one; the bound is 64 bytes of a value.
#[tokio::test]
async fn the_holders_are_a_hash_table_from_the_first_one_on_and_after_a_restart() {
    let mut stage = Stage::with(10).await;
    let encoding = async |stage: &Stage| -> String {
        stage.private.ask(cmd("OBJECT").arg("ENCODING").arg(stage.holders())).await
    };
    assert_eq!(encoding(&stage).await, "hashtable");
    stage.issue("ada").await;
    let stock: String = stage.private.ask(cmd("HGET").arg(stage.holders()).arg("")).await;
    assert!(stock.len() > 64, "{stock:?}");
    let () = stage.private.ask(&cmd("BGREWRITEAOF")).await;
    stage.private.crash_and_restart().await;
    assert_eq!(encoding(&stage).await, "hashtable");
}

#[tokio::test]
async fn repeated_it_gives_the_stored_result_and_puts_no_stock_back_i1_i4() {
    let stage = Stage::with(10).await;
    stage.issue("ada").await;
    let before = stage.world().await;
    assert_eq!(said(&stage).await, "applied 1 10 10");
    let anew = stage.preload_as(&stage.definition(), "another").await.unwrap();
    assert_eq!(words(&anew), "diverged 1", "another coupon that had this id");
    assert!(stage.world().await == before);

    change_state(stage.redis(), stage.act(2), StateChange::Pause).await.unwrap();
    let before = stage.world().await;
    assert_eq!(said(&stage).await, "out_of_order 2");
    assert!(stage.world().await == before);
}

#[tokio::test]
async fn another_generation_or_epoch_changes_nothing_i4() {
    let mut stage = Stage::empty().await;
    let own = stage.accepted.clone();
    for replid in ["0".repeat(40), String::new(), own.replid[..39].to_owned()] {
        stage.accepted.replid = replid;
        assert_eq!(said(&stage).await, "other_generation");
        assert_eq!(stage.world().await, []);
    }
    stage.accepted = own;
    said(&stage).await;
    stage.set_field("epoch", "10").await;
    let before = stage.world().await;
    stage.accepted.epoch = 9;
    assert_eq!(said(&stage).await, "stale_epoch 10");
    assert!(stage.world().await == before);
}

#[tokio::test]
async fn over_the_holders_of_a_lost_coupon_nothing_is_loaded_i1_i4() {
    let stage = Stage::with(10).await;
    stage.issue("ada").await;
    stage.delete(&stage.hash()).await;
    let before = stage.world().await;
    assert_eq!(said(&stage).await, "recovering");
    assert!(stage.world().await == before);
}

#[tokio::test]
async fn over_a_coupon_that_lost_a_field_nothing_is_loaded_i1_i4() {
    for name in ["terms", "epoch", "act_no", "act_token", "act_result"] {
        let stage = Stage::with(10).await;
        stage.issue("ada").await;
        stage.lose_field(name).await;
        stage.delete(&stage.keys()[1]).await;
        let before = stage.world().await;
        assert_eq!(said(&stage).await, "recovering", "without {name}");
        assert!(stage.world().await == before, "without {name}");
    }
}

#[tokio::test]
async fn a_shard_keeps_its_records_its_group_and_its_count_when_another_coupon_comes_i3() {
    let mut stage = Stage::with(10).await;
    stage.answered(&[("ada", 1), ("bob", 1)]).await;
    let [_, _, records, unpersisted] = stage.keys();
    let shard = stage.coupon_id.shard();
    let other = (0..).map(|n| CouponId::parse(&format!("c{n}")).unwrap());
    stage.coupon_id = other.into_iter().find(|id| id.shard() == shard).unwrap();
    let dump = async |key: &str| -> Vec<u8> { stage.private.ask(cmd("DUMP").arg(key)).await };
    let before = (dump(&records).await, dump(&unpersisted).await);
    assert_eq!(said(&stage).await, "applied 1 10 10");
    assert!((dump(&records).await, dump(&unpersisted).await) == before);
    assert_eq!(stage.balance().await.shard_unpersisted, 2);

    // A stream whose group is missing gets one that has read nothing.
    let mut destroy = cmd("XGROUP");
    destroy.arg("DESTROY").arg(&records).arg("persisters");
    stage.private.ask::<()>(&destroy).await;
    stage.delete(&stage.keys()[0]).await;
    stage.delete(&stage.keys()[1]).await;
    assert_eq!(said(&stage).await, "applied 1 10 10");
    let mut read = cmd("XREADGROUP");
    read.arg("GROUP").arg("persisters").arg("one").arg("STREAMS").arg(&records).arg(">");
    let entries: redis::streams::StreamReadReply = stage.private.ask(&read).await;
    assert_eq!(entries.keys[0].ids.len(), 1);
}

#[tokio::test]
async fn a_count_that_was_lost_is_not_made_anew_by_another_coupon_i3_i4() {
    let mut stage = Stage::with(10).await;
    stage.issue("ada").await;
    let [.., unpersisted] = stage.keys();
    stage.delete(&unpersisted).await;
    let shard = stage.coupon_id.shard();
    let other = (0..).map(|n| CouponId::parse(&format!("c{n}")).unwrap());
    stage.coupon_id = other.into_iter().find(|id| id.shard() == shard).unwrap();
    let before = stage.world().await;
    assert_eq!(said(&stage).await, "recovering");
    assert!(stage.world().await == before);
}

#[tokio::test]
async fn it_still_works_after_script_flush() {
    let stage = Stage::with(10).await;
    stage.flush_scripts().await;
    assert_eq!(said(&stage).await, "applied 1 10 10");
}

#[tokio::test]
async fn without_memory_or_with_a_key_of_another_type_nothing_is_written_i4() {
    let stage = Stage::empty().await;
    let [hash, holders, records, unpersisted] = stage.keys();
    for key in [&hash, &records, &unpersisted] {
        stage.spoil(key).await;
        let before = stage.world().await;
        stage.preload(&stage.definition()).await.unwrap_err();
        assert!(stage.world().await == before, "{key}");
        stage.delete(key).await;
    }
    stage.spoil(&holders).await;
    assert_eq!(said(&stage).await, "recovering");
    stage.delete(&holders).await;

    stage.fill_memory().await;
    let reply = stage.preload(&stage.definition()).await;
    assert!(matches!(reply, Err(Error::Refused(_))), "{reply:?}");
    assert_eq!(stage.world().await, []);
}

#[tokio::test]
async fn whoever_may_not_count_tickets_is_told_before_there_is_a_coupon_i3() {
    let stage = Stage::empty().await;
    stage.allow("-incrby").await;
    let reply = stage.preload(&stage.definition()).await;
    assert!(reply.is_err(), "{reply:?}");
    assert_eq!(stage.world().await, []);
    stage.allow("+incrby").await;
    assert_eq!(said(&stage).await, "applied 1 10 10");
}
