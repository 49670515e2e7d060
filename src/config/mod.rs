//! What the process is given, by flags or by the environment, and what it gives itself when nothing
//! was set: secrets and limits. `--help` and docs/configuration.md are the reference.

pub mod open_files;
pub mod secrets;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use ipnet::IpNet;

use crate::domain::limits::{
    BACKLOG_MAX_TICKETS, BATCH_MAX_TICKETS, GROUP_MAX_REQUESTS, QUEUE_MAX_REQUESTS,
};

/// How users are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Auth {
    /// Everybody says who they are; on loopback addresses only, unless allowed anywhere.
    Open,
    /// A trusted gateway says it in X-User-Id.
    Header,
}

/// How Redis is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RedisTopology {
    /// One server that restarts on its own data.
    Single,
    /// A failover may put another server in its place.
    Replicated,
}

/// Something that is on or off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Switch {
    /// On.
    On,
    /// Off.
    Off,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// One readable line.
    Text,
    /// One JSON object a line.
    Json,
}

/// The settings of every verb. With nothing set at all the set-up is embedded: a private Redis and
/// a SQLite file in the data directory.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Settings")]
pub struct Settings {
    /// Redis, `redis://…` or `redis+unix://…` [default: a private one in the data directory]
    #[arg(long, env = "REDIS_URL", global = true, hide_env_values = true)]
    pub redis_url: Option<String>,

    /// The database, `postgres://…` or `sqlite:…` [default: a SQLite file in the data directory]
    #[arg(long, env = "DATABASE_URL", global = true, hide_env_values = true)]
    pub database_url: Option<String>,

    /// Where users ask for tickets
    #[arg(long, env = "FIRSTCOME_LISTEN", default_value = "127.0.0.1:8080", global = true)]
    pub listen: SocketAddr,

    /// Where admins prepare and watch; never open it to the world
    #[arg(long, env = "FIRSTCOME_ADMIN_LISTEN", default_value = "127.0.0.1:8081", global = true)]
    pub admin_listen: SocketAddr,

    /// Where the embedded set-up keeps everything
    #[arg(long, env = "FIRSTCOME_DATA_DIR", default_value = "./firstcome-data", global = true)]
    pub data_dir: PathBuf,

    /// The redis-server of the embedded set-up [default: redis-server or valkey-server in PATH]
    #[arg(long, env = "FIRSTCOME_REDIS_SERVER", global = true)]
    pub redis_server: Option<PathBuf>,

    /// How users are known
    #[arg(long, env = "FIRSTCOME_AUTH", value_enum, default_value = "open", global = true)]
    pub auth: Auth,

    /// `yes` lets FIRSTCOME_AUTH=open listen on addresses that are not loopback
    #[arg(long, env = "FIRSTCOME_AUTH_OPEN_ANYWHERE", global = true, value_name = "yes")]
    pub auth_open_anywhere: Option<String>,

    /// Networks of the gateways that FIRSTCOME_AUTH=header believes, CIDRs with commas between
    #[arg(long, env = "FIRSTCOME_TRUSTED_PROXIES", value_delimiter = ',', global = true)]
    pub trusted_proxies: Vec<IpNet>,

    /// The secret of the admin listener, 16 printable ASCII bytes or more [default: made once in
    /// the data directory of the embedded set-up]
    #[arg(long, env = "FIRSTCOME_ADMIN_TOKEN", hide_env_values = true, global = true)]
    pub admin_token: Option<String>,

    /// Keys of codes and receipts, `id:64 hex digits` with commas between, the first for new
    /// coupons [default: made once in the data directory of the embedded set-up]
    #[arg(long, env = "FIRSTCOME_CODE_KEYS", hide_env_values = true, global = true)]
    pub code_keys: Option<String>,

    /// How Redis is run; what its restart can mean
    #[arg(
        long,
        env = "FIRSTCOME_REDIS_TOPOLOGY",
        value_enum,
        default_value = "single",
        global = true
    )]
    pub redis_topology: RedisTopology,

    /// Whether `serve` persists too, or leaves it to `worker`
    #[arg(long, env = "FIRSTCOME_PERSISTER", value_enum, default_value = "on", global = true)]
    pub persister: Switch,

    /// The first part of every Redis key, [A-Za-z0-9_-]{1,32}
    #[arg(
        long,
        env = "FIRSTCOME_KEY_PREFIX",
        default_value = "fc",
        value_parser = key_prefix,
        global = true
    )]
    pub key_prefix: String,

    /// A level (error, warn, info, debug) or a filter of levels by module
    #[arg(long, env = "FIRSTCOME_LOG", default_value = "info,actix_server=warn", global = true)]
    pub log: String,

    /// How log lines look
    #[arg(long, env = "FIRSTCOME_LOG_FORMAT", value_enum, default_value = "text", global = true)]
    pub log_format: LogFormat,

    /// The bounds that an operator may change.
    #[command(flatten)]
    pub bounds: Bounds,
}

