//! A process that lacks something: a worker without its batcher would let users wait for ever, and
//! a server without a coupon's key cannot make the codes of its tickets.

use std::sync::Arc;
use std::time::Duration;

use firstcome::auth::Caller;
use firstcome::domain::code::CodeKeys;
use firstcome::domain::coupon::CouponId;
use firstcome::domain::outcome::Outcome;
use firstcome::domain::user::{Claim, UserId};
use firstcome::issue::{Bounds, Issuer, Shared};
use firstcome::redis::keys::Keys;
use futures_util::FutureExt as _;
use reqwest::StatusCode;
use tokio::task::LocalSet;
use tokio_util::sync::CancellationToken;

use crate::support::eventually::eventually_holds;
use crate::support::postgres;
use crate::support::server::CODE_KEYS;
use crate::support::site::{Dialect, Site};
use crate::support::store::open;

#[tokio::test]
async fn a_batcher_that_ends_is_noticed_and_lets_nobody_wait() {
    let site = Site::start(Dialect::Sqlite).await;
    let store = open(&site.database_url, 2).await.unwrap();
    let keys = Arc::new(CodeKeys::parse(CODE_KEYS).unwrap());
    let bounds = Bounds {
        queue_max_requests: 16,
        group_max_requests: 16,
        backlog_max_tickets: 16,
        queue_max_wait: Duration::from_secs(1),
        reopen_wait: Duration::ZERO,
    };
    let redis = &site.redis.redis;
    let fallen = CancellationToken::new();
    let alive = fallen.clone().drop_guard();
    let tasks = LocalSet::new();
    let start = async {
        let issuer = Issuer::start(redis, store, Shared::default(), keys, &bounds, alive);
        tokio::task::yield_now().await;
        issuer
    };
    let issuer = tasks.run_until(start).await;
    assert!(!fallen.is_cancelled(), "the batcher runs");
    let summer = CouponId::parse("summer").unwrap();
    let user = |name| Caller::named(UserId::parse(name).unwrap());
    let mut waiting = Box::pin(issuer.issue(&summer, user("ada"), Claim::FIRST));
    assert_eq!((&mut waiting).now_or_never(), None, "it waits in the queue");
    // What a panic does to the batcher too.
    drop(tasks);
    assert!(fallen.is_cancelled());
    assert_eq!(waiting.await, Outcome::OutcomeUnknown);
    let late = issuer.issue(&summer, user("bob"), Claim::FIRST);
    assert_eq!(late.await, Outcome::Overloaded, "at once");
}

#[tokio::test]
async fn a_server_that_lacks_the_key_of_a_coupon_takes_no_ticket_i4_i5() {
    let site = Site::start(Dialect::Sqlite).await;
    let server = site.server(&[]).await;
    server.prepare("summer", 10).await;
    let other_key = CODE_KEYS.replace("k1:", "k10:");
    let keyless = site.listening(&[("FIRSTCOME_CODE_KEYS", &other_key)]).await;
    let refused = async || keyless.issue("summer", "ada").await.code() == "recovering";
    eventually_holds("the proof of Redis, and a refusal", refused).await;
    let ready = keyless.get("/readyz").await;
    assert!(ready.body.contains("the code key k1 is not in FIRSTCOME_CODE_KEYS"), "{}", ready.body);
    assert_eq!(ready.json()["epoch"], 1, "Redis is proven: only the key is missing");
    assert!(refused().await);
    assert_eq!(server.stats("summer").await["issued"], 0, "refused, and nothing happened");
    assert_eq!(server.issue("summer", "ada").await.json()["ticket"]["serial"], 1);
    assert!(refused().await, "a holder is told at a server that has the key");
}

#[tokio::test]
async fn a_coupon_that_redis_lost_is_never_called_none_while_the_database_is_away_i4_i10() {
    let site = Site::start(Dialect::Postgres).await;
    let server = site.server(&[]).await;
    server.prepare("summer", 10).await;
    assert_eq!(server.issue("summer", "ada").await.status, StatusCode::OK);
    let lost = Keys::new("fc").coupon(&CouponId::parse("summer").unwrap());
    site.redis.ask::<()>(redis::cmd("DEL").arg(lost)).await;
    assert_eq!(server.issue("summer", "ada").await.code(), "recovering", "the database knows it");
    postgres::close_to_all(&site.database_url).await;
    for coupon in ["summer", "winter"] {
        let told = server.issue(coupon, "ada").await;
        let status = StatusCode::SERVICE_UNAVAILABLE;
        assert_eq!((told.status, told.code()), (status, "recovering".to_owned()), "{coupon}");
    }
}
