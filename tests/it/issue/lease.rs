//! A lease counts from before its question was sent, however late the reply comes.

use reqwest::StatusCode;

use firstcome::domain::limits::LEASE_MAX_MS;

use crate::issue::verdict::later;
use crate::support::eventually::{eventually, eventually_holds};
use crate::support::line::Line;
use crate::support::proxy::Proxy;
use crate::support::server::Server;
use crate::support::site::{Dialect, Site};

const VERDICT_REFUSALS: &str = "firstcome_issue_verdict_refusals_total";

/// Asks until a user who gave a name is refused from memory: then a filter is in force.
async fn until_a_filter_is_in_force(server: &Server, coupon: &str) {
    let refusals = async || server.metric(VERDICT_REFUSALS).await;
    let before = refusals().await;
    let mut asked = 0;
    eventually_holds("a refusal from memory", async || {
        asked += 1;
        let told = server.issue(coupon, &format!("stranger-{asked}")).await;
        assert_eq!(told.code(), "sold_out", "{}", told.body);
        refusals().await > before
    })
    .await;
}

#[tokio::test]
async fn a_reply_that_comes_late_is_no_lease_and_a_winner_is_believed_i8_i10() {
    let site = Site::start(Dialect::Sqlite).await;
    let near = site.server(&[]).await;
    let proxy = Proxy::before(site.redis.url());
    let variables = [("REDIS_URL", proxy.url()), ("FIRSTCOME_REDIS_TIMEOUT_MS", "20000")];
    let far = site.server(&variables).await;
    near.prepare("summer", 1).await;
    assert_eq!(near.issue("summer", "ada").await.status, StatusCode::OK);

    for round in 0..3 {
        until_a_filter_is_in_force(&far, "summer").await;
        later(LEASE_MAX_MS + 10).await;
        let mut stranger = Line::open(&far.public).await.unwrap();
        proxy.hold_replies();
        stranger.ask("summer", "stranger").await.unwrap();
        eventually_holds("the question is answered", async || proxy.holds_a_reply()).await;
        let restocked = near.restock("summer", 1, &format!("round-{round}")).await;
        assert_eq!(restocked.status, StatusCode::OK, "{}", restocked.body);
        let winner = format!("winner-{round}");
        let won = eventually("a ticket", async || {
            let told = near.issue("summer", &winner).await;
            (told.status == StatusCode::OK).then_some(told)
        })
        .await;
        proxy.release_replies();
        assert_eq!(stranger.answer().await.unwrap().code(), "sold_out");
        let again = far.issue("summer", &winner).await;
        assert_eq!(again.body, won.body, "{winner}: the lease was over when it came (I10)");
    }
}
