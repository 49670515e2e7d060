//! Everything that a process works with: Redis, the database, the keys, and handles to the verbs.
//! For servers and for single commands.

use std::sync::Arc;
use std::time::Duration;

use data_encoding::HEXLOWER;

use super::places::{Database, authorities, database_settings, find};
use super::{Failure, now};
use crate::archive::Archiver;
use crate::auth::AdminToken;
use crate::config::{Recovery, RedisTopology, Settings, Switch};
use crate::domain::code::CodeKeys;
use crate::domain::limits::ROW_WAIT;
use crate::domain::witnesses::Witnesses;
use crate::embedded::{LocalRedis, data_dir, secrets};
use crate::observe::{Gauges, Observer};
use crate::prepare::Preparer;
use crate::reconcile::{Prover, Sweep, Topology};
use crate::recover::{Mandate, ProcessRow, Recoverer};
use crate::redis::{self, Redis};
use crate::settle::Settler;
use crate::store::{self, Store};
use crate::telemetry::health::Health;

/// All that is open. [`Context::close`] closes it in reverse order.
pub struct Context {
    pub preparer: Preparer,
    pub settler: Settler,
    pub observer: Observer,
    pub keys: Arc<CodeKeys>,
    /// Where the parts of this process report how their work goes.
    pub health: Health,
    /// What this process told its users lately.
    pub(super) witnesses: Witnesses,
    pub(super) redis: Redis,
    pub(super) store: Arc<dyn Store>,
    pub(super) local: Option<LocalRedis>,
    /// The name of this process, unique among all.
    process: String,
    settings: Settings,
}

impl Context {
    /// Opens the context as the owner of the data directory: it starts a private Redis, and fails
    /// if another owner is running.
    ///
    /// # Errors
    /// The failure's exit code says whether something is missing, unreachable, in use or used
    /// wrongly.
    pub async fn of_server(settings: &Settings, database: Database) -> Result<Self, Failure> {
        let context = Self::alone(settings, database).await?;
        context.reach_database(database).await?;
        Ok(context)
    }

    /// Opens the context for a single command: beside the running owner of the data directory or,
    /// if there is none, as its owner for a short time.
    ///
    /// # Errors
    /// As [`Context::of_server`].
    pub async fn of_verb(settings: &Settings, database: Database) -> Result<Self, Failure> {
        data_dir::claim(&settings.data_dir)?;
        let attached = match settings.has_private_redis() {
            true => LocalRedis::attach(&settings.data_dir).await,
            false => None,
        };
        let context = match attached {
            Some(url) => Self::open(settings, &url, None, database).await?,
            None => Self::alone(settings, database).await?,
        };
        match database {
            Database::Needed | Database::MayBeAway => context.ask(database).await?,
            Database::Optional => match tokio::time::timeout(ROW_WAIT, context.ask(database)).await
            {
                Ok(asked) => asked?,
                Err(_) => tracing::warn!("going on without the database: no answer in time"),
            },
            Database::Unasked => {}
        }
        Ok(context)
    }

    /// Brings the database's schema up to date. It needs only the database.
    ///
    /// # Errors
    /// [`Failure::Missing`] when the database is away or is not suitable.
    pub async fn migrate(settings: &Settings) -> Result<(), Failure> {
        data_dir::claim(&settings.data_dir)?;
        let settings = Settings { migrate: Switch::On, ..settings.clone() };
        let store = store::new(&database_settings(&settings, Database::Needed)?).await?;
        let migrated = store.migrate().await;
        store.close().await;
        Ok(migrated?)
    }

    /// Whether somebody else owns the data directory is found out when its private Redis starts.
    async fn alone(settings: &Settings, database: Database) -> Result<Self, Failure> {
        settings.check().map_err(Failure::Usage)?;
        data_dir::claim(&settings.data_dir)?;
        let (url, local) = match &settings.redis_url {
            Some(url) => (url.clone(), None),
            None => {
                find("redis", settings, database)?;
                let server = settings.redis_server.as_deref();
                let local = LocalRedis::start(&settings.data_dir, server).await?;
                (local.url().to_owned(), Some(local))
            }
        };
        Self::open(settings, &url, local, database).await
    }

    async fn open(
        settings: &Settings,
        redis_url: &str,
        local: Option<LocalRedis>,
        database: Database,
    ) -> Result<Self, Failure> {
        let bounds = &settings.bounds;
        let redis = Redis::new(&redis::Settings {
            url: redis_url.to_owned(),
            authorities_pem: authorities(settings)?,
            key_prefix: settings.key_prefix.clone(),
            response_timeout: Duration::from_millis(bounds.redis_timeout_ms),
            pool_max_connections: bounds.redis_pool_max_connections as usize,
        })?;
        let store = store::new(&database_settings(settings, database)?).await?;
        let keys = Arc::new(match &settings.code_keys {
            Some(text) => CodeKeys::parse(text).map_err(Failure::Usage)?,
            None => secrets::code_keys(&settings.data_dir)?,
        });
        let health = Health::default();
        let mut bytes = [0; 8];
        getrandom::fill(&mut bytes).map_err(|error| Failure::Missing(error.to_string()))?;
        Ok(Self {
            preparer: Preparer::new(&redis, store.clone(), keys.clone(), now)
                .reporting_to(health.clone()),
            settler: Settler::new(&redis, store.clone(), keys.clone(), now),
            observer: Observer::new(&redis, store.clone()).told_by(health.clone()),
            keys,
            health,
            witnesses: Witnesses::default(),
            redis,
            store,
            local,
            process: HEXLOWER.encode(&bytes),
            settings: settings.clone(),
        })
    }

