//! The pools for everything that is not hot: one for create, preload, acts, audit and stats, and a
//! small one for what keeps the service alive. Why the hot path is on neither:
//! docs/decisions/0001-hot-path-not-on-the-pool.md.

use std::time::{Duration, Instant};

use ::redis::{AsyncConnectionConfig, Client};
use deadpool_redis::{Connection, Manager, Pool, PoolError, Runtime, Timeouts};

use super::{Error, Result, Settings};
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

/// A connection of a pool. Waits at most for the response time-out, to connect and to be free.
pub(super) async fn get(pool: &Pool) -> Result<Connection> {
    let since = Instant::now();
    let connection = pool.get().await.map_err(|error| match error {
        PoolError::Backend(error) => Error::of_connecting(error),
        _ => Error::PoolExhausted,
    });
    metrics::pool_wait("redis", since.elapsed());
    connection
}
