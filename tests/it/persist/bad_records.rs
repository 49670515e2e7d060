//! What nobody can write holds up nobody, and is not lost: it is a dead letter (I3 I9).

use std::collections::BTreeSet;

use firstcome::persist::Step;
use firstcome::redis::depth;
use firstcome::redis::depth::Depth;
use firstcome::store::Counts;
use firstcome::telemetry::health::{Health, Report};
use redis::Cmd;

use super::{Ground, stream, summer};
use firstcome::domain::record::FIELD;

use crate::support::crowd::Crowd;
use crate::support::eventually::eventually_holds;
use crate::support::exact::assert_exactly;
use crate::support::server::{Server, command};
use crate::support::site::{Dialect, Site};
use crate::support::store::{accept, refuse};

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
async fn bad_records_become_dead_letters_and_the_good_ones_around_them_rows_i3() {
    for dialect in [Dialect::Sqlite, Dialect::Postgres] {
        let ground = Ground::start(dialect).await;
        ground.issue(0..10).await;
        let _: String = ground.site.redis.ask(&malformed()).await;
        ground.issue(10..20).await;
        let _: String = ground.site.redis.ask(&refused_by_the_database()).await;
        ground.issue(20..30).await;
        let mut persister = ground.persister("one");
        // All in one batch: it is refused as a whole, then bisected. Of the two tickets of the
        // refused record one fits.
        assert_eq!(persister.step().await, Step::Persisted(33));
        assert_eq!(ground.depth().await, Depth::default());
        let counts = ground.counts().await;
        assert_eq!((counts.rows, counts.contested), (31, 0));
        let letters = ground.store.list_dead_letters("", false, 10).await.unwrap();
        let raw: BTreeSet<&[u8]> = letters.iter().map(|letter| letter.raw.as_slice()).collect();
        let undecodable = b"9 summer 1 1 1764558001482 issue\n\neve".as_slice();
        let refused = b"1 summer 1 1099511627776 1764558001482 issue\n\nmal".as_slice();
        assert_eq!(raw, BTreeSet::from([undecodable, refused]));
        ground.issue(30..40).await;
        assert_eq!(persister.step().await, Step::Persisted(10));
    }
}

#[tokio::test]
async fn a_poison_ticket_is_parked_alone_and_its_neighbours_become_rows_i3_i9() {
    for dialect in [Dialect::Sqlite, Dialect::Postgres] {
        let ground = Ground::start(dialect).await;
        refuse(&ground.site.database_url, "tickets", "user_id = 'u17'").await;
        for from in [0, 10, 20] {
            ground.issue(from..from + 10).await;
        }
        let mut persister = ground.persister("one");
        assert_eq!(persister.step().await, Step::Persisted(30));
        assert_eq!(ground.depth().await, Depth::default());
        let counts = ground.counts().await;
        assert_eq!((counts.rows, counts.parked, counts.contested), (29, 1, 0));
        assert_eq!((counts.issued(), counts.out(), counts.last_serial), (30, 30, 30));
        let coupon = ground.store.find_coupon(&summer()).await.unwrap().unwrap();
        assert_eq!(coupon.persisted, 29);
        let letters = ground.store.list_dead_letters("", false, 10).await.unwrap();
        let [letter] = letters.as_slice() else { panic!("{letters:?}") };
        let ticket = letter.ticket().unwrap();
        assert_eq!((ticket.user_id.as_str(), ticket.serial.0), ("u17", 18));
        assert_eq!(letter.ticket_id, Some(ticket.id()));
        assert!(letter.reason.contains("refuse"), "{letter:?}");
        let code = if dialect == Dialect::Sqlite { "1811" } else { "23514" };
        assert_eq!(letter.class, code);
    }
}

#[tokio::test]
async fn a_database_that_refuses_dead_letters_is_away_and_nothing_is_acknowledged_i3() {
    for dialect in [Dialect::Sqlite, Dialect::Postgres] {
        let ground = Ground::start(dialect).await;
        let url = &ground.site.database_url;
        refuse(url, "tickets", "user_id = 'u7'").await;
        refuse(url, "dead_letters", "id <> ''").await;
        ground.issue(0..10).await;
        let health = Health::default();
        let mut persister = ground.persister("one").reporting_to(health.clone());
        let mut waited = 0;
        while waited < 3 {
            let step = persister.step().await;
            assert!(matches!(step, Step::Waited | Step::Idle), "{step:?}");
            waited += u32::from(step == Step::Waited);
        }
        assert_eq!(ground.depth().await.unpersisted, 10);
        assert_eq!(ground.counts().await, Counts::default());
        let warnings = health.told().warnings;
        assert!(warnings[0].contains("it stores no dead letter"), "{warnings:?}");
        accept(url, "dead_letters").await;
        super::until_empty(&ground, &mut persister).await;
        let counts = ground.counts().await;
        assert_eq!((counts.rows, counts.parked), (9, 1));
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
        assert_eq!(health.told(), Report::default(), "the others go on");
        let (contested, first) = ground.store.all_contested().await.unwrap().unwrap();
        assert_eq!((contested, &*first.to_string()), (tickets, "summer.3"));
    }
    let counts = ground.counts().await;
    assert_eq!((counts.rows, counts.contested), (10, 2));
}

#[tokio::test]
async fn bad_records_are_counted_and_a_server_goes_on_exactly_i1_i3() {
    let site = Site::start(Dialect::Sqlite).await;
    let server = site.server(&[]).await;
    server.prepare("summer", 200).await;
    for bad in [malformed(), forged("9", "2", "mal")] {
        let _: String = site.redis.ask(&bad).await;
    }
    let crowd = Crowd::new(&[&server.public], "summer");
    crowd.rush(0..300).await;
    assert_exactly(&server, "summer", 200, &crowd.told()).await;
    let letters = async || server.metric("firstcome_dead_letters").await;
    eventually_holds("both are dead letters", async || letters().await == 2.0).await;
    let ready = server.get("/readyz").await;
    assert!(ready.body.contains("2 dead letters wait for a decision"), "{}", ready.body);
    assert_eq!(depth::stream_depth(&site.redis.redis).await.unwrap(), Depth::default());
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
    let letters = async || server.metric("firstcome_dead_letters").await;
    eventually_holds("all are dead letters", async || letters().await == BAD as f64).await;
    let said = std::fs::read_to_string(&log).unwrap();
    assert!(said.contains("parked as dead letters"), "{said}");
    assert!(said.lines().count() < 20, "{} lines", said.lines().count());
}
