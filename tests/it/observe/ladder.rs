//! What still works when a part is gone: the database slow, the database gone, Redis gone.

use reqwest::{Method, StatusCode};

use crate::support::eventually::eventually_holds;
use crate::support::plain_redis::PlainRedis;
use crate::support::postgres::OwnPostgres;
use crate::support::server::{Answer, Server, send};

async fn own(server: &Server, path: &str, user: &str) -> Answer {
    send(server.ask(Method::GET, path).header("X-User-Id", user)).await.unwrap()
}

#[tokio::test]
async fn each_loss_takes_away_only_what_needs_the_part_that_is_gone_i1_i3_i10() {
    let (mut redis, database) = (PlainRedis::start(&[]).await, OwnPostgres::start().await);
    let dir = tempfile::tempdir().unwrap();
    let (redis_url, database_url) = (redis.url.clone(), database.url());
    let variables = [
        ("REDIS_URL", &*redis_url),
        ("DATABASE_URL", &*database_url),
        ("FIRSTCOME_BACKLOG_MAX_TICKETS", "5"),
    ];
    let server = Server::start(dir.path(), &variables).await.ready().await;
    server.prepare("summer", 10).await;
    let first = server.issue("summer", "ada").await;
    let is_row = async || server.stats("summer").await["rows"] == 1;
    eventually_holds("the row", is_row).await;

    // The database hangs: tickets are issued until the bound, and holders get theirs.
    database.hang();
    let mut told = 0;
    let is_full = async || {
        let answer = server.issue("summer", &format!("late{told}")).await;
        told += usize::from(answer.status == StatusCode::OK);
        answer.code() == "backlog_full" && answer.headers.contains_key("retry-after")
    };
    eventually_holds("the bound", is_full).await;
    assert!((5..=9).contains(&told), "{told}");
    assert_eq!(server.issue("summer", "ada").await.body, first.body);
    database.go_on();
    let are_rows = async || server.stats("summer").await["rows"] == told + 1;
    eventually_holds("all rows", are_rows).await;

    // Redis is gone: nothing is issued, and tickets are looked up in the rows.
    redis.kill();
    let is_refused = async || {
        let answer = server.issue("summer", "new").await;
        assert!(answer.status == StatusCode::SERVICE_UNAVAILABLE, "{}", answer.body);
        answer.code() == "recovering" && answer.headers.contains_key("retry-after")
    };
    eventually_holds("the refusal", is_refused).await;
    let is_told = async || server.get("/readyz").await.status == StatusCode::SERVICE_UNAVAILABLE;
    eventually_holds("that it is told", is_told).await;
    let ticket = own(&server, "/tickets/summer.1", "ada").await.json();
    assert_eq!(ticket["code"], first.json()["ticket"]["code"]);
    let mine = own(&server, "/me/tickets", "ada").await.json();
    assert_eq!(mine["tickets"][0]["id"], "summer.1");

    redis.start_again().await;
    let is_back = async || server.issue("summer", "ada").await.body == first.body;
    eventually_holds("the same ticket", is_back).await;
    let audit = server.get("/coupons/summer/audit").await.json();
    assert_eq!((&audit["ok"], &audit["total"]), (&true.into(), &10.into()), "{audit}");
}