/// The bounds that an operator may change.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Bounds")]
pub struct Bounds {
    /// Threads that serve users [default: the number of cores]
    #[arg(
        long,
        env = "FIRSTCOME_WORKERS",
        value_parser = clap::value_parser!(u16).range(1..=256),
        global = true
    )]
    pub workers: Option<u16>,

    /// Requests that may wait in the queue of one worker; more are answered `overloaded`
    #[arg(
        long,
        env = "FIRSTCOME_QUEUE_MAX_REQUESTS",
        default_value_t = QUEUE_MAX_REQUESTS as u64,
        value_parser = clap::value_parser!(u64).range(1..=1_000_000),
        global = true
    )]
    pub queue_max_requests: u64,

    /// Requests that one script call answers
    #[arg(
        long,
        env = "FIRSTCOME_GROUP_MAX_REQUESTS",
        default_value_t = GROUP_MAX_REQUESTS as u64,
        value_parser = clap::value_parser!(u64).range(1..=GROUP_MAX_REQUESTS as u64),
        global = true
    )]
    pub group_max_requests: u64,

    /// Tickets of a shard that may wait for the database; more are answered `backlog_full`
    #[arg(
        long,
        env = "FIRSTCOME_BACKLOG_MAX_TICKETS",
        default_value_t = BACKLOG_MAX_TICKETS,
        value_parser = clap::value_parser!(u64).range(1..=1_000_000_000),
        global = true
    )]
    pub backlog_max_tickets: u64,

    /// A call to Redis that was not answered after this long has an unknown outcome
    #[arg(
        long,
        env = "FIRSTCOME_REDIS_TIMEOUT_MS",
        default_value_t = 1_000,
        value_parser = clap::value_parser!(u64).range(10..=60_000),
        global = true
    )]
    pub redis_timeout_ms: u64,

    /// How long requests wait for Redis to come back before they are answered `recovering`
    #[arg(
        long,
        env = "FIRSTCOME_REOPEN_WAIT_MS",
        default_value_t = 250,
        value_parser = clap::value_parser!(u64).range(0..=10_000),
        global = true
    )]
    pub reopen_wait_ms: u64,

    /// Pooled connections to Redis, for everything that is not issuing
    #[arg(
        long,
        env = "FIRSTCOME_REDIS_POOL_MAX_CONNECTIONS",
        default_value_t = 16,
        value_parser = clap::value_parser!(u64).range(2..=1_024),
        global = true
    )]
    pub redis_pool_max_connections: u64,

    /// Connections to the database
    #[arg(
        long,
        env = "FIRSTCOME_DATABASE_POOL_MAX_CONNECTIONS",
        default_value_t = 8,
        value_parser = clap::value_parser!(u32).range(2..=1_024),
        global = true
    )]
    pub database_pool_max_connections: u32,

    /// Tickets that the persister writes in one transaction
    #[arg(
        long,
        env = "FIRSTCOME_BATCH_MAX_TICKETS",
        default_value_t = BATCH_MAX_TICKETS as u64,
        value_parser = clap::value_parser!(u64).range(1..=BATCH_MAX_TICKETS as u64),
        global = true
    )]
    pub batch_max_tickets: u64,

    /// How long a batch that is not full may gather
    #[arg(
        long,
        env = "FIRSTCOME_BATCH_MAX_AGE_MS",
        default_value_t = 10,
        value_parser = clap::value_parser!(u64).range(0..=1_000),
        global = true
    )]
    pub batch_max_age_ms: u64,

    /// How long a shutdown waits for requests to end and for the stream to drain
    #[arg(
        long,
        env = "FIRSTCOME_SHUTDOWN_GRACE_MS",
        default_value_t = 10_000,
        value_parser = clap::value_parser!(u64).range(100..=600_000),
        global = true
    )]
    pub shutdown_grace_ms: u64,
}

fn key_prefix(text: &str) -> Result<String, String> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    let fits = (1..=32).contains(&text.len()) && text.bytes().all(allowed);
    fits.then(|| text.to_owned()).ok_or_else(|| "must match [A-Za-z0-9_-]{1,32}".to_owned())
}

impl Settings {
    /// Says which settings do not fit together, as a sentence.
    ///
    /// # Errors
    /// The sentence.
    pub fn check(&self) -> Result<(), String> {
        let is_open = self.auth == Auth::Open;
        let anywhere = match self.auth_open_anywhere.as_deref() {
            None => false,
            Some("yes") => true,
            Some(_) => {
                return Err("FIRSTCOME_AUTH_OPEN_ANYWHERE must be yes, or not set".to_owned());
            }
        };
        if is_open && !self.listen.ip().is_loopback() && !anywhere {
            return Err(format!(
                "with FIRSTCOME_AUTH=open everybody says who they are: {} is not a loopback \
                 address; set FIRSTCOME_AUTH=header, or FIRSTCOME_AUTH_OPEN_ANYWHERE=yes",
                self.listen
            ));
        }
        if !is_open && self.trusted_proxies.is_empty() {
            return Err("FIRSTCOME_AUTH=header needs FIRSTCOME_TRUSTED_PROXIES".to_owned());
        }
        if self.redis_url.is_some() && self.code_keys.is_none() {
            return Err("with REDIS_URL every server needs the same FIRSTCOME_CODE_KEYS; \
                        `firstcome doctor --new-key` prints one"
                .to_owned());
        }
        Ok(())
    }

    /// How long a shutdown may take.
    pub fn grace(&self) -> Duration {
        Duration::from_millis(self.bounds.shutdown_grace_ms)
    }

    /// Whether Redis is the private one of the data directory.
    pub fn has_private_redis(&self) -> bool {
        self.redis_url.is_none()
    }
}
