//! Filters are built by one server at a time, with little load, and for coupons in turn.

use std::time::Instant;

use redis::cmd;
use reqwest::StatusCode;

use firstcome::domain::coupon::CouponId;
use firstcome::redis::keys::Keys;

use crate::issue::lease::{pages, until_a_filter_is_in_force};
use crate::support::eventually::eventually_holds;
use crate::support::server::Server;
use crate::support::site::{Dialect, Site};

/// A sold-out coupon of one ticket, with this many further holders.
async fn sell_out(site: &Site, server: &Server, coupon: &str, holders: usize) {
    server.prepare(coupon, 1).await;
    assert_eq!(server.issue(coupon, "ada").await.status, StatusCode::OK);
    let key = Keys::new("fc").holders(&CouponId::parse(coupon).unwrap());
    let numbers: Vec<usize> = (0..holders).collect();
    for some in numbers.chunks(10_000) {
        let mut set = cmd("HSET");
        set.arg(&key);
        some.iter().for_each(|number| {
            set.arg(format!("holder-{number}")).arg("9:UIfAaGV");
        });
        site.redis.ask::<()>(&set).await;
    }
    // So that Redis counts pages from now on.
    site.redis.ask::<redis::Value>(cmd("HSCAN").arg(&key).arg(0)).await;
}

/// Asks one server until it has begun to read holders.
async fn until_it_reads(site: &Site, server: &Server, coupon: &str) {
    let before = pages(site).await;
    eventually_holds("a page of holders", async || {
        assert_eq!(server.issue(coupon, "stranger").await.code(), "sold_out");
        pages(site).await > before
    })
    .await;
}

/// The time that Redis spent on pages of holders so far, in microseconds.
async fn usec(site: &Site) -> f64 {
    let figures = site.redis.info("cmdstat_hscan").await;
    let usec = figures.split("usec=").nth(1).and_then(|rest| rest.split(',').next());
    usec.unwrap().parse().unwrap()
}

#[tokio::test]
async fn three_servers_take_a_tenth_of_redis_for_their_filters_and_all_get_theirs() {
    let site = Site::start(Dialect::Sqlite).await;
    let servers = [site.server(&[]).await, site.server(&[]).await, site.server(&[]).await];
    sell_out(&site, &servers[0], "summer", 15_000).await;
    let since = Instant::now();
    let filters = servers.each_ref().map(|server| until_a_filter_is_in_force(server, "summer"));
    futures_util::future::join_all(filters).await;
    let share = usec(&site).await / since.elapsed().as_micros() as f64;
    assert!(share < 0.12, "{share} of the time of Redis");
    let enough = pages(&site).await;
    assert!((220..350).contains(&enough), "{enough} pages for three filters of 75");
}

#[tokio::test]
async fn a_small_coupon_does_not_wait_for_the_filter_of_a_large_one() {
    let site = Site::start(Dialect::Sqlite).await;
    let server = site.server(&[]).await;
    sell_out(&site, &server, "large", 200_000).await;
    server.prepare("small", 1).await;
    assert_eq!(server.issue("small", "ada").await.status, StatusCode::OK);
    until_it_reads(&site, &server, "large").await;
    until_a_filter_is_in_force(&server, "small").await;
    let read = pages(&site).await;
    assert!(read < 800, "{read} of 1,000 pages were read before");
}

#[tokio::test]
async fn the_turn_of_a_server_that_died_ends_by_itself() {
    let site = Site::start(Dialect::Sqlite).await;
    let other = site.server(&[]).await;
    let mut dead = site.server(&[]).await;
    sell_out(&site, &other, "summer", 40_000).await;
    until_it_reads(&site, &dead, "summer").await;
    dead.kill();
    until_a_filter_is_in_force(&other, "summer").await;
}
