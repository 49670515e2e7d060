//! One bad thing, or one busy persister, does not stop the others (I3 I9).

use std::time::{Duration, Instant};

use firstcome::domain::coupon::Shard;
use firstcome::domain::doubt::Doubt;
use firstcome::domain::limits::READ_FIRST_RECORDS;
use firstcome::persist::{Bounds, Step};
use firstcome::redis::generation::Life;
use firstcome::redis::keys::Keys;
use firstcome::telemetry::health::Health;
use redis::cmd;
use sqlx::postgres::PgConnection;
use sqlx::{Connection as _, raw_sql};
use tokio_util::sync::CancellationToken;

use super::bad_records::forged_into;
use super::{BOUNDS, Ground, run, summer, until_empty};
use crate::support::eventually::eventually_holds;
use crate::support::site::Dialect;
use crate::support::store::refuse;

/// Puts this many records into the stream of every shard, none of them good.
async fn fill_all_shards(ground: &Ground, records: usize) {
    for shard in Shard::all() {
        for _ in 0..records {
            let stream = Keys::new("fc").records(shard);
            let _: String = ground.site.redis.ask(&forged_into(&stream, "9", "1", "eve")).await;
        }
    }
}

#[tokio::test]
async fn a_read_takes_about_a_batch_over_all_shards_and_leaves_the_rest_to_other_persisters() {
    let ground = Ground::start(Dialect::Sqlite).await;
    // Nothing of the batch is acknowledged.
    refuse(&ground.site.database_url, "dead_letters", "id <> ''").await;
    fill_all_shards(&ground, 20).await;
    let bounds = Bounds { batch_max_tickets: 40, ..BOUNDS };
    let mut persister = ground.persister_with("one", bounds);
    persister.step().await;
    let first = 16 * READ_FIRST_RECORDS as u64;
    let pending = ground.depth().await.pending;
    assert!((1..=first + 40).contains(&pending), "{pending} records in hand");
}

#[tokio::test]
async fn a_batch_is_full_although_each_record_has_one_ticket() {
    let ground = Ground::start(Dialect::Sqlite).await;
    for user in 0..100 {
        ground.issue(user..user + 1).await;
    }
    let bounds = Bounds { batch_max_tickets: 60, ..BOUNDS };
    let mut persister = ground.persister_with("one", bounds);
    assert_eq!(persister.step().await, Step::Persisted(60));
    assert_eq!(persister.step().await, Step::Persisted(40));
}

#[tokio::test]
async fn a_shard_whose_stream_is_none_holds_up_no_other_and_is_a_warning_i3() {
    let ground = Ground::start(Dialect::Sqlite).await;
    let other = Shard::all().find(|shard| *shard != summer().shard()).unwrap();
    let damaged = Keys::new("fc").records(other);
    ground.site.redis.ask::<()>(cmd("RPUSH").arg(&damaged).arg("no such type")).await;
    ground.issue(0..10).await;
    let health = Health::default();
    let mut persister = ground.persister("one").reporting_to(health.clone());
    assert_eq!(persister.step().await, Step::Persisted(10));
    let warnings = health.told().warnings.join("\n");
    let sentence = format!("shard {} cannot be read", other.number());
    assert!(warnings.contains(&sentence) && warnings.contains("WRONGTYPE"), "{warnings}");
    ground.site.redis.ask::<()>(cmd("DEL").arg(&damaged)).await;
    ground.issue(10..20).await;
    until_empty(&ground, &mut persister).await;
    eventually_holds("no warning", async || {
        persister.step().await;
        health.told().warnings.is_empty()
    })
    .await;
}

#[tokio::test]
async fn a_stop_while_this_life_of_redis_is_not_proven_waits_for_nothing() {
    let ground = Ground::start(Dialect::Sqlite).await;
    ground.issue(0..10).await;
    ground.site.redis.redis.generation().publish(Life::Doubtful(Doubt::Loading));
    let stopped = CancellationToken::new();
    stopped.cancel();
    let since = Instant::now();
    run(ground.persister("one"), stopped).await;
    assert!(since.elapsed() < Duration::from_secs(15), "{:?}", since.elapsed());
    assert_eq!(ground.depth().await.unpersisted, 10);
}

#[tokio::test]
async fn a_persister_makes_no_stream_and_no_group_in_an_empty_redis() {
    let ground = Ground::start(Dialect::Sqlite).await;
    ground.site.redis.ask::<()>(cmd("FLUSHALL").arg("SYNC")).await;
    let mut persister = ground.persister("one");
    for _ in 0..3 {
        assert_eq!(persister.step().await, Step::Idle);
    }
    assert_eq!(ground.site.redis.world().await, []);
}

/// Rows of user `u0` take longer than a statement may.
const STUCK: &str = "
    CREATE FUNCTION stuck() RETURNS trigger LANGUAGE plpgsql
        AS 'BEGIN IF NEW.user_id = ''u0'' THEN PERFORM pg_sleep(20); END IF; RETURN NEW; END';
    CREATE TRIGGER stuck BEFORE INSERT ON tickets FOR EACH ROW EXECUTE FUNCTION stuck();";

#[tokio::test]
async fn a_record_that_always_times_out_does_not_hold_up_those_behind_it_i3() {
    let ground = Ground::start(Dialect::Postgres).await;
    let mut database = PgConnection::connect(&ground.site.database_url).await.unwrap();
    raw_sql(STUCK).execute(&mut database).await.unwrap();
    for user in 0..6 {
        ground.issue(user..user + 1).await;
    }
    let health = Health::default();
    let bounds = Bounds { batch_max_tickets: 1, ..BOUNDS };
    let mut persister = ground.persister_with("one", bounds).reporting_to(health.clone());
    eventually_holds("the five others", async || {
        persister.step().await;
        ground.counts().await.rows == 5
    })
    .await;
    raw_sql("DROP TRIGGER stuck ON tickets").execute(&mut database).await.unwrap();
    until_empty(&ground, &mut persister).await;
    ground.assert_rows(6).await;
}
