//! A Redis that this release does not support is refused in one sentence: nothing is issued,
//! nothing is preloaded, nothing is written to it.

use std::process::Command;

use reqwest::StatusCode;
use tempfile::TempDir;

use crate::support::eventually::{eventually, eventually_holds};
use crate::support::plain_redis::PlainRedis;
use crate::support::server::{Server, command};

/// A server in front of this Redis, on a database of its own.
struct Refused {
    dir: TempDir,
    server: Server,
    url: String,
}

impl Refused {
    async fn by(redis: &PlainRedis, variables: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let url = redis.url.clone();
        let with = [&[("REDIS_URL", url.as_str())], variables].concat();
        let server = Server::start(dir.path(), &with).await;
        Self { dir, server, url }
    }

    /// `/readyz`, the doctor and preload say no, the first two with this sentence.
    async fn assert_says(&self, sentence: &str, variables: &[(&str, &str)]) {
        self.assert_not_ready(sentence).await;
        let with = [&[("REDIS_URL", self.url.as_str())], variables].concat();
        let mut doctor: Command = command(self.dir.path(), &with);
        let doctor = doctor.arg("doctor").output().unwrap();
        let told = String::from_utf8(doctor.stdout).unwrap();
        assert_eq!(doctor.status.code(), Some(1), "{told}");
        assert!(told.contains(sentence), "{told}");
        let new = serde_json::json!({ "id": "summer", "name": "summer", "total": 5 });
        self.server.send_as_admin(reqwest::Method::POST, "/admin/coupons", &new).await;
        let preload = self.server.post_as_admin("/admin/coupons/summer/preload").await;
        assert_eq!(preload.code(), "recovering", "{}", preload.body);
        assert_eq!(self.server.issue("summer", "ada").await.code(), "recovering");
    }

    async fn assert_not_ready(&self, sentence: &str) {
        eventually(&format!("/readyz to say {sentence:?}"), async || {
            let answer = self.server.get("/readyz").await;
            let is_refused = answer.status == StatusCode::SERVICE_UNAVAILABLE;
            (is_refused && answer.body.contains(sentence)).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn a_node_of_a_cluster_is_refused_with_all_slots_or_without_i3() {
    let node = PlainRedis::start(&["--cluster-enabled", "yes"]).await;
    let refused = Refused::by(&node, &[]).await;
    refused.assert_says("Redis is a node of a Redis Cluster", &[]).await;
    let () = node.ask("CLUSTER ADDSLOTSRANGE 0 16383").await;
    let is_up = async || node.ask::<String>("CLUSTER INFO").await.contains("cluster_state:ok");
    eventually_holds("the cluster", is_up).await;
    refused.assert_says("Redis is a node of a Redis Cluster", &[]).await;
    assert_eq!(node.ask::<u64>("DBSIZE").await, 0);
}

#[tokio::test]
async fn a_sentinel_is_refused_i1() {
    let sentinel = PlainRedis::sentinel().await;
    let refused = Refused::by(&sentinel, &[]).await;
    refused.assert_says("REDIS_URL leads to a Redis Sentinel", &[]).await;
}

#[tokio::test]
async fn a_replica_is_refused_i1() {
    let master = PlainRedis::start(&[]).await;
    let replica = PlainRedis::start(&["--replicaof", "127.0.0.1", &master.port.to_string()]).await;
    let refused = Refused::by(&replica, &[]).await;
    refused.assert_says("Redis is a replica: REDIS_URL must lead to its master", &[]).await;
    assert_eq!(master.ask::<u64>("DBSIZE").await, 0);
}

#[tokio::test]
async fn a_policy_that_may_evict_stock_stops_issuing_as_long_as_it_is_in_force_i1() {
    let redis = PlainRedis::start(&["--maxmemory-policy", "allkeys-lru"]).await;
    let refused = Refused::by(&redis, &[]).await;
    let sentence = "maxmemory-policy is allkeys-lru: an evicted key is lost stock";
    refused.assert_says(sentence, &[]).await;
    assert_eq!(redis.ask::<u64>("DBSIZE").await, 0);
    let () = redis.ask("CONFIG SET maxmemory-policy noeviction").await;
    let Refused { dir, server, url } = refused;
    let server = server.ready().await;
    server.post_as_admin("/admin/coupons/summer/preload").await;
    assert_eq!(server.issue("summer", "ada").await.status, StatusCode::OK);
    let () = redis.ask("CONFIG SET maxmemory-policy allkeys-random").await;
    let refused = Refused { dir, server, url };
    refused.assert_not_ready("maxmemory-policy is allkeys-random").await;
    assert_eq!(refused.server.issue("summer", "bob").await.code(), "recovering");
    let () = redis.ask("CONFIG SET maxmemory-policy volatile-lru").await;
    let server = refused.server.ready().await;
    assert_eq!(server.issue("summer", "bob").await.status, StatusCode::OK);
    let is_warned = async || {
        server.get("/readyz").await.json()["warnings"].to_string().contains("volatile-lru")
    };
    eventually_holds("the warning", is_warned).await;
}

#[tokio::test]
async fn a_replicated_redis_that_writes_without_a_replica_is_refused_i3() {
    let master = PlainRedis::start(&["--repl-diskless-sync-delay", "0"]).await;
    let replicated = [("FIRSTCOME_REDIS_TOPOLOGY", "replicated")];
    let refused = Refused::by(&master, &replicated).await;
    refused.assert_says("min-replicas-to-write", &replicated).await;
    assert_eq!(master.ask::<u64>("DBSIZE").await, 0);
    let port = master.port.to_string();
    let _replica = PlainRedis::start(&["--replicaof", "127.0.0.1", &port]).await;
    let () = master.ask("CONFIG SET min-replicas-to-write 1 min-replicas-max-lag 10").await;
    let server = refused.server.ready().await;
    server.post_as_admin("/admin/coupons/summer/preload").await;
    let is_issued = async || server.issue("summer", "ada").await.status == StatusCode::OK;
    eventually_holds("a ticket", is_issued).await;
    let single = [("REDIS_URL", refused.url.as_str())];
    let doctor = command(refused.dir.path(), &single).arg("doctor").output().unwrap();
    let told = String::from_utf8(doctor.stdout).unwrap();
    assert_eq!(doctor.status.code(), Some(1), "{told}");
    assert!(told.contains("FIRSTCOME_REDIS_TOPOLOGY is single"), "{told}");
}

#[test]
fn an_address_of_another_form_is_refused_with_the_forms_that_exist() {
    for url in [
        "redis+sentinel://127.0.0.1:26379",
        "redis-sentinel://127.0.0.1:26379",
        "redis+cluster://127.0.0.1:6379",
        "redis://127.0.0.1:6379,127.0.0.1:6380",
        "redis://a,b",
        "127.0.0.1:6379",
        "http://127.0.0.1",
        "redis://127.0.0.1:6379/three",
    ] {
        let dir = tempfile::tempdir().unwrap();
        let mut list = command(dir.path(), &[("REDIS_URL", url)]);
        let ended = list.args(["coupon", "list"]).output().unwrap();
        let told = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(ended.status.code(), Some(2), "{url}: {told}");
        assert!(told.contains("redis://[user:password@]host[:port][/number]"), "{url}: {told}");
        assert_eq!(dir.path().read_dir().unwrap().count(), 0, "{url}");
    }
}
