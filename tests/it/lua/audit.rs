//! `lua/audit.lua`.

use std::time::Duration;

use firstcome::domain::act::Return;
use firstcome::lua::audit::{Balance, Reply, audit};
use firstcome::lua::r#return::{Args, return_tickets};
use firstcome::redis::Error;
use firstcome::redis::stream::Reader;

use crate::lua::acts::embargo;
use crate::support::eventually::eventually;
use crate::support::stage::{Stage, TOKEN};

#[tokio::test]
async fn a_coupon_that_is_not_there_is_unknown() {
    let stage = Stage::empty().await;
    assert_eq!(audit(stage.redis(), &stage.coupon_id).await.unwrap(), Reply::Unknown);
    assert_eq!(stage.world().await, []);
}

#[tokio::test]
async fn it_tells_the_balance_of_one_instant_and_changes_nothing_i1_i2_i4_i5() {
    eventually("a test within one hold", async || {
        let stage = Stage::with_definition(|definition| {
            definition.total = 3;
            definition.per_user_limit = 2;
        })
        .await;
        stage.answered(&[("ada", 1), ("ada", 2)]).await;
        let mut reader = Reader::new(stage.redis().clone(), "one", Duration::from_millis(1));
        reader.read(&stage.accepted, &[(stage.coupon_id.shard(), ">")], 10, false).await.unwrap();
        stage.answered(&[("bob", 1)]).await;
        let returns = [Return { serial: 3, holder: "bob".to_owned() }];
        let args = Args { act: stage.act(2), returns: &returns };
        return_tickets(stage.redis(), &args).await.unwrap();
        embargo::renew(&stage).await;

        let before = stage.world().await;
        let told = stage.balance().await;
        embargo::still(&stage).await?;
        let expected = Balance {
            now: told.now,
            state: "open".to_owned(),
            epoch: 1,
            version: 2,
            total: 3,
            available: 0,
            remaining: 1,
            embargoed: 1,
            withheld: 0,
            issued: 3,
            returned: 1,
            last_serial: 3,
            holders: 3,
            per_user_limit: 2,
            opens_at: None,
            closes_at: None,
            act_no: 2,
            act_token: TOKEN.to_owned(),
            unwritten: None,
            shard_records: 2,
            shard_pending: 1,
            shard_unpersisted: 3,
        };
        assert_eq!(told, expected);
        assert_eq!(told.total, told.remaining + told.issued - told.returned);

        stage.flush_scripts().await;
        embargo::end(&stage).await;
        let told = stage.balance().await;
        assert_eq!((told.available, told.embargoed, told.remaining), (1, 0, 1));
        embargo::renew(&stage).await;
        let after = stage.world().await;
        let differing = before.iter().zip(&after).filter(|(before, after)| before != after);
        // The stock, because the test moved the end of the embargo.
        assert_eq!(differing.map(|(key, _)| &key.0).collect::<Vec<_>>(), [&stage.holders()]);
        Some(())
    })
    .await;
}

#[tokio::test]
async fn it_answers_when_memory_is_full_and_when_a_part_was_lost() {
    let stage = Stage::with(10).await;
    stage.answered(&[("ada", 1), ("bob", 1)]).await;
    stage.fill_memory().await;
    assert_eq!(stage.balance().await.issued, 2);
    stage.free_memory().await;

    let [_, _, records, unpersisted] = stage.keys();
    for key in [records, unpersisted] {
        stage.delete(&key).await;
    }
    stage.set_field("state", "recovering").await;
    let told = stage.balance().await;
    assert_eq!((told.state.as_str(), told.issued, told.holders), ("recovering", 2, 2));
    assert_eq!((told.shard_records, told.shard_pending, told.shard_unpersisted), (0, 0, 0));

    // The stock goes with the holders.
    stage.delete(&stage.holders()).await;
    let told = audit(stage.redis(), &stage.coupon_id).await.unwrap();
    assert_eq!(told, Reply::Unknown, "it is being recovered");
    stage.set_field("state", "open").await;
    let told = audit(stage.redis(), &stage.coupon_id).await;
    assert!(matches!(told, Err(Error::Malformed(_))), "{told:?}");
}

#[tokio::test]
async fn numbers_are_told_to_the_last_digit() {
    let stage = Stage::with(1_000_000_000).await;
    stage.set_field("last_serial", 1_099_511_627_775_u64).await;
    stage.set_field("version", 9_007_199_254_740_991_u64).await;
    stage.set_field("closes_at_ms", 253_402_300_799_999_i64).await;
    let told = stage.balance().await;
    assert_eq!((told.last_serial, told.version), ((1 << 40) - 1, (1 << 53) - 1));
    assert_eq!(told.closes_at.unwrap().0, 253_402_300_799_999);
    assert_eq!((told.available, told.remaining), (1_000_000_000, 1_000_000_000));
}

#[tokio::test]
async fn a_key_of_another_type_is_an_error_and_not_a_number() {
    for position in 0..4 {
        let stage = Stage::with(10).await;
        stage.spoil(&stage.keys()[position]).await;
        audit(stage.redis(), &stage.coupon_id).await.unwrap_err();
    }
}
