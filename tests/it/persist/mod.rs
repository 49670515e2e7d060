//! From the stream into the database: every ticket told becomes a row, once (I3 I9).

mod acknowledged;
mod bad_records;
mod bounded;
mod crash;
mod deaths;
mod first_look;
mod foreign;
mod lag;
mod living;
mod outage;
mod slow;
mod together;
mod unreadable;

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use firstcome::app;
use firstcome::domain::code::CodeKeys;
use firstcome::domain::coupon::{CouponId, Definition, Kind, Supply};
use firstcome::domain::record::SOURCE_ISSUE;
use firstcome::domain::user::{Claim, UserId};
use firstcome::domain::who::Who;
use firstcome::lua::issue::{Answer, Args, Reply, issue};
use firstcome::persist::{Bounds, Persister, Step};
use firstcome::prepare::Preparer;
use firstcome::redis::depth;
use firstcome::redis::depth::Depth;
use firstcome::redis::keys::Keys;
use firstcome::store::{Counts, Store};
use tokio_util::sync::CancellationToken;

use crate::support::server::CODE_KEYS;
use crate::support::site::{Dialect, Site};
use crate::support::store::open;

/// Short, so that the dead are found out soon.
const BOUNDS: Bounds = Bounds {
    batch_max_tickets: 200,
    batch_max_age: Duration::from_millis(1),
    read_block: Duration::from_millis(50),
    take_over_idle: Duration::from_millis(100),
    take_over_every: Duration::from_millis(50),
    gone_after: Duration::from_millis(500),
};

/// A Redis and a database with the coupon `summer`, and no process: persisters run in the test.
struct Ground {
    site: Site,
    store: Arc<dyn Store>,
}

impl Ground {
    async fn start(dialect: Dialect) -> Self {
        let site = Site::start(dialect).await;
        let store = open(&site.database_url, 8).await.unwrap();
        let keys = Arc::new(CodeKeys::parse(CODE_KEYS).unwrap());
        let preparer = Preparer::new(&site.redis.redis, store.clone(), keys, app::now);
        let definition = Definition {
            id: summer(),
            name: "Summer".to_owned(),
            total: 100_000,
            per_user_limit: 1,
            opens_at: None,
            closes_at: None,
            valid_for: None,
            kind: Kind::FirstCome,
            supply: Supply::Counter,
        };
        preparer.create(definition).await.unwrap();
        preparer.preload(&summer(), Who::Cli).await.unwrap();
        Self { site, store }
    }

    /// One script call, one record: a new ticket for each of these users.
    async fn issue(&self, users: Range<usize>) {
        let user = |number| UserId::parse(&format!("u{number}")).unwrap();
        let group: Vec<_> = users.map(|number| (user(number), Claim::FIRST)).collect();
        let accepted = self.site.redis.accepted().await;
        let args = Args {
            accepted: &accepted,
            backlog_max_tickets: 1_000_000,
            source: SOURCE_ISSUE,
            key_ids: "k1",
            coupon_id: &summer(),
            group: &group,
        };
        let redis = &self.site.redis.redis;
        let reply = issue(&mut redis.connect().await.unwrap(), redis.keys(), &args).await.unwrap();
        let Reply::Answered(answered) = reply else { panic!("{reply:?}") };
        assert!(answered.answers.iter().all(|answer| matches!(answer, Answer::Issued(_))));
    }

    fn persister(&self, consumer: &str) -> Persister {
        self.persister_with(consumer, BOUNDS)
    }

    fn persister_with(&self, consumer: &str, bounds: Bounds) -> Persister {
        let redis = &self.site.redis.redis;
        Persister::new(redis, self.store.clone(), consumer, bounds, || app::now().0)
    }

    async fn counts(&self) -> Counts {
        self.store.counts(&summer()).await.unwrap()
    }

    async fn depth(&self) -> Depth {
        depth::stream_depth(&self.site.redis.redis).await.unwrap()
    }

    /// Exactly this many rows, of as many holders, with serials up to it; nothing waits, and
    /// nothing was counted twice (I2 I3 I5 I9).
    async fn assert_rows(&self, tickets: usize) {
        let rows = tickets as u64;
        let expected = Counts { rows, last_serial: rows, ..Counts::default() };
        assert_eq!(self.counts().await, expected);
        assert_eq!(self.depth().await, Depth::default());
        let coupon = self.store.find_coupon(&summer()).await.unwrap().unwrap();
        assert_eq!(coupon.persisted, rows);
    }
}

/// How long a drain may take.
const GRACE: Duration = Duration::from_secs(20);

/// Steps until it is told to stop, then drains, as a server does.
async fn run(mut persister: Persister, stopped: CancellationToken) {
    while !stopped.is_cancelled() {
        tokio::select! {
            _ = persister.step() => {}
            () = stopped.cancelled() => {}
        }
    }
    tokio::time::timeout(GRACE, persister.drain()).await.expect("drained in time");
}

/// Steps until nothing waits any more; what was persisted on the way.
async fn until_empty(ground: &Ground, persister: &mut Persister) -> usize {
    let mut persisted = 0;
    crate::support::eventually::eventually("an empty stream", async || {
        if let Step::Persisted(tickets) = persister.step().await {
            persisted += tickets;
        }
        (ground.depth().await == Depth::default()).then_some(())
    })
    .await;
    persisted
}

fn summer() -> CouponId {
    CouponId::parse("summer").unwrap()
}

/// The stream of the coupon's records.
pub fn stream() -> String {
    Keys::new("fc").records(summer().shard())
}
