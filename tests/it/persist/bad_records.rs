//! A record that nobody can write holds up nobody, and is not lost (I3 I9).

use firstcome::persist::Step;
use firstcome::redis::depth;
use firstcome::telemetry::health::{Health, Report};
use redis::Cmd;

use super::{Ground, stream};
use firstcome::domain::record::FIELD;

use crate::support::crowd::Crowd;
use crate::support::eventually::eventually_holds;
use crate::support::exact::assert_exactly;
use crate::support::server::{Server, command};
use crate::support::site::{Dialect, Site};

/// XADD of a record of this version, with this first_serial and user_ids.
fn forged(version: &str, first_serial: &str, user_ids: &str) -> Cmd {
    forged_into(&stream(), version, first_serial, user_ids)
}

/// The same into the stream with this key.
pub(super) fn forged_into(stream: &str, version: &str, first_serial: &str, user_ids: &str) -> Cmd {
    let tickets = format!("{version} summer 1 {first_serial} 1764558001482 issue\n\n{user_ids}");
    let mut add = redis::cmd("XADD");
    add.arg(stream).arg("*").arg(FIELD).arg(tickets);
    add
}

/// No version that anybody knows.
pub(super) fn malformed() -> Cmd {
    forged("9", "1", "eve")
}

/// Well formed; only the serial of its second ticket is beyond what a row may have.
fn refused_by_the_database() -> Cmd {
    forged("1", "1099511627775", "eve\nmal")
}

#[tokio::test]
async fn bad_records_stay_pending_and_the_good_ones_around_them_become_rows_i3() {
    for dialect in [Dialect::Sqlite, Dialect::Postgres] {
        let ground = Ground::start(dialect).await;
        ground.issue(0..10).await;
        let _: String = ground.site.redis.ask(&malformed()).await;
        ground.issue(10..20).await;
        let _: String = ground.site.redis.ask(&refused_by_the_database()).await;
        ground.issue(20..30).await;
        let mut persister = ground.persister("one");
        // All in one batch: it is refused as a whole, then tried record by record.
        assert_eq!(persister.step().await, Step::Persisted(30));
        for _ in 0..30 {
            persister.step().await;
        }
        let depth = ground.depth().await;
        assert_eq!((depth.records, depth.pending, depth.unpersisted), (2, 2, 0));
        let counts = ground.counts().await;
        assert_eq!((counts.rows, counts.contested), (30, 0));
        ground.issue(30..40).await;
        let both = [persister.step().await, persister.step().await];
        assert!(both.contains(&Step::Persisted(10)), "{both:?}");
    }
}

#[tokio::test]
async fn another_ticket_with_a_taken_serial_or_claim_is_contested_and_never_swallowed_i9() {
    let ground = Ground::start(Dialect::Postgres).await;
    ground.issue(0..10).await;
    let health = Health::default();
    let mut persister = ground.persister("one").reporting_to(health.clone());
    assert_eq!(persister.step().await, Step::Persisted(10));
    assert_eq!(health.told(), Report::default());
    // The first of them comes twice, as when its acknowledgement was lost.
    for (tickets, serial, user) in [(1, "3", "eve"), (1, "3", "eve"), (2, "11", "u3")] {
        let _: String = ground.site.redis.ask(&forged("1", serial, user)).await;
        super::until_empty(&ground, &mut persister).await;
        let told = health.told();
        assert_eq!(told.reasons, [""; 0], "the others go on");
        let begins = format!("{tickets} ticket{} contested", [" is", "s are"][tickets - 1]);
        assert!(told.warnings[0].starts_with(&begins), "{told:?}");
        assert!(told.warnings[0].contains("summer.3"), "{told:?}");
    }
    let counts = ground.counts().await;
    assert_eq!((counts.rows, counts.contested), (10, 2));
    // It stays when all goes well again.
    ground.issue(10..20).await;
    super::until_empty(&ground, &mut persister).await;
    assert!(health.told().warnings[0].starts_with("2 tickets are contested"));
}

#[tokio::test]
async fn bad_records_are_counted_and_a_server_goes_on_exactly_i1_i3() {
    let site = Site::start(Dialect::Sqlite).await;
    let server = site.server(&[]).await;
    server.prepare("summer", 200).await;
    for bad in [malformed(), refused_by_the_database()] {
        let _: String = site.redis.ask(&bad).await;
    }
    let crowd = Crowd::new(&[&server.public], "summer");
    crowd.rush(0..300).await;
    assert_exactly(&server, "summer", 200, &crowd.told()).await;
    let refused = async || server.metric("firstcome_persist_poison_records").await;
    eventually_holds("both are counted", async || refused().await == 2.0).await;
    let depth = depth::stream_depth(&site.redis.redis).await.unwrap();
    assert_eq!((depth.records, depth.pending), (2, 2));
}

#[tokio::test]
async fn thousands_of_bad_records_are_a_few_lines_in_the_log_i3() {
    const BAD: usize = 3_000;
    let site = Site::start(Dialect::Sqlite).await;
    let variables = [("REDIS_URL", site.redis.url()), ("DATABASE_URL", &*site.database_url)];
    let mut serve = command(site.data_dir(), &variables);
    let log = site.data_dir().join("log");
    serve.arg("serve").stderr(std::fs::File::create(&log).unwrap());
    let server = Server::start_from(serve).ready().await;
    server.prepare("summer", 10).await;
    let mut bad = redis::pipe();
    for _ in 0..BAD {
        bad.add_command(malformed());
    }
    let mut connection = crate::support::redis::connect(site.redis.url()).await;
    let _: Vec<String> = bad.query_async(&mut connection).await.unwrap();
    let refused = async || server.metric("firstcome_persist_poison_records").await;
    eventually_holds("all are refused", async || refused().await == BAD as f64).await;
    let said = std::fs::read_to_string(&log).unwrap();
    assert!(said.contains("refused records stay pending"), "{said}");
    assert!(said.lines().count() < 20, "{} lines", said.lines().count());
}
