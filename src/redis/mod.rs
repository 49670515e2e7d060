//! The only way to Redis: connections, keys, and what is known about the life of its data.

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
pub mod stream;
pub mod stuck;
pub mod suspects;
pub mod terms;
pub mod tls;

use std::sync::Arc;
use std::time::{Duration, Instant};

use ::redis::aio::MultiplexedConnection;
use ::redis::io::tcp::TcpSettings;
use ::redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, IntoConnectionInfo, ProtocolVersion, RedisError,
    TlsCertificates, Value,
};

use deadpool_redis::{Connection, PoolError};

use crate::domain::limits::RESERVED_REDIS_CONNECTIONS;
use crate::telemetry::metrics;
pub use error::Error;
use generation::GenerationWatch;
use keys::Keys;
use preloaded::Preloaded;
use suspects::Suspects;

/// The result of a call to Redis.
pub type Result<T> = std::result::Result<T, Error>;

/// A reply that is text.
pub(crate) fn text(value: &Value) -> Option<&str> {
    match value {
        Value::BulkString(bytes) => std::str::from_utf8(bytes).ok(),
        Value::SimpleString(text) => Some(text),
        _ => None,
    }
}

/// How to reach Redis, and how long to wait for it.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `redis://…`, `rediss://…` or `redis+unix://…`.
    pub url: String,
    /// The certificate authorities that are trusted for a `rediss://` server, as PEM; `None`: those
    /// that the machine trusts.
    pub authorities_pem: Option<Vec<u8>>,
    /// The first part of every key, `[A-Za-z0-9_-]{1,32}`.
    pub key_prefix: String,
    /// How long to wait for the answer to a call; after that its outcome is unknown.
    pub response_timeout: Duration,
    /// Connections of the pool for everything but the hot path and the vital loops.
    pub pool_max_connections: usize,
}

/// Redis, cheap to clone.
#[derive(Clone)]
pub struct Redis {
    client: Client,
    pool: deadpool_redis::Pool,
    /// For the vital loops, so that a full pool cannot stop them.
    reserved: deadpool_redis::Pool,
    authorities_pem: Option<Vec<u8>>,
    response_timeout: Duration,
    keys: Arc<Keys>,
    generation: GenerationWatch,
    suspects: Suspects,
    preloaded: Preloaded,
}

impl Redis {
    /// Creates the handle; it does not connect yet.
    ///
    /// # Errors
    /// [`Error::Url`] when the URL is not a usable URL of Redis.
    pub fn new(settings: &Settings) -> Result<Self> {
        let unusable = |error: RedisError| Error::Url(error.to_string());
        let info = settings.url.as_str().into_connection_info().map_err(unusable)?;
        if let ConnectionAddr::Tcp(host, _) | ConnectionAddr::TcpTls { host, .. } = info.addr()
            && host.contains(',')
        {
            return Err(Error::Url("it names several servers".to_owned()));
        }
        // Without Nagle's algorithm: small writes must not wait for the ACK of earlier ones.
        let info = info.set_tcp_settings(TcpSettings::default().set_nodelay(true));
        // Replies are parsed in their RESP2 form, whatever the URL asks for.
        let settings_of_url = info.redis_settings().clone();
        let info = info.set_redis_settings(settings_of_url.set_protocol(ProtocolVersion::RESP2));
        let authorities = settings.authorities_pem.clone();
        let client = match info.addr() {
            ConnectionAddr::TcpTls { .. } => Client::build_with_tls(
                info,
                TlsCertificates { client_tls: None, root_cert: authorities },
            ),
            _ => Client::open(info),
        };
        let client = client.map_err(unusable)?;
        let limit = settings.response_timeout;
        Ok(Self {
            pool: pool::open(&client, limit, settings.pool_max_connections)?,
            reserved: pool::open(&client, limit, RESERVED_REDIS_CONNECTIONS)?,
            client,
            authorities_pem: settings.authorities_pem.clone(),
            response_timeout: limit,
            keys: Arc::new(Keys::new(&settings.key_prefix)),
            generation: GenerationWatch::new(),
            suspects: Suspects::default(),
            preloaded: Preloaded::default(),
        })
    }

    /// The name of our Redis user.
    pub(crate) fn user(&self) -> &str {
        self.client.get_connection_info().redis_settings().username().unwrap_or("default")
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
        let connected = self.client.get_multiplexed_async_connection_with_config(&config).await;
        connected.map_err(Error::of_connecting)
    }

    /// The shards of which this process preloaded a coupon.
    pub fn preloaded(&self) -> &Preloaded {
        &self.preloaded
    }

    /// The coupons whose keys may be lost.
    pub fn suspects(&self) -> &Suspects {
        &self.suspects
    }

    /// A pooled connection. Waits at most the response time-out until one is free and connected.
    pub(crate) async fn pooled(&self) -> Result<Connection> {
        let since = Instant::now();
        let connection = self.pool.get().await.map_err(|error| match error {
            PoolError::Backend(error) => Error::of_connecting(error),
            _ => Error::PoolExhausted,
        });
        metrics::pool_wait("redis", since.elapsed());
        connection
    }

    /// A handle that uses the reserved connections of the vital loops: other readers cannot use
    /// them up.
    pub(crate) fn with_reserved_pool(&self) -> Self {
        Self { pool: self.reserved.clone(), ..self.clone() }
    }

    /// The connections of the pool as (in use, idle), without the reserved ones.
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
