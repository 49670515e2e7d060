//! The prover itself, where a whole server would be too quick or too slow to look at.

use std::sync::Arc;

use firstcome::app::now;
use firstcome::domain::act::{Change, NewAct};
use firstcome::domain::coupon::{Coupon, CouponId, Definition, Kind, State, Supply};
use firstcome::domain::doubt::Doubt;
use firstcome::domain::generation::Durability;
use firstcome::domain::who::Who;
use firstcome::reconcile::{Prover, Topology};
use firstcome::store::{Intended, Store};

use super::words;
use crate::support::eventually::eventually_holds;
use crate::support::redis::{PrivateRedis, handle};
use crate::support::store::open;

/// Whether a doubt says this.
fn says(words: &str) -> impl FnOnce(&Doubt) -> bool {
    move |doubt| doubt.to_string().contains(words)
}

/// A database with this many coupons whose preload is only intended.
async fn store_with_intended(dir: &std::path::Path, coupons: usize) -> Arc<dyn Store> {
    let store = open(&format!("sqlite:{}", dir.join("it.db").display()), 4).await.unwrap();
    for number in 0..coupons {
        let id = CouponId::parse(&format!("c{number}")).unwrap();
        let definition = Definition {
            id: id.clone(),
            name: "c".to_owned(),
            total: 5,
            per_user_limit: 1,
            opens_at: None,
            closes_at: None,
            valid_for: None,
            kind: Kind::FirstCome,
            supply: Supply::Counter,
        };
        let draft = Coupon {
            shard: id.shard(),
            definition,
            state: State::Draft,
            key_id: "k1".to_owned(),
            version: 1,
            act_no: 0,
            persisted: 0,
            created_at: now(),
        };
        assert!(store.insert_coupon(&draft).await.unwrap());
        let preload = NewAct {
            coupon_id: id,
            change: Change::Preload,
            idempotency_key: None,
            if_version: None,
            who: Who::Cli,
            at: now(),
        };
        assert!(matches!(store.intend_act(&preload).await.unwrap(), Intended::New(_)));
    }
    store
}

#[tokio::test]
async fn however_many_preloads_met_a_dead_redis_a_restart_on_its_own_data_is_proven() {
    let dir = tempfile::tempdir().unwrap();
    let mut redis = PrivateRedis::start().await;
    let store = store_with_intended(dir.path(), 0).await;
    let first = handle(redis.url());
    Prover::new(&first, store.clone(), Topology::Single, now).step().await;
    assert!(first.generation().proven().is_ok());
    store.close().await;
    let store = store_with_intended(dir.path(), 1_100).await;
    redis.crash_and_restart().await;
    let second = handle(redis.url());
    Prover::new(&second, store.clone(), Topology::Single, now).step().await;
    let accepted = second.generation().proven().unwrap();
    assert_eq!(accepted.generation_no, 2);
    store.close().await;
}

#[tokio::test]
async fn a_flush_between_the_look_and_the_count_is_not_the_new_truth_i3() {
    let dir = tempfile::tempdir().unwrap();
    let redis = PrivateRedis::start().await;
    let store = store_with_intended(dir.path(), 0).await;
    Prover::new(&handle(redis.url()), store.clone(), Topology::Single, now).step().await;
    store.close().await;
    let store = store_with_intended(dir.path(), 1).await;

    // Writes wait in their sequence, reads do not: the flush falls between the two.
    let () = redis.ask(&words("CLIENT PAUSE 60000 WRITE")).await;
    let waiting = async |count: &str| redis.info("blocked_clients").await == count;
    let of_second = handle(redis.url());
    let mut second = Prover::new(&of_second, store.clone(), Topology::Single, now);
    let flush_all = redis::cmd("FLUSHALL");
    let flush = redis.ask::<()>(&flush_all);
    let then_step = async {
        eventually_holds("the flush that waits", async || waiting("1").await).await;
        let resume = async {
            eventually_holds("the count that waits", async || waiting("2").await).await;
            let () = redis.ask(&words("CLIENT UNPAUSE")).await;
        };
        tokio::join!(second.step(), resume)
    };
    tokio::join!(flush, then_step);
    let told = of_second.generation().proven();
    assert!(told.as_ref().is_err_and(says("heartbeat is behind")), "{told:?}");
    second.step().await;
    assert!(of_second.generation().proven().is_err(), "the flushed count became the truth");
    store.close().await;
}

#[tokio::test]
async fn always_is_claimed_when_the_first_rewrite_has_ended_and_not_while_it_runs_i3() {
    let dir = tempfile::tempdir().unwrap();
    let redis = PrivateRedis::start().await;
    let store = store_with_intended(dir.path(), 0).await;
    let ours = handle(redis.url());
    let mut prover = Prover::new(&ours, store.clone(), Topology::Single, now);
    let () = redis.ask(&words("CONFIG SET appendonly no")).await;
    prover.step().await;
    let level = || ours.generation().proven().unwrap().durability;
    assert_eq!(level(), Durability::None);
    for number in 0..100 {
        let () = redis.ask(&words(&format!("SET other:{number} 1"))).await;
    }
    // So long that the prover looks at it in the middle.
    let () = redis.ask(&words("CONFIG SET rdb-key-save-delay 20000")).await;
    let () = redis.ask(&words("CONFIG SET appendonly yes")).await;
    prover.step().await;
    let told = level();
    assert_eq!(redis.info("aof_rewrite_in_progress").await, "1", "the machine is too slow");
    assert_eq!(told, Durability::None);
    let is_whole = async || {
        prover.step().await;
        level() == Durability::Always
    };
    eventually_holds("the end of the rewrite", is_whole).await;
    assert_eq!(redis.info("aof_rewrite_in_progress").await, "0");
    store.close().await;
}

