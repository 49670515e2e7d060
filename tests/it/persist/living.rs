//! Who lives keeps what it holds, and what the dead held is written within seconds (I3 I9).

use std::path::Path;
use std::time::{Duration, Instant};

use firstcome::domain::limits::TAKE_OVER_EVERY;
use firstcome::embedded::LocalRedis;
use firstcome::persist::{Bounds, Step};
use firstcome::redis::depth;
use firstcome::redis::keys::GROUP;
use redis::aio::MultiplexedConnection;
use redis::{cmd, pipe};
use sqlx::postgres::PgConnection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{Connection as _, raw_sql};

use super::bad_records::malformed;
use super::{BOUNDS, Ground, stream, until_empty};
use crate::support::eventually::{eventually_holds, let_pass};
use crate::support::postgres::{close_to_all, open_to_all};
use crate::support::redis::connect;
use crate::support::server::Server;
use crate::support::site::{Dialect, Site};

/// The most that a take-over may take, on a machine that does much else: it was 10 to 15 s.
const SOON: Duration = Duration::from_secs(7);

/// A row takes 16 ms, so that 150 of them are longer in hand than a silent persister's.
const SLOW: &str = "
    CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql
        AS 'BEGIN PERFORM pg_sleep(0.016); RETURN NEW; END';
    CREATE TRIGGER slow BEFORE INSERT ON tickets FOR EACH ROW EXECUTE FUNCTION slow();";

#[tokio::test]
async fn a_living_persister_in_a_long_transaction_is_not_robbed_i9() {
    let ground = Ground::start(Dialect::Postgres).await;
    let mut database = PgConnection::connect(&ground.site.database_url).await.unwrap();
    raw_sql(SLOW).execute(&mut database).await.unwrap();
    ground.issue(0..150).await;
    let bounds = || Bounds {
        take_over_idle: Duration::from_secs(1),
        take_over_every: Duration::from_millis(100),
        ..BOUNDS
    };
    let mut living = ground.persister_with("living", bounds());
    let mut other = ground.persister_with("other", bounds());
    let robber = async {
        let holds = async || ground.depth().await.pending == 1;
        eventually_holds("the record in living hands", holds).await;
        let mut stolen = 0;
        while ground.depth().await.pending > 0 {
            if let Step::Persisted(tickets) = other.step().await {
                stolen += tickets;
            }
        }
        stolen
    };
    let (step, _) = tokio::join!(living.step(), robber);
    assert_eq!(step, Step::Persisted(150), "acknowledged by who had read it");
    ground.assert_rows(150).await;
}

#[tokio::test]
async fn what_a_killed_persister_had_in_hand_is_written_by_another_soon_i3() {
    let site = Site::start(Dialect::Postgres).await;
    let server = site.server(&[("FIRSTCOME_PERSISTER", "off")]).await;
    server.prepare("summer", 10).await;
    let killed = site.worker(&[]);
    let mut database = PgConnection::connect(&site.database_url).await.unwrap();
    raw_sql("BEGIN; SELECT 1 FROM coupons FOR UPDATE").execute(&mut database).await.unwrap();
    server.issue("summer", "ada").await;
    let is_held = async || depth::stream_depth(&site.redis.redis).await.unwrap().pending == 1;
    eventually_holds("the record in the worker's hands", is_held).await;
    let _heir = site.worker(&[]);
    crate::support::processes::signal(killed.id(), rustix::process::Signal::KILL);
    raw_sql("COMMIT").execute(&mut database).await.unwrap();
    let since = Instant::now();
    let is_row = async || server.stats("summer").await["rows"] == 1;
    eventually_holds("the row", is_row).await;
    assert!(since.elapsed() < SOON, "it took {:?}", since.elapsed());
}

#[tokio::test]
async fn whoever_has_the_name_of_the_dead_has_at_once_what_it_held_i3() {
    let ground = Ground::start(Dialect::Postgres).await;
    ground.issue(0..10).await;
    let patient = || Bounds { take_over_idle: Duration::from_secs(3_600), ..BOUNDS };
    close_to_all(&ground.site.database_url).await;
    assert_eq!(ground.persister_with("owner", patient()).step().await, Step::Waited);
    open_to_all(&ground.site.database_url).await;
    let mut other = ground.persister_with("other", patient());
    assert_eq!(other.step().await, Step::Idle, "nobody else has it");
    until_empty(&ground, &mut ground.persister_with("owner", patient())).await;
    ground.assert_rows(10).await;
}

/// A connection of the test's own to the private Redis of an embedded server.
async fn inside(data_dir: &Path) -> MultiplexedConnection {
    connect(&LocalRedis::attach(data_dir).await.unwrap()).await
}

/// Who holds records of the coupon's shard.
async fn who_holds(redis: &mut MultiplexedConnection) -> Vec<String> {
    type Pending = (u64, Option<String>, Option<String>, Option<Vec<(String, String)>>);
    let mut ask = cmd("XPENDING");
    let pending: Pending = ask.arg(stream()).arg(GROUP).query_async(redis).await.unwrap();
    pending.3.unwrap_or_default().into_iter().map(|(name, _)| name).collect()
}

#[tokio::test]
async fn an_embedded_server_has_at_once_what_it_held_when_it_was_killed_i3() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = Server::start(dir.path(), &[]).await.ready().await;
    server.prepare("summer", 10).await;
    let file = SqliteConnectOptions::new().filename(dir.path().join("firstcome.db"));
    let mut database = SqliteConnection::connect_with(&file).await.unwrap();
    raw_sql("BEGIN IMMEDIATE").execute(&mut database).await.unwrap();
    server.issue("summer", "ada").await;
    let mut redis = inside(dir.path()).await;
    // The lock of the folder proves that no other owner lives: the name is enough (see the test
    // above), and no silence is waited for.
    let held = async || who_holds(&mut redis.clone()).await == ["owner"];
    eventually_holds("the record in the hands of the owner", held).await;
    server.kill();
    server.ended().await;
    raw_sql("COMMIT").execute(&mut database).await.unwrap();
    let server = Server::start(dir.path(), &[]).await.ready().await;
    let is_row = async || server.stats("summer").await["rows"] == 1;
    eventually_holds("the row", is_row).await;
    redis = inside(dir.path()).await;
    assert_eq!(who_holds(&mut redis).await, Vec::<String>::new());
}

#[tokio::test]
async fn an_embedded_server_takes_nothing_from_a_living_worker_beside_it_i9() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path(), &[]).await.ready().await;
    server.prepare("summer", 10).await;
    let mut redis = inside(dir.path()).await;
    let mut read = cmd("XREADGROUP");
    read.arg("GROUP").arg(GROUP).arg("worker").arg("STREAMS").arg(stream());
    // Both in one step, so that the server's own persister does not come first.
    let mut both = pipe();
    both.atomic().add_command(malformed()).ignore().add_command(read.clone().arg(">").take());
    both.ignore().exec_async(&mut redis).await.unwrap();
    let looks = Instant::now() + 4 * TAKE_OVER_EVERY;
    while Instant::now() < looks {
        read.clone().arg("0").exec_async(&mut redis).await.unwrap();
        assert_eq!(who_holds(&mut redis).await, ["worker"], "it lives, and was robbed");
        let_pass(Duration::from_millis(20)).await;
    }
}