    /// Asks the database, and compares this life of Redis with the last one in the database.
    async fn ask(&self, database: Database) -> Result<(), Failure> {
        self.reach_database(database).await?;
        self.prover().visiting().step().await;
        Ok(())
    }

    async fn reach_database(&self, database: Database) -> Result<(), Failure> {
        if database == Database::Needed {
            self.store.migrate().await?;
        }
        let Err(error) = self.store.ping().await else { return Ok(()) };
        let is_away = matches!(error, store::Error::Unavailable(_) | store::Error::ReadOnly(_));
        if database == Database::Optional || is_away && database == Database::MayBeAway {
            tracing::warn!(%error, "going on without the database");
            return Ok(());
        }
        Err(error.into())
    }

    /// Checks that Redis answers.
    ///
    /// # Errors
    /// [`Failure::Missing`] when it does not.
    pub async fn reach_redis(&self) -> Result<(), Failure> {
        Ok(self.redis.ping().await?)
    }

    /// Whether Redis is a private one that this process started.
    pub fn has_started_redis(&self) -> bool {
        self.local.is_some()
    }

    /// Gauges that have looked once, so that readiness knows about both servers.
    pub async fn gauges(&self) -> Gauges {
        let backlog_max_tickets = self.settings.bounds.backlog_max_tickets;
        let mut gauges = Gauges::new(&self.observer, self.keys.clone(), backlog_max_tickets);
        gauges.step().await;
        gauges
    }

    /// The admin token: the configured one, or the one in the data directory.
    pub(super) fn admin_token(&self) -> Result<(AdminToken, String), Failure> {
        let text = match (&self.settings.admin_token, &self.settings.redis_url) {
            (Some(text), _) => text.clone(),
            (None, None) => secrets::admin_token(&self.settings.data_dir)?,
            (None, Some(_)) => {
                let sentence = "with REDIS_URL every server needs the same FIRSTCOME_ADMIN_TOKEN";
                return Err(Failure::Usage(sentence.to_owned()));
            }
        };
        let sentence = "FIRSTCOME_ADMIN_TOKEN must have 16..=512 printable ASCII bytes, no space";
        let token = AdminToken::parse(&text).ok_or_else(|| Failure::Usage(sentence.to_owned()))?;
        Ok((token, text))
    }

    /// A prover for the Redis of this context.
    pub(super) fn prover(&self) -> Prover {
        let topology = match (self.settings.redis_topology, &self.local) {
            (RedisTopology::Replicated, _) => Topology::Replicated,
            (RedisTopology::Single, _) if self.redis.may_move() => Topology::Replicated,
            (RedisTopology::Single, Some(_)) => Topology::Private,
            (RedisTopology::Single, None) => Topology::Single,
        };
        Prover::new(&self.redis, self.store.clone(), topology, now)
            .keeping_in(self.settings.data_dir.clone())
            .reporting_to(self.health.clone())
    }

    /// A sweep over the coupons of this context.
    pub(super) fn sweep(&self) -> Sweep {
        Sweep::new(&self.redis, self.store.clone(), self.health.clone())
    }

    /// A prover for a process that issues.
    pub(super) fn issuing_prover(&self) -> Prover {
        self.prover().for_process(self.process.clone(), self.witnesses.clone())
    }

    /// The row of this process, which issues.
    pub(super) fn process_row(&self) -> ProcessRow {
        let (store, witnesses) = (self.store.clone(), self.witnesses.clone());
        ProcessRow::new(&self.redis, store, witnesses, self.process.clone())
    }

    /// A recoverer of the coupons of this context.
    pub(super) fn recoverer(&self) -> Recoverer {
        let mandate = match self.settings.recovery {
            Recovery::Auto => Mandate::Safe,
            Recovery::Ask => Mandate::None,
        };
        Recoverer::new(&self.redis, self.store.clone(), self.process.clone(), now)
            .reporting_to(self.health.clone())
            .mandated(mandate)
    }

    /// An archiver of the coupons of this context.
    pub fn archiver(&self) -> Archiver {
        let days = u64::from(self.settings.bounds.archive_after_days);
        let (name, pause) = (format!("archiver {}", self.process), Duration::from_hours(24 * days));
        Archiver::new(&self.redis, self.store.clone(), name, pause)
    }

    /// Waits for running statements, closes the database and stops a private Redis.
    pub async fn close(self) {
        if tokio::time::timeout(self.settings.grace(), self.store.close()).await.is_err() {
            tracing::warn!("the database did not close its connections in time");
        }
        if let Some(local) = self.local
            && let Err(error) = local.stop().await
        {
            tracing::error!(%error, "the private Redis did not stop");
        }
    }
}
