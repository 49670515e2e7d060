//! The list of coupons, as admins see it.

use crate::support::site::{Dialect, Site};

const COUPONS: usize = 100;

/// How often Redis read something that was sent to it.
async fn reads(site: &Site) -> usize {
    site.redis.info("total_reads_processed").await.parse().unwrap()
}

#[tokio::test]
async fn a_page_of_coupons_costs_one_trip_to_redis() {
    let site = Site::start(Dialect::Sqlite).await;
    let server = site.server(&[]).await;
    for number in 0..COUPONS {
        server.prepare(&format!("c{number}"), 1).await;
    }
    let _: () = site.redis.ask(redis::cmd("SCRIPT").arg("FLUSH")).await;
    let before = reads(&site).await;
    let page = server.get_as_admin("/admin/coupons?limit=1000").await.json();
    let reads = reads(&site).await - before;
    let coupons = page["coupons"].as_array().unwrap();
    assert_eq!(coupons.iter().filter(|coupon| coupon["state"] == "open").count(), COUPONS);
    // The loops of the server ask meanwhile, and a long trip is read in pieces of 16 KiB.
    assert!(reads < COUPONS / 2, "{reads} reads");
}
