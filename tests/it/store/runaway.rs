//! What a statement may take, and what becomes of one for which nobody waits any more.

use std::time::Duration;

use firstcome::domain::limits::STATEMENT_TIMEOUT;
use firstcome::domain::ticket::Serial;
use firstcome::store::Error;
use sqlx::postgres::PgConnection;
use sqlx::{Connection as _, raw_sql};

use super::{coupon_id, draft, find};
use crate::support::eventually::eventually_holds;
use crate::support::postgres::fresh_database;
use crate::support::store::open;

/// One test, because it waits for the bound.
#[tokio::test]
async fn a_statement_that_takes_too_long_is_ended_by_the_server_whoever_still_waits_for_it() {
    let url = fresh_database().await;
    let store = open(&url, 8).await.unwrap();
    let summer = coupon_id("summer");
    assert!(store.insert_coupon(&draft("summer")).await.unwrap());
    let mut owner = PgConnection::connect(&url).await.unwrap();
    let lock = "BEGIN; LOCK TABLE coupons, tickets, acts, generations IN ACCESS EXCLUSIVE MODE";
    raw_sql(lock).execute(&mut owner).await.unwrap();
    let mut watch = PgConnection::connect(&url).await.unwrap();
    let mut waiting = async || -> i64 {
        let sql = "SELECT COUNT(*) FROM pg_stat_activity
                   WHERE datname = current_database() AND wait_event_type = 'Lock'";
        sqlx::query_scalar(sql).fetch_one(&mut watch).await.unwrap()
    };
    let given_up = async {
        let patience = Duration::from_millis(500);
        let (one, two, three, four, five) = tokio::join!(
            tokio::time::timeout(patience, store.counts(&summer)),
            tokio::time::timeout(patience, store.tickets_of_coupon(&summer, Serial(0), 10)),
            tokio::time::timeout(patience, store.last_generation()),
            tokio::time::timeout(patience, store.find_act(&summer, 1)),
            tokio::time::timeout(patience, store.rename_coupon(&summer, "Winter")),
        );
        assert!(one.is_err() && two.is_err() && three.is_err() && four.is_err() && five.is_err());
    };
    let bound = STATEMENT_TIMEOUT + Duration::from_secs(3);
    let waited_for = tokio::time::timeout(bound, store.counts(&summer));
    let seen = eventually_holds("six statements", async || waiting().await == 6);
    let (late, (), ()) = tokio::join!(waited_for, given_up, seen);
    let refused = late.expect("it hangs").unwrap_err();
    assert!(matches!(refused, Error::Unavailable(_)), "{refused}");
    assert!(refused.to_string().contains("statement timeout"), "{refused}");
    let gone = async || waiting().await == 0;
    tokio::time::timeout(bound, eventually_holds("none is left", gone)).await.unwrap();
    raw_sql("COMMIT").execute(&mut owner).await.unwrap();
    assert_eq!(find(&*store, "summer").await, draft("summer"));
    store.close().await;
}
