//! The pools for everything that is not hot: one for create, preload, acts, audit and stats, and a
//! small one for what keeps the service alive. Why the hot path is on neither:
//! docs/decisions/0001-hot-path-not-on-the-pool.md.

use std::time::{Duration, Instant};

use ::redis::{AsyncConnectionConfig, Client};
use deadpool_redis::{Connection, Manager, Pool, PoolError, Runtime, Timeouts};

use super::{Error, Redis, Result, Settings};
use crate::telemetry::metrics;

/// Opens the pool; connects to nothing yet.
pub(super) fn open(client: &Client, settings: &Settings, max_size: usize) -> Result<Pool> {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(settings.response_timeout))
        .set_response_timeout(Some(settings.response_timeout));
    let info = client.get_connection_info().clone();
    let manager =
        Manager::new_with_config(info, config).map_err(|error| Error::Url(error.to_string()))?;
    let limit = Some(settings.response_timeout.max(Duration::from_millis(250)));
    let timeouts = Timeouts { wait: limit, create: limit, recycle: limit };
    Pool::builder(manager)
        .max_size(max_size)
        .timeouts(timeouts)
        .runtime(Runtime::Tokio1)
        .build()
        // Building fails only without a runtime for the time-outs, and one is given.
        .map_err(|_| Error::PoolExhausted)
}

impl Redis {
    /// A pooled connection. Waits at most for the response time-out, to connect and to be free.
    pub(crate) async fn pooled(&self) -> Result<Connection> {
        let since = Instant::now();
        let connection = self.pool.get().await.map_err(|error| match error {
            PoolError::Backend(error) => Error::of_connecting(error),
            _ => Error::PoolExhausted,
        });
        metrics::pool_wait("redis", since.elapsed());
        connection
    }

    /// A handle with the connections that are kept for the loops that keep the service alive: no
    /// crowd of readers can use them up.
    pub(crate) fn with_reserved_pool(&self) -> Self {
        Self { pool: self.reserved.clone(), ..self.clone() }
    }

    /// Connections of the pool, without the reserved ones: (in use, idle).
    pub fn pool_connections(&self) -> (usize, usize) {
        let status = self.pool.status();
        (status.size.saturating_sub(status.available), status.available)
    }

    /// Fails when Redis does not answer.
    ///
    /// # Errors
    /// Those of any call.
    pub async fn ping(&self) -> Result<()> {
        let mut connection = self.pooled().await?;
        ::redis::cmd("PING").query_async(&mut connection).await.map_err(Error::of_call)
    }
}
