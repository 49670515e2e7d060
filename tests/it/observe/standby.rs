//! A database that answers every question and takes no rows.

use std::time::{Duration, Instant};

use crate::support::eventually::{eventually, eventually_holds};
use crate::support::postgres::OwnPostgres;
use crate::support::redis::PrivateRedis;
use crate::support::server::{Server, command};

#[tokio::test]
async fn a_standby_is_a_warning_until_it_is_promoted_and_then_every_ticket_becomes_a_row_i3() {
    let (redis, postgres) = (PrivateRedis::start().await, OwnPostgres::start().await);
    let dir = tempfile::tempdir().unwrap();
    let variables = [("REDIS_URL", redis.url()), ("DATABASE_URL", &postgres.url())];
    let server = Server::start(dir.path(), &variables).await.ready().await;
    server.prepare("summer", 10).await;
    let warns = async || {
        let answer = server.get("/readyz").await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.json()["warnings"].to_string()
    };
    eventually_holds("nothing to warn of", async || warns().await == "[]").await;

    postgres.restart_as_standby();
    let since = Instant::now();
    eventually_holds("the warning", async || {
        warns().await.contains("the database is read-only: it is a standby")
    })
    .await;
    assert!(since.elapsed() < Duration::from_secs(10), "{:?}", since.elapsed());
    assert_eq!(server.issue("summer", "meanwhile").await.status, 200);
    let doctor = command(dir.path(), &variables).arg("doctor").output().unwrap();
    let said = String::from_utf8(doctor.stdout).unwrap();
    assert_eq!(doctor.status.code(), Some(3), "{said}");
    assert!(said.contains("database: not reached: the database is read-only: it is"), "{said}");

    postgres.promote();
    eventually_holds("nothing to warn of", async || warns().await == "[]").await;
    eventually("the row", async || (server.stats("summer").await["rows"] == 1).then_some(())).await;
}
