//! When a verdict stays and when it ends: after a late reply, a pause, a change of the limit.

use reqwest::{Method, StatusCode};
use serde_json::json;

use firstcome::domain::limits::LEASE_MAX_MS;

use crate::issue::verdict::later;
use crate::support::eventually::{eventually, eventually_holds};
use crate::support::line::Line;
use crate::support::proxy::{Mode, Proxy};
use crate::support::server::Server;
use crate::support::site::{Dialect, Site};

const VERDICT_REFUSALS: &str = "firstcome_issue_verdict_refusals_total";

/// Asks until a user who gave a name is refused from memory: then a filter is in force.
pub async fn until_a_filter_is_in_force(server: &Server, coupon: &str) {
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
        proxy.set(Mode::Held);
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
        proxy.set(Mode::Open);
        assert_eq!(stranger.answer().await.unwrap().code(), "sold_out");
        let again = far.issue("summer", &winner).await;
        assert_eq!(again.body, won.body, "{winner}: the lease was over when it came (I10)");
    }
}

/// Pages of holders that Redis was asked for so far.
pub async fn pages(site: &Site) -> u64 {
    let figures = site.redis.info("cmdstat_hscan").await;
    let calls = figures.strip_prefix("calls=").and_then(|rest| rest.split(',').next());
    calls.unwrap().parse().unwrap()
}

#[tokio::test]
async fn no_filter_is_built_again_for_a_pause_a_resume_or_a_window_and_one_is_for_a_restock_i8_i10()
{
    let site = Site::start(Dialect::Sqlite).await;
    let server = site.server(&[]).await;
    server.prepare("summer", 1).await;
    let first = server.issue("summer", "ada").await;
    until_a_filter_is_in_force(&server, "summer").await;
    let before = pages(&site).await;
    for (act, answer) in [("pause", "paused"), ("resume", "sold_out")] {
        let path = format!("/admin/coupons/summer/{act}");
        assert_eq!(server.post_as_admin(&path).await.status, StatusCode::OK);
        // Longer than a filter is certain to be kept.
        later(1_200).await;
        assert_eq!(server.issue("summer", "stranger").await.code(), answer);
    }
    until_a_filter_is_in_force(&server, "summer").await;
    let change = json!({ "per_user_limit": 2 });
    let moved = server.send_as_admin(Method::PATCH, "/admin/coupons/summer", &change).await;
    assert_eq!(moved.status, StatusCode::OK, "{}", moved.body);
    later(LEASE_MAX_MS).await;
    until_a_filter_is_in_force(&server, "summer").await;
    assert_eq!(pages(&site).await, before, "a filter was built again");
    assert_eq!(server.issue("summer", "ada").await.body, first.body);

    assert_eq!(server.restock("summer", 1, "more").await.status, StatusCode::OK);
    let second = eventually("a ticket", async || {
        let told = server.issue("summer", "bob").await;
        (told.status == StatusCode::OK).then_some(told)
    })
    .await;
    until_a_filter_is_in_force(&server, "summer").await;
    assert!(pages(&site).await > before, "bob was never read");
    assert_eq!(server.issue("summer", "bob").await.body, second.body);
}
