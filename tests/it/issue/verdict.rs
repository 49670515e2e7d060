//! Sold out without asking Redis: never wrong for winners, in force for others, and over in time.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use reqwest::{Method, StatusCode};
use serde_json::json;

use firstcome::domain::limits::{EMBARGO_MS, LEASE_MAX_MS};
use firstcome::domain::time::UnixMs;

use crate::support::crowd::Crowd;
use crate::support::eventually::{eventually, eventually_holds};
use crate::support::exact::assert_exactly;
use crate::support::line::Line;
use crate::support::server::{Answer, Server};
use crate::support::site::{Dialect, Site};

const VERDICT_REFUSALS: &str = "firstcome_issue_verdict_refusals_total";
/// Connections at once; two thousand refusals a second are no rush.
const CALLERS: usize = 16;

/// The time is what is tested here.
pub async fn later(ms: u64) {
    let since = Instant::now();
    let is_over = async || since.elapsed() >= Duration::from_millis(ms);
    eventually_holds("some time", is_over).await;
}

/// Calls of issue.lua that a server made; the other scripts have their own times.
async fn issue_calls(server: &Server) -> u64 {
    server.metric("firstcome_issue_wait_seconds_count").await as u64
}

/// Asks for new users on many connections for one second; returns how many got `sold_out`.
async fn refused_in_a_second(server: &Server, coupon: &str, round: usize) -> u64 {
    let until = Instant::now() + Duration::from_secs(1);
    let refused = join_all((0..CALLERS).map(async |caller| {
        let mut line = Line::open(&server.public).await.unwrap();
        let mut refused = 0;
        while Instant::now() < until {
            let user = format!("stranger-{round}-{caller}-{refused}");
            assert_eq!(line.issue(coupon, &user).await.unwrap().code(), "sold_out", "{user}");
            refused += 1;
        }
        refused
    }))
    .await;
    refused.into_iter().sum()
}

#[tokio::test]
async fn sold_out_costs_redis_a_hundredth_of_a_command_and_every_winner_is_told_the_same_again_i10()
{
    let site = Site::start(Dialect::Sqlite).await;
    let server = site.server(&[]).await;
    let other = site.server(&[]).await;
    server.prepare("summer", 1_000).await;
    let crowd = Crowd::new(&[&server.public], "summer");
    crowd.rush(0..1_000).await;
    let told = crowd.told();
    assert_eq!(told.tickets.len(), 1_000);

    let mut round = 0;
    eventually_holds(
        "one in a hundred refusals asks Redis, and who renews the lease",
        async || {
            round += 1;
            let (before, since) = (issue_calls(&server).await, Instant::now());
            let refused = refused_in_a_second(&server, "summer", round).await;
            let renewals = since.elapsed().as_millis() as u64 / (LEASE_MAX_MS / 2);
            issue_calls(&server).await - before <= refused / 100 + renewals
        },
    )
    .await;

    let strangers = async |server: &Server| {
        refused_in_a_second(server, "summer", 0).await;
    };
    let winners = async |server: &Server| {
        let mut line = Line::open(&server.public).await.unwrap();
        for (user, body) in &told.tickets {
            let again = line.issue("summer", user).await.unwrap();
            assert_eq!((again.status, &again.body), (StatusCode::OK, body), "{user}");
        }
    };
    let (first, second) = (&server, &other);
    tokio::join!(strangers(first), winners(first), strangers(second), winners(second));
    assert_exactly(&server, "summer", 1_000, &told).await;
}

/// Keeps a coupon's verdict in force at a server until the end of `during`.
async fn besieged<T>(servers: &[&Server], coupon: &str, during: impl Future<Output = T>) -> T {
    let siege = join_all(servers.iter().map(async |server| {
        let mut line = Line::open(&server.public).await.unwrap();
        for number in 0.. {
            // Whatever the answer is: a stranger may win too.
            line.issue(coupon, &format!("besieger-{number}")).await.unwrap();
        }
    }));
    tokio::select! {
        _ = siege => unreachable!("a siege has no end"),
        told = during => told,
    }
}

#[tokio::test]
async fn restocks_are_won_at_once_and_a_winner_is_believed_at_every_server_i8_i10() {
    let site = Site::start(Dialect::Sqlite).await;
    let servers = [site.server(&[]).await, site.server(&[]).await];
    servers[0].prepare("summer", 1).await;
    let mut told = HashMap::new();
    told.insert("ada".to_owned(), servers[0].issue("summer", "ada").await.body);
    let both = [&servers[0], &servers[1]];
    besieged(&both, "summer", async {
        for round in 0..12_u64 {
            // Both refuse from memory, so a filter is in force: the siege gives a name.
            for server in &servers {
                let refusals = async || server.metric(VERDICT_REFUSALS).await;
                let before = refusals().await;
                eventually_holds("a filter", async || refusals().await > before).await;
            }
            // The siege takes some of them.
            let restocked = servers[0].restock("summer", 3, &format!("round-{round}")).await;
            assert_eq!(restocked.status, StatusCode::OK, "{}", restocked.body);
            let winners = join_all((0..4).map(|turn| win(&both, round, turn))).await;
            told.extend(winners.into_iter().flatten());
        }
    })
    .await;
    assert!(told.len() > 1, "nobody won a restock");
    for (user, body) in &told {
        for server in &servers {
            assert_eq!(&server.issue("summer", user).await.body, body, "{user}");
        }
    }
    let audit = servers[0].get("/coupons/summer/audit").await.json();
    assert_eq!(audit["ok"], json!(true), "{audit}");
}