/// A Redis whose coupon was preloaded, and that was killed and started again since.
async fn restarted(redis: &mut PrivateRedis, dir: &std::path::Path) -> Arc<dyn Store> {
    let store = store_with_intended(dir, 0).await;
    let visitor = handle(redis.url());
    Prover::new(&visitor, store.clone(), Topology::Single, now).visiting().step().await;
    let accepted = visitor.generation().proven().unwrap();
    assert_eq!(accepted.generation_no, 1, "nothing could be lost");
    store.close().await;
    let store = store_with_intended(dir, 1).await;
    redis.crash_and_restart().await;
    store
}

#[tokio::test]
async fn a_command_accepts_no_restart_before_a_server_did_and_who_only_looks_writes_nothing_i3_i5()
{
    let dir = tempfile::tempdir().unwrap();
    let mut redis = PrivateRedis::start().await;
    let store = restarted(&mut redis, dir.path()).await;
    let known = store.last_generation().await.unwrap();
    let as_it_is = || Prover::new(&redis.redis, store.clone(), Topology::Single, now);
    for mut prover in [as_it_is().visiting(), as_it_is().only_looking()] {
        prover.step().await;
        let told = redis.redis.generation().proven();
        assert!(told.as_ref().is_err_and(says("a server must")), "{told:?}");
        assert_eq!(store.last_generation().await.unwrap(), known);
    }
    as_it_is().step().await;
    assert_eq!(redis.redis.generation().proven().unwrap().generation_no, 2);
    as_it_is().visiting().step().await;
    assert!(redis.redis.generation().proven().is_ok());
    store.close().await;
}

#[tokio::test]
async fn who_only_looks_finds_a_fresh_redis_well_and_leaves_it_and_the_database_fresh() {
    let dir = tempfile::tempdir().unwrap();
    let redis = PrivateRedis::start().await;
    let store = store_with_intended(dir.path(), 0).await;
    let ours = handle(redis.url());
    Prover::new(&ours, store.clone(), Topology::Single, now).only_looking().step().await;
    assert!(ours.generation().proven().is_ok());
    assert_eq!(store.last_generation().await.unwrap(), None);
    assert_eq!(redis.world().await, []);
    store.close().await;
}

#[tokio::test]
async fn a_server_that_counted_more_than_a_restart_was_accepted_with_stops_all_others_i3_i5() {
    let dir = tempfile::tempdir().unwrap();
    let mut redis = PrivateRedis::start().await;
    let store = restarted(&mut redis, dir.path()).await;
    let counted = store.last_generation().await.unwrap().unwrap();
    let (run_id, replid) = (counted.run_id, counted.replid);
    let text = format!("1 {run_id} {replid} 1000 {}", counted.seen_at.0);
    std::fs::write(dir.path().join("heartbeat"), text).unwrap();
    let without_file = handle(redis.url());
    Prover::new(&without_file, store.clone(), Topology::Single, now).step().await;
    assert_eq!(without_file.generation().proven().unwrap().generation_no, 2);

    let with_file = handle(redis.url());
    let keeping = Prover::new(&with_file, store.clone(), Topology::Single, now);
    keeping.keeping_in(dir.path().to_owned()).step().await;
    let told = with_file.generation().proven();
    assert!(told.as_ref().is_err_and(says("older data")), "{told:?}");
    // The others learn it with their next count, or when they look anew.
    assert!(!store.beat(2, 1, now()).await.unwrap());
    Prover::new(&without_file, store.clone(), Topology::Single, now).step().await;
    let told = without_file.generation().proven();
    assert!(told.as_ref().is_err_and(says("was refused before")), "{told:?}");
    store.close().await;
}

#[tokio::test]
async fn a_damaged_count_makes_a_restart_doubtful_and_is_named_i3() {
    let dir = tempfile::tempdir().unwrap();
    let mut redis = PrivateRedis::start().await;
    let store = restarted(&mut redis, dir.path()).await;
    let heartbeat = dir.path().join("heartbeat");
    std::fs::write(&heartbeat, "").unwrap();
    let ours = handle(redis.url());
    let mut prover =
        Prover::new(&ours, store.clone(), Topology::Single, now).keeping_in(dir.path().to_owned());
    prover.step().await;
    let told = ours.generation().proven();
    assert!(told.as_ref().is_err_and(says(heartbeat.to_str().unwrap())), "{told:?}");
    std::fs::remove_file(&heartbeat).unwrap();
    prover.step().await;
    assert!(ours.generation().proven().is_ok());
    store.close().await;
}
