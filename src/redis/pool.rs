//! The pools for everything but the hot path: one for create, preload, acts, audit and stats, and a
//! small reserved one for the vital loops. Why the hot path uses neither:
//! docs/decisions/0001-hot-path-not-on-the-pool.md.

use std::time::Duration;

use ::redis::{AsyncConnectionConfig, Client};
use deadpool_redis::{Manager, Pool, Runtime, Timeouts};

use super::error::Error;

/// Creates the pool; it does not connect yet.
pub(super) fn open(
    client: &Client,
    response_timeout: Duration,
    max_size: usize,
) -> Result<Pool, Error> {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(response_timeout))
        .set_response_timeout(Some(response_timeout));
    let info = client.get_connection_info().clone();
    let manager =
        Manager::new_with_config(info, config).map_err(|error| Error::Url(error.to_string()))?;
    let limit = Some(response_timeout.max(Duration::from_millis(250)));
    let timeouts = Timeouts { wait: limit, create: limit, recycle: limit };
    Pool::builder(manager)
        .max_size(max_size)
        .timeouts(timeouts)
        .runtime(Runtime::Tokio1)
        .build()
        // Fails only without a runtime for the time-outs, and there is one.
        .map_err(|_| Error::PoolExhausted)
}
