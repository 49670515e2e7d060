//! A Redis that is given by its URL.

use crate::support::eventually::eventually_holds;
use crate::support::site::{Dialect, Site};

#[tokio::test]
async fn a_url_that_asks_for_resp3_is_served_like_any_other() {
    let site = Site::start(Dialect::Sqlite).await;
    let url = format!("{}?protocol=resp3", site.redis.url());
    let server = site.server(&[("REDIS_URL", &url)]).await;
    server.prepare("summer", 1).await;
    assert_eq!(server.issue("summer", "ada").await.status, 200);
    assert_eq!(server.issue("summer", "bob").await.code(), "sold_out");
    eventually_holds("the row", async || server.stats("summer").await["persisted"] == 1).await;
}
