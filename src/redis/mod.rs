//! The only way to Redis: connections, keys, and what is known about the life of its data.

pub(crate) mod append_only;
pub mod deaths;
pub mod depth;
pub mod error;
pub mod facts;
pub mod generation;
pub mod holders;
pub mod hot;
pub mod keys;
pub mod pool;
pub mod preloaded;
pub mod presence;
pub(crate) mod right;
pub mod script;
mod sentinel;
mod server;
pub mod stream;
pub mod stuck;
pub mod suspects;
pub mod terms;
pub mod tls;

use std::sync::Arc;
use std::time::{Duration, Instant};

use ::redis::aio::MultiplexedConnection;
use ::redis::{AsyncConnectionConfig, Value};

use deadpool_redis::{Connection, PoolError};

use crate::domain::time::UnixMs;
use crate::telemetry::metrics;
pub use error::{Error, Result};
use generation::GenerationWatch;
use keys::Keys;
use preloaded::Preloaded;
use server::Servers;
pub use server::Settings;
use suspects::Suspects;

/// A reply that is text.
pub(crate) fn text(value: &Value) -> Option<&str> {
    match value {
        Value::BulkString(bytes) => std::str::from_utf8(bytes).ok(),
        Value::SimpleString(text) => Some(text),
        _ => None,
    }
}

/// Redis, cheap to clone.
#[derive(Clone)]
pub struct Redis {
    servers: Arc<Servers>,
    /// Whether this handle uses the reserved connections of the vital loops.
    is_vital: bool,
    authorities_pem: Option<Vec<u8>>,
    response_timeout: Duration,
    keys: Arc<Keys>,
    generation: GenerationWatch,
    suspects: Suspects,
    lacking_rows: Suspects,
    preloaded: Preloaded,
}

impl Redis {
    /// Creates the handle; it does not connect yet.
    ///
    /// # Errors
    /// [`Error::Url`] when the URL is not a usable URL of Redis.
    pub fn new(settings: &Settings) -> Result<Self> {
        Ok(Self {
            servers: Arc::new(Servers::new(settings)?),
            is_vital: false,
            authorities_pem: settings.authorities_pem.clone(),
            response_timeout: settings.response_timeout,
            keys: Arc::new(Keys::new(&settings.key_prefix)),
            generation: GenerationWatch::new(),
            suspects: Suspects::default(),
            lacking_rows: Suspects::default(),
            preloaded: Preloaded::default(),
        })
    }

    /// The name of our Redis user.
    pub(crate) fn user(&self) -> String {
        let server = self.servers.last();
        let settings = server.client.get_connection_info().redis_settings();
        settings.username().unwrap_or("default").to_owned()
    }

    /// Whether another server may take the place of this one: Sentinels name it.
    pub fn may_move(&self) -> bool {
        self.servers.may_move()
    }

    /// The names of all keys.
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// What this process knows about the life of the data.
    pub fn generation(&self) -> &GenerationWatch {
        &self.generation
    }

    /// A connection outside the pools, with the usual time-out; for the hot path.
    ///
    /// # Errors
    /// Those of connecting.
    pub async fn connect(&self) -> Result<MultiplexedConnection> {
        self.connect_within(self.response_timeout).await
    }

    /// A connection outside the pools whose calls may take this long; for blocking reads.
    pub(crate) async fn connect_within(&self, limit: Duration) -> Result<MultiplexedConnection> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.response_timeout))
            .set_response_timeout(Some(limit));
        let server = self.servers.newest().await?;
        let connected = server.client.get_multiplexed_async_connection_with_config(&config).await;
        connected.map_err(|error| {
            self.servers.failed();
            Error::of_connecting(error)
        })
    }

    /// The shards of which this process preloaded a coupon.
    pub fn preloaded(&self) -> &Preloaded {
        &self.preloaded
    }

    /// The coupons whose keys may be lost.
    pub fn suspects(&self) -> &Suspects {
        &self.suspects
    }

    /// Coupons with tickets that are in no record and have no rows.
    pub fn lacking_rows(&self) -> &Suspects {
        &self.lacking_rows
    }

    /// A pooled connection. Waits at most the response time-out until one is free and connected.
    pub(crate) async fn pooled(&self) -> Result<Connection> {
        let since = Instant::now();
        let server = self.servers.current().await?;
        let pool = if self.is_vital { &server.reserved } else { &server.pool };
        let connection = pool.get().await.map_err(|error| {
            self.servers.failed();
            match error {
                PoolError::Backend(error) => Error::of_connecting(error),
                _ => Error::PoolExhausted,
            }
        });
        metrics::pool_wait("redis", since.elapsed());
        connection
    }

    /// A handle that uses the reserved connections of the vital loops: other readers cannot use
    /// them up.
    pub(crate) fn with_reserved_pool(&self) -> Self {
        Self { is_vital: true, ..self.clone() }
    }

    /// The connections of the pool as (in use, idle), without the reserved ones.
    pub fn pool_connections(&self) -> (usize, usize) {
        let status = self.servers.last().pool.status();
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

    /// The clock of Redis.
    ///
    /// # Errors
    /// Those of any call.
    pub async fn time(&self) -> Result<UnixMs> {
        let mut connection = self.pooled().await?;
        let time = ::redis::cmd("TIME").query_async(&mut connection).await;
        let (seconds, microseconds): (i64, i64) = time.map_err(Error::of_call)?;
        Ok(UnixMs(seconds * 1_000 + microseconds / 1_000))
    }
}
