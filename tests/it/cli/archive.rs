//! `firstcome coupon archive`.

use reqwest::StatusCode;

use super::{done, run};
use crate::support::eventually::eventually_holds;
use crate::support::server::Server;

#[tokio::test]
async fn only_a_closed_coupon_is_archived_and_twice_is_the_same_as_once_i7_i10() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path(), &[]).await.ready().await;
    server.prepare("summer", 5).await;
    let told = server.issue("summer", "ada").await;
    let early = run(dir.path(), "coupon archive summer");
    assert_eq!(early.code, Some(1));
    assert!(early.err.contains("only a closed coupon can be archived"), "{early:?}");
    let are_rows = async || server.stats("summer").await["rows"] == 1;
    eventually_holds("the row", are_rows).await;
    done(dir.path(), "coupon close summer --yes");
    for _ in 0..2 {
        let shown = done(dir.path(), "coupon archive summer --yes --output json").json();
        assert_eq!(shown["state"], "archived");
    }
    let again = server.issue("summer", "ada").await;
    assert_eq!((again.status, again.body), (StatusCode::OK, told.body));
    assert_eq!(server.issue("summer", "eve").await.code(), "closed");
    assert_eq!(done(dir.path(), "audit --all --output json").json()["audits"][0]["ok"], true);
    assert_eq!(run(dir.path(), "coupon archive nothing").code, Some(1));
}
