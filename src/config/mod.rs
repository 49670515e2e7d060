//! The settings of a process, by flags or by the environment, and their defaults. The reference is
//! `firstcome help settings` and docs/configuration.md.

mod addresses;
mod bounds;
mod secret_files;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use ipnet::IpNet;

pub use bounds::Bounds;
pub use secret_files::SecretFiles;
use secret_files::take;

/// How users are identified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Auth {
    /// No authentication: the client names itself. Loopback only, unless allowed elsewhere.
    Open,
    /// A trusted gateway names the user in X-User-Id.
    Header,
}

/// How Redis is operated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RedisTopology {
    /// One server that restarts on its own data.
    Single,
    /// A failover may replace it by another server.
    Replicated,
}

/// Something that is on or off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Switch {
    On,
    Off,
}

/// Who begins a recovery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Recovery {
    /// Servers and workers, where it is safe.
    Auto,
    /// The operator.
    Ask,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// One readable line.
    Text,
    /// One JSON object per line.
    Json,
}

/// The settings of every verb. If nothing is set, the set-up is embedded: a private Redis and a
/// SQLite file in the data directory.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Settings")]
pub struct Settings {
    /// Redis, `redis://…`, `rediss://…` (TLS) or `redis+unix://…` [default: a private one in the
    /// data directory]
    #[arg(long, env = "REDIS_URL", global = true, hide_env_values = true)]
    pub redis_url: Option<String>,

    /// A PEM file with the certificate authorities that are trusted for a `rediss://` server
    /// [default: those that this machine trusts]
    #[arg(long, env = "FIRSTCOME_REDIS_CA_FILE", global = true)]
    pub redis_ca_file: Option<PathBuf>,

    /// The database, `postgres://…` or `sqlite:…` [default: a SQLite file in the data directory]
    #[arg(long, env = "DATABASE_URL", global = true, hide_env_values = true)]
    pub database_url: Option<String>,

    /// The database URL for migrations: directly to the server instead of a pooler, or as the owner
    /// of the database [default: DATABASE_URL]
    #[arg(long, env = "DATABASE_MIGRATE_URL", global = true, hide_env_values = true)]
    pub database_migrate_url: Option<String>,

    /// Whether `serve`, `worker` and commands update the schema, or leave it to `migrate`
    #[arg(long, env = "FIRSTCOME_MIGRATE", value_enum, default_value = "on", global = true)]
    pub migrate: Switch,

    #[command(flatten)]
    pub files: SecretFiles,

