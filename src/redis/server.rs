//! The Redis server in use: one of a fixed address, or the one that Sentinels name. When they name
//! another one, connections are made anew.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ::redis::io::tcp::TcpSettings;
use ::redis::{
    Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo as _, ProtocolVersion, RedisError,
    TlsCertificates,
};

use super::error::{Error, Result};
use super::pool;
use super::sentinel::Sentinels;
use crate::domain::limits::RESERVED_REDIS_CONNECTIONS;

/// Sentinels are asked again at the first use after this time.
const ASKED_EVERY: Duration = Duration::from_secs(1);
/// They are not asked more often, also when a connection fails.
const ASKED_AT_MOST_EVERY: Duration = Duration::from_millis(100);

/// How to reach Redis, and how long to wait for it.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `redis://…`, `rediss://…`, `redis+unix://…` or `redis+sentinel://…`.
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

/// A server, and its pools.
pub(super) struct Server {
    pub(super) client: Client,
    /// For everything but the hot path.
    pub(super) pool: deadpool_redis::Pool,
    /// For the vital loops, so that a full pool cannot stop them.
    pub(super) reserved: deadpool_redis::Pool,
}

impl Server {
    fn open(info: ConnectionInfo, settings: &Settings) -> Result<Arc<Self>> {
        // Without Nagle's algorithm: small writes must not wait for the ACK of earlier ones.
        let info = info.set_tcp_settings(TcpSettings::default().set_nodelay(true));
        // Replies are parsed in their RESP2 form, whatever the URL asks for.
        let settings_of_url = info.redis_settings().clone();
        let info = info.set_redis_settings(settings_of_url.set_protocol(ProtocolVersion::RESP2));
        let certificates =
            TlsCertificates { client_tls: None, root_cert: settings.authorities_pem.clone() };
        let client = match info.addr() {
            ConnectionAddr::TcpTls { .. } => Client::build_with_tls(info, certificates),
            _ => Client::open(info),
        };
        let client = client.map_err(|error| Error::Url(error.to_string()))?;
        let limit = settings.response_timeout;
        Ok(Arc::new(Self {
            pool: pool::open(&client, limit, settings.pool_max_connections)?,
            reserved: pool::open(&client, limit, RESERVED_REDIS_CONNECTIONS)?,
            client,
        }))
    }
}

/// Finds the server.
pub(super) struct Servers {
    settings: Settings,
    /// `None` when the address is fixed.
    sentinels: Option<Sentinels>,
    known: Mutex<Known>,
    /// One caller asks at a time; the others use the server that is known.
    asking: tokio::sync::Mutex<()>,
}

struct Known {
    server: Arc<Server>,
    /// When the Sentinels were asked last; `None` before the first answer.
    asked_at: Option<Instant>,
    /// The Sentinel that is asked first.
    sentinel: usize,
    /// Whether a connection failed since.
    has_failed: bool,
}

impl Known {
    /// Whether it is time to ask again.
    fn is_due(&self, age_max: Duration) -> bool {
        let age_max = if self.has_failed { age_max.min(ASKED_AT_MOST_EVERY) } else { age_max };
        self.asked_at.is_none_or(|at| at.elapsed() >= age_max)
    }
}

impl Servers {
    /// # Errors
    /// [`Error::Url`] when the URL is not a usable URL of Redis.
    pub(super) fn new(settings: &Settings) -> Result<Self> {
        let sentinels = Sentinels::of_url(&settings.url)?;
        let info = match &sentinels {
            Some(sentinels) => sentinels.template().clone(),
            None => of_one_server(&settings.url)?,
        };
        let server = Server::open(info, settings)?;
        let known = Known { server, asked_at: None, sentinel: 0, has_failed: false };
        let (known, asking) = (Mutex::new(known), tokio::sync::Mutex::default());
        Ok(Self { settings: settings.clone(), sentinels, known, asking })
    }

    /// Whether Sentinels may name another server at any time.
    pub(super) fn may_move(&self) -> bool {
        self.sentinels.is_some()
    }

    /// The server that was used last.
    pub(super) fn last(&self) -> Arc<Server> {
        self.known().server.clone()
    }

    /// The server to use, for a call.
    ///
    /// # Errors
    /// [`Error::Unsent`] when no Sentinel has ever told one.
    pub(super) async fn current(&self) -> Result<Arc<Server>> {
        self.asked_since(ASKED_EVERY).await
    }

    /// The server to use, for a new connection: the last one may have failed.
    ///
    /// # Errors
    /// As [`Servers::current`].
    pub(super) async fn newest(&self) -> Result<Arc<Server>> {
        self.asked_since(ASKED_AT_MOST_EVERY).await
    }

    /// A connection failed: another Sentinel may know better.
    pub(super) fn failed(&self) {
        let mut known = self.known();
        known.sentinel = known.sentinel.wrapping_add(1);
        known.has_failed = true;
    }

    async fn asked_since(&self, age_max: Duration) -> Result<Arc<Server>> {
        let Some(sentinels) = &self.sentinels else { return Ok(self.last()) };
        let (is_due, is_first, server) = self.look(age_max);
        if !is_due {
            return Ok(server);
        }
        let _asking = match self.asking.try_lock() {
            Ok(asking) => asking,
            Err(_) if !is_first => return Ok(server),
            Err(_) => self.asking.lock().await,
        };
        // Somebody else may have asked meanwhile.
        let (is_due, is_first, server) = self.look(age_max);
        if !is_due {
            return Ok(server);
        }
        let first = self.known().sentinel;
        let found = sentinels.master(first).await;
        let mut known = self.known();
        match found {
            Ok((sentinel, info)) => {
                if is_first || known.server.client.get_connection_info().addr() != info.addr() {
                    tracing::info!(address = %info.addr(), "the Sentinels name this Redis");
                    known.server = Server::open(info, &self.settings)?;
                }
                known.sentinel = sentinel;
            }
            // The address is a hint; the last one may still be right.
            Err(error) if !is_first => tracing::debug!(%error, "no Sentinel answers"),
            Err(error) => return Err(error),
        }
        (known.asked_at, known.has_failed) = (Some(Instant::now()), false);
        Ok(known.server.clone())
    }

    /// Whether it is time to ask, whether nobody has answered yet, and the server that is known.
    fn look(&self, age_max: Duration) -> (bool, bool, Arc<Server>) {
        let known = self.known();
        (known.is_due(age_max), known.asked_at.is_none(), known.server.clone())
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn of_one_server(url: &str) -> Result<ConnectionInfo> {
    let info =
        url.into_connection_info().map_err(|error: RedisError| Error::Url(error.to_string()))?;
    match info.addr() {
        ConnectionAddr::Tcp(host, _) | ConnectionAddr::TcpTls { host, .. }
            if host.contains(',') =>
        {
            Err(Error::Url("it names several servers".to_owned()))
        }
        _ => Ok(info),
    }
}
