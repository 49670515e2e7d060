//! A record that no persister survives is isolated, then parked; all others become rows (I3, I9).

use std::collections::BTreeMap;
use std::time::Duration;

use firstcome::lua::take_over::{Args, take_over};
use firstcome::persist::Step;
use firstcome::redis::keys::GROUP;
use firstcome::redis::stream::Reader;
use redis::{Value, cmd};

use super::{BOUNDS, Ground, stream, summer, until_empty};
use crate::support::eventually::eventually_holds;
use crate::support::site::Dialect;
use crate::support::store::{accept, execute, refuse};

/// A persister that takes over everything, reads the records after this id, and dies.
async fn dies_with(ground: &Ground, name: &str, after: &str, count: usize) {
    let accepted = ground.site.redis.accepted().await;
    let args = Args {
        accepted: &accepted,
        shard: summer().shard(),
        consumer: name,
        silent: Duration::ZERO,
        gone: Duration::from_secs(60),
        records_max: 512,
        is_start: true,
    };
    let redis = &ground.site.redis.redis;
    take_over(redis, &args).await.unwrap();
    let mut reader = Reader::new(redis.clone(), name, Duration::from_millis(1));
    let from = [(summer().shard(), after)];
    let read = reader.read(&accepted, &from, count, false).await.unwrap();
    assert!(!read.is_empty());
}

/// The pending records with their delivery counts, in order.
async fn deliveries(ground: &Ground) -> BTreeMap<String, u64> {
    let mut ask = cmd("XPENDING");
    ask.arg(stream()).arg(GROUP).arg("-").arg("+").arg(100);
    let all: Vec<(String, Value, Value, u64)> = ground.site.redis.ask(&ask).await;
    all.into_iter().map(|(id, _, _, deliveries)| (id, deliveries)).collect()
}

async fn ten_records(ground: &Ground) -> Vec<String> {
    for user in 0..10 {
        ground.issue(user..user + 1).await;
    }
    dies_with(ground, "first", ">", 100).await;
    deliveries(ground).await.into_keys().collect()
}

#[tokio::test]
async fn a_record_that_three_persisters_did_not_survive_is_parked_and_no_other_i3_i9() {
    for dialect in [Dialect::Sqlite, Dialect::Postgres] {
        let ground = Ground::start(dialect).await;
        let ids = ten_records(&ground).await;
        dies_with(&ground, "second", "0", 100).await;
        // Reads only the fifth, as a persister does that isolates its suspects.
        dies_with(&ground, "third", &ids[3], 1).await;
        let mut persister = ground.persister("fourth");
        until_empty(&ground, &mut persister).await;
        let counts = ground.counts().await;
        assert_eq!((counts.rows, counts.parked, counts.contested), (9, 1, 0));
        let letters = ground.store.list_dead_letters("", false, 10).await.unwrap();
        assert_eq!(letters[0].class, "deadly");
        assert_eq!(letters[0].ticket().unwrap().user_id.as_str(), "u4");
    }
}

/// Rows of user `u0` take longer than a statement may.
const STUCK: &str = "
    CREATE FUNCTION stuck() RETURNS trigger LANGUAGE plpgsql
        AS 'BEGIN IF NEW.user_id = ''u0'' THEN PERFORM pg_sleep(20); END IF; RETURN NEW; END';
    CREATE TRIGGER stuck BEFORE INSERT ON tickets FOR EACH ROW EXECUTE FUNCTION stuck();";

#[tokio::test]
async fn after_two_deaths_records_are_read_one_by_one_so_that_a_third_blames_only_one_i3() {
    let ground = Ground::start(Dialect::Postgres).await;
    let ids = ten_records(&ground).await;
    dies_with(&ground, "second", "0", 100).await;
    execute(&ground.site.database_url, STUCK).await;
    let mut third = ground.persister_with("third", BOUNDS);
    // Dropped in the middle of the transaction, as by a death.
    eventually_holds("the first record alone", async || {
        let _ = tokio::time::timeout(Duration::from_millis(500), third.step()).await;
        deliveries(&ground).await.get(&ids[0]) == Some(&2_000_001)
    })
    .await;
    let others: Vec<u64> = deliveries(&ground).await.into_values().skip(1).collect();
    assert_eq!(others, [2_000_000; 9], "nobody has read them since");
}

#[tokio::test]
async fn one_death_isolates_nothing_and_reads_alone_are_no_deaths_i3() {
    let ground = Ground::start(Dialect::Sqlite).await;
    let ids = ten_records(&ground).await;
    for _ in 0..5 {
        let accepted = ground.site.redis.accepted().await;
        let redis = ground.site.redis.redis.clone();
        let mut reader = Reader::new(redis, "first", Duration::from_millis(1));
        reader.read(&accepted, &[(summer().shard(), "0")], 100, false).await.unwrap();
    }
    assert_eq!(deliveries(&ground).await[&ids[0]], 6);
    let mut persister = ground.persister("second");
    until_empty(&ground, &mut persister).await;
    ground.assert_rows(10).await;
}

#[tokio::test]
async fn a_suspect_is_acquitted_when_only_the_database_was_away_i3() {
    let ground = Ground::start(Dialect::Sqlite).await;
    let ids = ten_records(&ground).await;
    dies_with(&ground, "second", "0", 100).await;
    let url = &ground.site.database_url;
    refuse(url, "tickets", "user_id = 'u0'").await;
    refuse(url, "dead_letters", "id <> ''").await;
    let mut third = ground.persister("third");
    eventually_holds("the try", async || third.step().await == Step::Waited).await;
    assert_eq!(deliveries(&ground).await[&ids[0]], 2_000_000, "a death now would not count");
    accept(url, "tickets").await;
    until_empty(&ground, &mut third).await;
    ground.assert_rows(10).await;
}
