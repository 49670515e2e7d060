//! A replica took the place of its master, behind the same address.

use std::os::unix::fs::symlink;

use reqwest::StatusCode;

use super::{free_port, words};
use crate::support::eventually::eventually_holds;
use crate::support::redis::PrivateRedis;
use crate::support::site::{Dialect, Site};

#[tokio::test]
async fn a_promoted_replica_is_no_restart_and_no_stranger_is_told_a_serial_i1_i3_i5() {
    let mut site = Site::start(Dialect::Sqlite).await;
    // One address, and behind it whoever is the master.
    let dir = tempfile::tempdir().unwrap();
    let address = dir.path().join("redis.sock");
    symlink(site.redis.dir().join("redis.sock"), &address).unwrap();
    let url = format!("redis+unix://{}", address.display());
    let variables = [("REDIS_URL", url.as_str()), ("FIRSTCOME_PERSISTER", "off")];
    let server = site.server(&variables).await;
    server.prepare("summer", 50).await;

    let replica = PrivateRedis::start().await;
    let port = free_port();
    let () = site.redis.ask(&words("CONFIG SET repl-diskless-sync-delay 0")).await;
    let () = site.redis.ask(&words("CONFIG SET bind 127.0.0.1")).await;
    let () = site.redis.ask(&words(&format!("CONFIG SET port {port}"))).await;
    let () = replica.ask(&words(&format!("REPLICAOF 127.0.0.1 {port}"))).await;
    let is_synced = async || replica.info("master_link_status").await == "up";
    eventually_holds("the replica's data", is_synced).await;
    let warns = async || {
        let readiness = server.get("/readyz").await;
        readiness.status == StatusCode::OK && readiness.body.contains("has 1 replica")
    };
    eventually_holds("a warning of the replica", warns).await;

    // The link is cut, and what is told from now on the replica lacks.
    let () = replica.ask(&words("REPLICAOF 127.0.0.1 1")).await;
    for user in ["ada", "bob"] {
        let told = async || server.issue("summer", user).await.status == StatusCode::OK;
        eventually_holds("a ticket", told).await;
    }
    site.redis.crash().await;
    let () = replica.ask(&words("REPLICAOF NO ONE")).await;
    // As when less than a second was lost, so that the heartbeat tells nothing.
    let () = replica.ask(&words("SET fc:heartbeat 1000000")).await;
    std::fs::remove_file(&address).unwrap();
    symlink(replica.dir().join("redis.sock"), &address).unwrap();

    super::assert_not_ready(&server, "a replica may have been promoted").await;
    let world = replica.world().await;
    for user in ["ada", "bob", "new"] {
        super::assert_recovering(&server, "summer", user).await;
    }

    // Without replicas Redis forgets after a while whom it followed (`repl-backlog-ttl`).
    let () = replica.ask(&words("CONFIG SET repl-backlog-ttl 1")).await;
    let forgot = async || replica.info("master_replid2").await == "0".repeat(40);
    eventually_holds("that it forgot its master", forgot).await;
    drop(server);
    let server = site.listening(&variables).await;
    super::assert_not_ready(&server, "was refused before").await;
    super::assert_recovering(&server, "summer", "new").await;
    assert!(replica.world().await == world, "something was written to the promoted one");
}
