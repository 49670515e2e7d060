//! The first ticket of a shard.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use firstcome::domain::coupon::CouponId;

use crate::support::eventually::eventually_holds;
use crate::support::site::{Dialect, Site};

#[tokio::test]
async fn the_first_ticket_of_a_shard_becomes_a_row_as_soon_as_any_other() {
    let site = Site::start(Dialect::Sqlite).await;
    let server = site.server(&[]).await;
    let (mut waited, mut shards) = (Duration::ZERO, BTreeSet::new());
    let names = (0..).map(|number| format!("c{number}"));
    for coupon in names.filter(|name| shards.insert(CouponId::parse(name).unwrap().shard())).take(8)
    {
        server.prepare(&coupon, 1).await;
        let since = Instant::now();
        assert_eq!(server.issue(&coupon, "ada").await.status, 200);
        let is_row = async || server.stats(&coupon).await["persisted"] == 1;
        eventually_holds("the row", is_row).await;
        waited += since.elapsed();
    }
    assert!(waited < Duration::from_secs(3), "eight times a second: {waited:?}");
}
