//! The gauges: once a second they ask Redis and the database for their state, and report it.
//! Readers use the reports and wait for nobody, whatever hangs.

mod database;
mod question;
mod redis;

use std::sync::Arc;

use crate::domain::code::CodeKeys;
use crate::observe::Observer;
use crate::redis::depth::Depth;
use crate::telemetry::loops::Stepped;
use crate::telemetry::metrics;

use database::DatabaseGauge;
use redis::RedisGauge;

/// Watches both servers; its loop is [`Gauges::step`] repeated.
pub struct Gauges {
    observer: Observer,
    redis: RedisGauge,
    database: DatabaseGauge,
}

impl Gauges {
    /// Gauges for the Redis and the database of the observer. Before their first step they report
    /// nothing, and a process should not answer yet. `backlog_max_tickets` is how many tickets of
    /// a shard may wait for the database.
    pub fn new(observer: &Observer, keys: Arc<CodeKeys>, backlog_max_tickets: u64) -> Self {
        let Observer { redis, store, health, .. } = observer;
        Self {
            redis: RedisGauge::new(redis, backlog_max_tickets, health.clone()),
            database: DatabaseGauge::new(store.clone(), keys, health.clone()),
            observer: observer.clone(),
        }
    }

    /// Facts about both servers, one per line.
    pub fn told(&self) -> Vec<String> {
        let redis = self.redis.seen.as_ref().map(|(facts, _)| facts.version.as_str());
        let versions = redis.into_iter().chain(self.database.version.as_deref());
        let versions: Vec<&str> = versions.collect();
        let mut lines = Vec::new();
        if !versions.is_empty() {
            lines.push(format!("versions: {}", versions.join(", ")));
        }
        if let Some((_, depth)) = &self.redis.seen {
            let Depth { unpersisted, records, oldest_age, .. } = depth;
            lines.push(format!(
                "backlog: {unpersisted} tickets in {records} records, the oldest {} s old",
                oldest_age.as_secs()
            ));
        }
        lines
    }

    /// Looks once, at both at the same time, and reports. Takes half a second at most.
    pub async fn step(&mut self) -> Stepped {
        let (used, idle) = self.observer.redis.pool_connections();
        metrics::pool("redis", used, idle);
        let (used, idle) = self.observer.store.pool_connections();
        metrics::pool("database", used, idle);
        let (has_redis, has_database) = tokio::join!(self.redis.step(), self.database.step());
        let readiness = self.observer.readiness();
        metrics::readiness(readiness.reasons.len(), readiness.warnings.len());
        if has_redis && has_database { Stepped::Done } else { Stepped::Failed }
    }
}
