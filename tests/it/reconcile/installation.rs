//! A Redis that belongs to another installation is changed by nothing.

use super::replaced::tell_a_ticket;
use super::{assert_fails_closed, words};
use crate::support::site::{Dialect, Site};

#[tokio::test]
async fn a_redis_of_another_installation_is_neither_used_nor_recovered_i1_i3() {
    let site = Site::start(Dialect::Sqlite).await;
    let server = site.server(&[("FIRSTCOME_RECOVERY", "auto")]).await;
    tell_a_ticket(&server).await;
    // An empty one would be recovered: both happen at one instant, so that no look falls between.
    let mut replace = redis::cmd("EVAL");
    replace.arg("redis.call('FLUSHALL') redis.call('SET', KEYS[1], ARGV[1])");
    let () = site.redis.ask(replace.arg(1).arg("fc:installation").arg("b".repeat(32))).await;
    assert_fails_closed(&site, &server, "belongs to another installation").await;
    let keys: Vec<String> = site.redis.ask(&words("KEYS *")).await;
    assert_eq!(keys, ["fc:installation"]);
}