    /// The public address, for users
    #[arg(
        long,
        env = "FIRSTCOME_LISTEN",
        default_value = "127.0.0.1:8080",
        value_parser = addresses::address,
        global = true
    )]
    pub listen: SocketAddr,

    /// The admin address; never make it public
    #[arg(
        long,
        env = "FIRSTCOME_ADMIN_LISTEN",
        default_value = "127.0.0.1:8081",
        value_parser = addresses::address,
        global = true
    )]
    pub admin_listen: SocketAddr,

    /// The data directory of the embedded set-up; with REDIS_URL and DATABASE_URL it contains only
    /// the file `heartbeat`
    #[arg(long, env = "FIRSTCOME_DATA_DIR", default_value = "./firstcome-data", global = true)]
    pub data_dir: PathBuf,

    /// The redis-server of the embedded set-up [default: redis-server or valkey-server in PATH]
    #[arg(long, env = "FIRSTCOME_REDIS_SERVER", global = true)]
    pub redis_server: Option<PathBuf>,

    /// How users are identified
    #[arg(long, env = "FIRSTCOME_AUTH", value_enum, default_value = "open", global = true)]
    pub auth: Auth,

    /// `yes` lets FIRSTCOME_AUTH=open listen on addresses that are not loopback
    #[arg(long, env = "FIRSTCOME_AUTH_OPEN_ANYWHERE", global = true, value_name = "yes")]
    pub auth_open_anywhere: Option<String>,

    /// Gateways that FIRSTCOME_AUTH=header trusts: addresses or networks (CIDR), separated by
    /// commas
    #[arg(
        long,
        env = "FIRSTCOME_TRUSTED_PROXIES",
        value_delimiter = ',',
        value_parser = network,
        global = true
    )]
    pub trusted_proxies: Vec<IpNet>,

    /// The secret of the admin listener, 16 printable ASCII bytes or more [default: generated once
    /// in the data directory of the embedded set-up]
    #[arg(long, env = "FIRSTCOME_ADMIN_TOKEN", hide_env_values = true, global = true)]
    pub admin_token: Option<String>,

    /// Keys of codes and receipts, `id:64 hex digits`, separated by commas; new coupons use the
    /// first [default: generated once in the data directory of the embedded set-up]
    #[arg(long, env = "FIRSTCOME_CODE_KEYS", hide_env_values = true, global = true)]
    pub code_keys: Option<String>,

    /// Whether a failover may replace Redis by another server
    #[arg(
        long,
        env = "FIRSTCOME_REDIS_TOPOLOGY",
        value_enum,
        default_value = "single",
        global = true
    )]
    pub redis_topology: RedisTopology,

    /// Whether servers and workers put back by themselves what Redis forgot, or wait
    #[arg(long, env = "FIRSTCOME_RECOVERY", value_enum, default_value = "auto", global = true)]
    pub recovery: Recovery,

    /// Whether `serve` also writes tickets to the database, or leaves it to `worker`
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

    /// A level (error, warn, info, debug) or a filter of levels by module [default:
    /// info,actix_server=warn for servers and workers, warn for commands]
    #[arg(long, env = "FIRSTCOME_LOG", global = true)]
    pub log: Option<String>,

    /// How log lines look
    #[arg(long, env = "FIRSTCOME_LOG_FORMAT", value_enum, default_value = "text", global = true)]
    pub log_format: LogFormat,

    #[command(flatten)]
    pub bounds: Bounds,
}

fn key_prefix(text: &str) -> Result<String, String> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    let fits = (1..=32).contains(&text.len()) && text.bytes().all(allowed);
    fits.then(|| text.to_owned()).ok_or_else(|| "must match [A-Za-z0-9_-]{1,32}".to_owned())
}

/// A network, or a single address.
fn network(text: &str) -> Result<IpNet, String> {
    let text = text.trim();
    let single = text.parse::<IpAddr>().map(IpNet::from);
    let network = single.or_else(|_| text.parse());
    network
        .map_err(|_| "must be an address or a network, such as 10.0.0.7 or 10.0.0.0/8".to_owned())
}

impl Settings {
    /// Checks that the settings fit together.
    ///
    /// # Errors
    /// A sentence that names the settings that do not.
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
                "FIRSTCOME_AUTH=open does not authenticate users, and {} is not a loopback \
                 address: set FIRSTCOME_AUTH=header, or FIRSTCOME_AUTH_OPEN_ANYWHERE=yes",
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

    /// Reads the secrets from the files that were named.
    ///
    /// # Errors
    /// A sentence: a secret is given twice, or its file has none.
    pub fn read_secret_files(&mut self) -> Result<(), String> {
        let files = &self.files;
        let migrate_url = files.database_migrate_url_file.as_ref();
        take("REDIS_URL", &mut self.redis_url, files.redis_url_file.as_ref())?;
        take("DATABASE_URL", &mut self.database_url, files.database_url_file.as_ref())?;
        take("DATABASE_MIGRATE_URL", &mut self.database_migrate_url, migrate_url)?;
        take("FIRSTCOME_ADMIN_TOKEN", &mut self.admin_token, files.admin_token_file.as_ref())?;
        take("FIRSTCOME_CODE_KEYS", &mut self.code_keys, files.code_keys_file.as_ref())
    }

    /// How long a shutdown may take.
    pub fn grace(&self) -> Duration {
        Duration::from_millis(self.bounds.shutdown_grace_ms)
    }

    /// Whether Redis is the private one in the data directory.
    pub fn has_private_redis(&self) -> bool {
        self.redis_url.is_none()
    }
}
