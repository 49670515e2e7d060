//! A worker without its batcher would let its users wait for ever: its end is noticed.

use std::sync::Arc;
use std::time::Duration;

use firstcome::auth::Caller;
use firstcome::domain::code::CodeKeys;
use firstcome::domain::coupon::CouponId;
use firstcome::domain::user::{Claim, UserId};
use firstcome::issue::{Bounds, Issuer, Outcome, UnknownIds, Verdicts};
use firstcome::store::open;
use tokio::task::LocalSet;
use tokio_util::sync::CancellationToken;

use crate::support::server::CODE_KEYS;
use crate::support::site::{Dialect, Site};

#[tokio::test]
async fn a_batcher_that_ends_is_noticed_and_lets_nobody_wait() {
    let site = Site::start(Dialect::Sqlite).await;
    let store = open(&site.database_url, 2).await.unwrap();
    let keys = Arc::new(CodeKeys::parse(CODE_KEYS).unwrap());
    let bounds = Bounds {
        queue_max_requests: 16,
        group_max_requests: 16,
        backlog_max_tickets: 16,
        reopen_wait: Duration::ZERO,
    };
    let (redis, verdicts) = (&site.redis.redis, Arc::new(Verdicts::default()));
    let fallen = CancellationToken::new();
    let alive = fallen.clone().drop_guard();
    let tasks = LocalSet::new();
    let start = async {
        Issuer::start(redis, store, UnknownIds::default(), verdicts, keys, &bounds, alive)
    };
    let issuer = tasks.run_until(start).await;
    assert!(!fallen.is_cancelled(), "the batcher runs");
    // What a panic does to it too.
    drop(tasks);
    assert!(fallen.is_cancelled());
    let summer = CouponId::parse("summer").unwrap();
    let ada = Caller::named(UserId::parse("ada").unwrap());
    assert_eq!(issuer.issue(&summer, ada, Claim::FIRST).await, Outcome::Overloaded, "at once");
}
