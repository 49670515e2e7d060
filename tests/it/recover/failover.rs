//! A replica takes the place of its master, and Sentinels tell where it is.

use std::time::Instant;

use super::{Told, assert_gives_the_rest, assert_persisted, issue_to, recovered};
use crate::support::crowd::Crowd;
use crate::support::eventually::eventually_holds;
use crate::support::postgres;
use crate::support::sentinel::Watched;
use crate::support::server::Server;

async fn servers(watched: &Watched, database_url: &str, dirs: &[tempfile::TempDir]) -> Vec<Server> {
    let url = watched.url();
    let variables =
        [("REDIS_URL", &*url), ("DATABASE_URL", database_url), ("FIRSTCOME_RECOVERY", "auto")];
    let mut servers = Vec::new();
    for dir in dirs {
        servers.push(Server::start(dir.path(), &variables).await.ready().await);
    }
    servers
}

#[tokio::test]
async fn failovers_of_both_kinds_end_by_themselves_and_lose_and_double_nothing_i1_i2_i3_i5_i10() {
    let mut watched = Watched::start().await;
    let database_url = postgres::fresh_database().await;
    let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let servers = servers(&watched, &database_url, &dirs).await;
    servers[0].prepare("summer", 60).await;
    let mut told = Told::new();
    issue_to(&servers[0], "summer", 0..20, &mut told).await;
    for (users, is_killed) in [(30, false), (40, true)] {
        match is_killed {
            true => watched.kill_master().await,
            false => watched.hand_over().await,
        }
        let since = Instant::now();
        for server in &servers {
            recovered(server, "summer").await;
        }
        eprintln!("killed: {is_killed}: back after {} ms", since.elapsed().as_millis());
        // A call that is in flight when Sentinel closes all connections is asked again.
        let crowd = Crowd::new(&[&servers[0].public, &servers[1].public], "summer");
        crowd.rush(0..users).await;
        for (user, body) in crowd.told().tickets {
            assert_eq!(*told.entry(user).or_insert_with(|| body.clone()), body);
        }
        assert_persisted(&servers[0], "summer", users).await;
        watched.is_whole(2).await;
    }
    assert_gives_the_rest(&servers[0], "summer", 60, &mut told).await;
}

#[tokio::test]
async fn a_server_without_the_database_stops_issuing_before_another_redis_is_taken_over_i1_i5() {
    let watched = Watched::start().await;
    let database_url = postgres::fresh_database().await;
    let dirs = [tempfile::tempdir().unwrap()];
    let servers = servers(&watched, &database_url, &dirs).await;
    servers[0].prepare("summer", 60).await;
    issue_to(&servers[0], "summer", 0..5, &mut Told::new()).await;
    postgres::close_to_all(&database_url).await;
    let stops = async || servers[0].issue("summer", "new").await.code() == "recovering";
    eventually_holds("that nothing is issued", stops).await;
    assert_eq!(servers[0].get("/readyz").await.status, 503);
    postgres::open_to_all(&database_url).await;
    recovered(&servers[0], "summer").await;
}
