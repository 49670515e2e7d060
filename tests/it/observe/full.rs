//! A Redis that runs, answers every question, and writes nothing.

use redis::cmd;
use serde_json::Value;

use crate::support::eventually::eventually;
use crate::support::server::{Answer, Server};
use crate::support::site::{Dialect, Site};

/// A server, and the Redis that it stands on.
struct Ground {
    site: Site,
    server: Server,
}

impl Ground {
    async fn start() -> Self {
        let site = Site::start(Dialect::Sqlite).await;
        let server = site.server(&[]).await;
        server.prepare("summer", 100).await;
        let ground = Self { site, server };
        ground.well().await;
        ground
    }

    async fn set(&self, name: &str, value: impl ToString) {
        let value = value.to_string();
        self.site.redis.ask::<()>(cmd("CONFIG").arg("SET").arg(name).arg(value)).await;
    }

    /// Asks until this list of `/readyz` has a sentence with all of these words.
    async fn told(&self, list: &str, words: &[&str]) -> Answer {
        eventually(&words.join(" … "), async || {
            let answer = self.server.get("/readyz").await;
            let told = answer.json();
            let mut sentences = told[list].as_array().unwrap().iter().filter_map(Value::as_str);
            let has_all = |told: &str| words.iter().all(|word| told.contains(word));
            sentences.any(has_all).then_some(answer)
        })
        .await
    }

    /// Asks until nothing is said any more, and a ticket is given.
    async fn well(&self) {
        eventually("nothing to say", async || {
            let told = self.server.get("/readyz").await.json();
            let is_empty = |list: &str| told[list].as_array().unwrap().is_empty();
            (is_empty("reasons") && is_empty("warnings")).then_some(())
        })
        .await;
        let answer = self.server.issue("summer", "whoever").await;
        assert_eq!(answer.status, 200, "{}", answer.body);
    }

    async fn refuses(&self, code: &str) {
        let answer = self.told("reasons", &["Redis refuses every write", code]).await;
        assert_eq!(answer.status, 503);
        let refused = self.server.issue("summer", "somebody-new").await;
        let told = (refused.status.as_u16(), refused.code());
        assert_eq!(told, (503, "recovering".to_owned()), "nothing happened: {}", refused.body);
    }
}

#[tokio::test]
async fn a_redis_at_its_maxmemory_is_a_reason_and_one_that_is_near_is_a_warning() {
    let ground = Ground::start().await;
    let ballast = "x".repeat(10_000_000);
    ground.site.redis.ask::<()>(cmd("SET").arg("ballast").arg(ballast)).await;
    let used: u64 = ground.site.redis.info("used_memory").await.parse().unwrap();
    ground.set("maxmemory", used * 100 / 95).await;
    let answer = ground.told("warnings", &["Redis uses 9", "% of its maxmemory"]).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    ground.set("maxmemory", 1).await;
    ground.refuses("OOM").await;
    ground.set("maxmemory", 0).await;
    ground.well().await;
}

#[tokio::test]
async fn a_redis_whose_snapshot_failed_is_a_reason_only_when_it_stops_writes() {
    let ground = Ground::start().await;
    // A folder stands where the file should go.
    std::fs::create_dir(ground.site.redis.dir().join("redis/dump.rdb")).unwrap();
    ground.set("save", "3600 1000000").await;
    ground.site.redis.ask::<()>(&cmd("BGSAVE")).await;
    ground.refuses("MISCONF").await;
    ground.told("warnings", &["the last snapshot of Redis failed"]).await;
    ground.set("stop-writes-on-bgsave-error", "no").await;
    let answer = eventually("readiness", async || {
        let answer = ground.server.get("/readyz").await;
        (answer.status == 200).then_some(answer)
    })
    .await;
    assert!(answer.body.contains("the last snapshot of Redis failed"), "{}", answer.body);
}

#[tokio::test]
async fn a_redis_that_misses_its_replicas_is_a_reason() {
    let ground = Ground::start().await;
    ground.set("min-replicas-to-write", 1).await;
    ground.refuses("NOREPLICAS").await;
    ground.set("min-replicas-to-write", 0).await;
    ground.well().await;
}
