//! The gauges of what waits: streams and pools, once a second.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::redis::Redis;
use crate::store::Store;
use crate::telemetry::metrics;

/// How often it looks.
const EVERY: Duration = Duration::from_secs(1);

/// Watches the backlog; its loop is [`Backlog::step`] repeated.
pub struct Backlog {
    redis: Redis,
    store: Arc<dyn Store>,
}

impl Backlog {
    /// A watcher of this Redis and this database.
    pub fn new(redis: &Redis, store: Arc<dyn Store>) -> Self {
        Self { redis: redis.clone(), store }
    }

    /// Repeats [`Backlog::step`] every second until shutdown.
    pub async fn run(self, shutdown: CancellationToken) {
        while !shutdown.is_cancelled() {
            if let Err(error) = self.step().await {
                tracing::debug!(%error, "the backlog cannot be seen");
            }
            tokio::select! {
                () = tokio::time::sleep(EVERY) => {}
                () = shutdown.cancelled() => {}
            }
        }
    }

    /// Looks once.
    ///
    /// # Errors
    /// When Redis does not answer; the gauges stay as they were.
    pub async fn step(&self) -> crate::redis::Result<()> {
        let (used, idle) = self.redis.pool_connections();
        metrics::pool("redis", used, idle);
        let (used, idle) = self.store.pool_connections();
        metrics::pool("database", used, idle);
        let depth = self.redis.stream_depth().await?;
        metrics::streams(depth.records, depth.pending, depth.unpersisted);
        Ok(())
    }
}