/// One user asks both servers in turn until they win or all stock is gone again; then asks the
/// other server at once, and again within 200 ms: a winner never gets another answer (I10).
async fn win(servers: &[&Server; 2], round: u64, turn: usize) -> Option<(String, String)> {
    let user = format!("u{round}-{turn}");
    let deadline = Instant::now() + Duration::from_millis(EMBARGO_MS + 150);
    for place in (turn..).map(|number| number % 2) {
        let answer = servers[place].issue("summer", &user).await;
        if answer.status == StatusCode::OK {
            for pause_ms in [0, round * 16 % 200] {
                later(pause_ms).await;
                let again = servers[1 - place].issue("summer", &user).await;
                assert_eq!(again.body, answer.body, "{user} after {pause_ms} ms (I10)");
            }
            return Some((user, answer.body));
        }
        assert_eq!(answer.code(), "sold_out", "{}", answer.body);
        if Instant::now() > deadline {
            return None;
        }
    }
    None
}

#[tokio::test]
async fn pause_resume_restock_and_close_are_in_force_everywhere_after_150_ms_i8() {
    let site = Site::start(Dialect::Sqlite).await;
    let servers = [site.server(&[]).await, site.server(&[]).await];
    servers[0].prepare("summer", 1).await;
    servers[0].issue("summer", "ada").await;
    let both = [&servers[0], &servers[1]];
    let strangers_are_told = async |what: &str, answers: &[&str]| {
        later(EMBARGO_MS).await;
        for (number, server) in servers.iter().enumerate() {
            let told = server.issue("summer", &format!("{what}-{number}")).await.code();
            assert!(answers.contains(&told.as_str()), "after {what}: {told}");
        }
    };
    besieged(&both, "summer", async {
        strangers_are_told("selling", &["sold_out"]).await;
        for (act, answer) in [("pause", "paused"), ("resume", "sold_out")] {
            let path = format!("/admin/coupons/summer/{act}");
            assert_eq!(servers[0].post_as_admin(&path).await.status, StatusCode::OK);
            strangers_are_told(act, &[answer]).await;
        }
        // The siege would take a small restock before the strangers come.
        assert_eq!(servers[0].restock("summer", 100_000, "more").await.status, StatusCode::OK);
        strangers_are_told("a restock", &[""]).await;
        let closed = servers[0].post_as_admin("/admin/coupons/summer/close").await;
        assert_eq!(closed.status, StatusCode::OK);
        strangers_are_told("closing", &["closed"]).await;
    })
    .await;
}

#[tokio::test]
async fn before_the_window_nobody_asks_redis_and_it_opens_in_time() {
    let site = Site::start(Dialect::Sqlite).await;
    let server = site.server(&[]).await;
    let opens_at = UnixMs(firstcome::app::now().0 + 3_000);
    let definition = json!({
        "id": "soon", "name": "Soon", "total": 10, "opens_at": opens_at.to_string(),
    });
    server.prepare_as(&definition).await;
    let (before, since) = (issue_calls(&server).await, Instant::now());
    let mut line = Line::open(&server.public).await.unwrap();
    let mut asked = 0_u32;
    let first: Answer = loop {
        let told = line.issue("soon", "ada").await.unwrap();
        if told.code() != "not_open" {
            break told;
        }
        assert!(told.headers["retry-after"].parse::<u64>().unwrap() <= 3, "{:?}", told.headers);
        asked += 1;
    };
    assert_eq!(first.status, StatusCode::OK, "{}", first.body);
    let issued_at = first.json()["ticket"]["issued_at"].as_str().unwrap().to_owned();
    assert!(issued_at >= opens_at.to_string(), "{issued_at}");
    let calls = issue_calls(&server).await - before;
    let leases = since.elapsed().as_millis() as u64 / (LEASE_MAX_MS / 2) + 10;
    assert!(calls <= leases, "{calls} calls for {asked} answers");
}

#[tokio::test]
async fn a_coupon_that_opens_earlier_than_it_said_is_won_at_every_server_i10() {
    let site = Site::start(Dialect::Sqlite).await;
    let servers = [site.server(&[]).await, site.server(&[]).await];
    let both = [&servers[0], &servers[1]];
    for round in 0..5_u64 {
        let coupon = format!("soon{round}");
        let opens_at = UnixMs(firstcome::app::now().0 + 60_000).to_string();
        let definition =
            json!({ "id": coupon, "name": "Soon", "total": 1_000_000, "opens_at": opens_at });
        servers[0].prepare_as(&definition).await;
        besieged(&both, &coupon, async {
            let change = json!({ "opens_at": UnixMs(firstcome::app::now().0).to_string() });
            let path = format!("/admin/coupons/{coupon}");
            let moved = servers[1].send_as_admin(Method::PATCH, &path, &change).await;
            assert_eq!(moved.status, StatusCode::OK, "{}", moved.body);
            let first = eventually("the opening", async || {
                let told = servers[0].issue(&coupon, "ada").await;
                (told.code() != "not_open").then_some(told)
            })
            .await;
            assert_eq!(servers[1].issue(&coupon, "ada").await.body, first.body, "(I10)");
        })
        .await;
    }
}

#[tokio::test]
async fn an_id_that_nobody_knew_is_a_coupon_as_soon_as_it_is_preloaded() {
    let site = Site::start(Dialect::Sqlite).await;
    let servers = [site.server(&[]).await, site.server(&[]).await];
    for server in &servers {
        assert_eq!(server.issue("later", "ada").await.code(), "coupon_not_found");
    }
    servers[0].prepare("later", 1).await;
    let first = servers[0].issue("later", "ada").await;
    assert_eq!(first.status, StatusCode::OK, "{}", first.body);
    assert_eq!(servers[1].issue("later", "ada").await.body, first.body, "(I10)");
}
