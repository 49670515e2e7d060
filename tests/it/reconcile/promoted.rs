//! A replica took the place of its master, behind the same address.

use std::os::unix::fs::symlink;

use reqwest::StatusCode;

use super::{free_port, words};
use crate::support::eventually::{eventually, eventually_holds};
use crate::support::redis::PrivateRedis;
use crate::support::server::Server;
use crate::support::site::{Dialect, Site};
use crate::support::store::open;

/// A site behind one address, and a replica of its Redis that may get this address.
struct Pair {
    site: Site,
    replica: PrivateRedis,
    dir: tempfile::TempDir,
}

impl Pair {
    async fn start() -> Self {
        let (site, replica) = (Site::start(Dialect::Sqlite).await, PrivateRedis::start().await);
        let dir = tempfile::tempdir().unwrap();
        symlink(site.redis.dir().join("redis.sock"), dir.path().join("redis.sock")).unwrap();
        Self { site, replica, dir }
    }

    fn url(&self) -> String {
        format!("redis+unix://{}", self.dir.path().join("redis.sock").display())
    }

    async fn replicate(&self) {
        let port = free_port();
        let () = self.site.redis.ask(&words("CONFIG SET repl-diskless-sync-delay 0")).await;
        let () = self.site.redis.ask(&words("CONFIG SET bind 127.0.0.1")).await;
        let () = self.site.redis.ask(&words(&format!("CONFIG SET port {port}"))).await;
        let () = self.replica.ask(&words(&format!("REPLICAOF 127.0.0.1 {port}"))).await;
        let is_synced = async || self.replica.info("master_link_status").await == "up";
        eventually_holds("the replica's data", is_synced).await;
    }

    /// The master dies, and the replica takes its place.
    async fn fail_over(&mut self) {
        self.site.redis.crash().await;
        let () = self.replica.ask(&words("REPLICAOF NO ONE")).await;
        let address = self.dir.path().join("redis.sock");
        std::fs::remove_file(&address).unwrap();
        symlink(self.replica.dir().join("redis.sock"), &address).unwrap();
    }
}

async fn told(server: &Server, user: &str) -> String {
    let is_told = async || {
        let answer = server.issue("summer", user).await;
        (answer.status == StatusCode::OK).then_some(answer.body)
    };
    eventually("a ticket", is_told).await
}

#[tokio::test]
async fn a_promoted_replica_with_all_that_was_told_goes_on_in_the_same_epoch_i1_i3_i5_i10() {
    let mut pair = Pair::start().await;
    let url = pair.url();
    let variables = [("REDIS_URL", url.as_str()), ("FIRSTCOME_PERSISTER", "off")];
    let servers = [pair.site.server(&variables).await, pair.site.server(&variables).await];
    servers[0].prepare("summer", 50).await;
    pair.replicate().await;
    let before = [told(&servers[0], "ada").await, told(&servers[1], "bob").await];
    let has_both = async || {
        let keys = firstcome::redis::keys::Keys::new("fc");
        let id = firstcome::domain::coupon::CouponId::parse("summer").unwrap();
        pair.replica.ask::<u64>(&words(&format!("HLEN {}", keys.holders(&id)))).await == 3
    };
    eventually_holds("the holders at the replica", has_both).await;
    // The last beats are missing.
    let () = pair.replica.ask(&words("REPLICAOF 127.0.0.1 1")).await;
    pair.fail_over().await;

    for (server, user) in servers.iter().rev().zip(["new", "newer"]) {
        told(server, user).await;
    }
    for (server, (user, body)) in servers.iter().rev().zip(["ada", "bob"].iter().zip(&before)) {
        assert_eq!(told(server, user).await, *body);
    }
    let stats = servers[0].stats("summer").await;
    assert_eq!((&stats["epoch"], &stats["last_serial"]), (&1.into(), &4.into()));
    let store = open(&pair.site.database_url, 1).await.unwrap();
    assert_eq!(store.last_generation().await.unwrap().unwrap().reason, "prefix");
}

#[tokio::test]
async fn a_promoted_replica_is_no_restart_and_no_stranger_is_told_a_serial_i1_i3_i5() {
    let mut pair = Pair::start().await;
    let url = pair.url();
    let variables = [("REDIS_URL", url.as_str()), ("FIRSTCOME_PERSISTER", "off")];
    let server = pair.site.server(&variables).await;
    server.prepare("summer", 50).await;
    pair.replicate().await;
    let warns = async || {
        let readiness = server.get("/readyz").await;
        readiness.status == StatusCode::OK && readiness.body.contains("has 1 replica")
    };
    eventually_holds("a warning of the replica", warns).await;

    // The link is cut, and what is told from now on the replica lacks.
    let () = pair.replica.ask(&words("REPLICAOF 127.0.0.1 1")).await;
    for user in ["ada", "bob"] {
        told(&server, user).await;
    }
    pair.fail_over().await;
    let replica = &pair.replica;
    // As when less than a second was lost, so that the heartbeat tells nothing.
    let () = replica.ask(&words("SET fc:heartbeat 1000000")).await;
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
    let server = pair.site.listening(&variables).await;
    super::assert_not_ready(&server, "was refused before").await;
    super::assert_recovering(&server, "summer", "new").await;
    assert!(replica.world().await == world, "something was written to the promoted one");
}
