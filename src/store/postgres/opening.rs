//! What must be true of a database before it is used: checked once, by the first caller, and again
//! until it succeeds.

use std::marker::PhantomData;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sqlx::Postgres;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgPool};
use tokio::sync::{Mutex as AsyncMutex, OnceCell};

use super::connect::{Doubt, connect, farewell, in_time};
use super::migrating::Migrating;
use super::suited::{begin_on_primary, check};
use super::{hosts, migrations, pooler};
use crate::domain::limits::CONNECTION_WAIT;
use crate::store::dialect::Dialect;
use crate::store::error::{Error, Result, connect_failure};
use crate::store::rehearsal;
use crate::store::schema::BEHIND;
use crate::store::settings::{Migrations, Settings};

/// For this long after a failure nobody checks again: many callers at once wait for one check.
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(200);

/// Connects, checks and migrates, once for all callers; then rehearses as the dialect does.
pub(super) struct Opening<D> {
    hosts: Vec<PgConnectOptions>,
    /// `None` when others migrate.
    migrating: Option<Migrating>,
    /// The error for a schema that is still behind.
    behind: &'static str,
    pool: PgPool,
    pub(super) doubt: Doubt,
    done: OnceCell<()>,
    failed: Mutex<Option<(Instant, Error)>>,
    /// The task that has this lock may look for another host.
    turn: Arc<AsyncMutex<()>>,
    dialect: PhantomData<fn() -> D>,
}

impl<D: Dialect<Driver = Postgres>> Opening<D> {
    ///
    /// # Errors
    /// [`Error::Open`] for a URL that names no host.
    pub(super) fn new(settings: &Settings, pool: PgPool, doubt: Doubt) -> Result<Self> {
        let hosts = hosts::hosts(&settings.url)?;
        let behind = match &settings.migrations {
            Migrations::ByOthers => {
                "the database's schema is behind, and FIRSTCOME_MIGRATE is off: run `firstcome \
                 migrate`"
            }
            Migrations::Never => BEHIND,
            Migrations::Here => "the database was migrated, and its schema is still behind",
            Migrations::At(_) => {
                "DATABASE_MIGRATE_URL migrates another database than DATABASE_URL names"
            }
        };
        let migrates = match &settings.migrations {
            Migrations::Here => Some(hosts.clone()),
            Migrations::At(url) => Some(hosts::hosts(url)?),
            Migrations::ByOthers | Migrations::Never => None,
        };
        let lock_wait = settings.migration_wait;
        Ok(Self {
            hosts,
            migrating: migrates.map(|hosts| Migrating::new(hosts, lock_wait)),
            behind,
            pool,
            doubt,
            done: OnceCell::default(),
            failed: Mutex::default(),
            turn: Arc::default(),
            dialect: PhantomData,
        })
    }

    /// Returns at once when everything was done before. Waits for a migration no longer than
    /// `patience`.
    ///
    /// # Errors
    /// [`Error::Unavailable`] while the database is away, [`Error::Open`] for one that can never
    /// be used.
    pub(super) async fn done(&self, patience: Duration) -> Result<()> {
        self.done.get_or_try_init(|| self.look(patience)).await.copied()
    }

    /// The hosts to which a password may go unencrypted.
    pub(super) fn hosts_told_in_the_clear(&self) -> Vec<String> {
        let migrates = self.migrating.iter().flat_map(|migrating| &migrating.hosts);
        hosts::hosts_told_in_the_clear(self.hosts.iter().chain(migrates))
    }

    async fn look(&self, patience: Duration) -> Result<()> {
        if let Some((at, failure)) = &*self.failed.lock().unwrap_or_else(PoisonError::into_inner)
            && at.elapsed() < LOOK_AGAIN_AFTER
        {
            return Err(failure.again());
        }
        let opened = match hosts::best(&self.hosts).await {
            Ok(host) => self.open_at(host, patience).await,
            Err(failure) => Err(failure),
        };
        if let Err(failure) = &opened {
            let failed = Some((Instant::now(), failure.again()));
            *self.failed.lock().unwrap_or_else(PoisonError::into_inner) = failed;
        }
        opened
    }

    async fn open_at(&self, host: PgConnectOptions, patience: Duration) -> Result<()> {
        if !in_time(stands_at(&host)).await? {
            let behind = || Error::Open(self.behind.to_owned());
            self.migrating.as_ref().ok_or_else(behind)?.run(patience).await?;
            if !in_time(stands_at(&host)).await? {
                return Err(behind());
            }
        }
        self.go_to(host);
        let rehearsal = async {
            let transaction = begin_on_primary(&self.pool).await?;
            rehearsal::insert_and_take_back::<D>(transaction).await
        };
        match in_time(rehearsal).await {
            Err(Error::Unavailable(error)) => Err(connect_failure(error)),
            rehearsed => rehearsed,
        }
    }

    /// From now on new connections go to this host, and connections to another one leave the pool.
    fn go_to(&self, host: PgConnectOptions) {
        self.pool.set_connect_options(host);
        self.doubt.raise();
        for _ in 0..self.pool.size() {
            // Closed without a message: the host may hang.
            drop(self.pool.try_acquire().map(PoolConnection::detach));
        }
    }

    /// Looks in the background whether another host accepts writes now; one look at a time. The
    /// caller that saw the failure need not wait for it, because it tries again anyway.
    pub(super) fn look_for_another_host(self: &Arc<Self>) {
        if self.hosts.len() < 2 || !self.done.initialized() {
            return;
        }
        let Ok(turn) = self.turn.clone().try_lock_owned() else { return };
        let opening = self.clone();
        tokio::spawn(async move {
            opening.choose_again().await;
            tokio::time::sleep(LOOK_AGAIN_AFTER).await;
            drop(turn);
        });
    }

    async fn choose_again(&self) {
        let Some(host) = hosts::writable(&self.hosts).await else { return };
        if hosts::are_same(host, &self.pool.connect_options()) {
            return;
        }
        let (name, port) = (host.get_host(), host.get_port());
        match self.open_at(host.clone(), CONNECTION_WAIT).await {
            Ok(()) => tracing::warn!(name, port, "the database goes on at another host"),
            Err(error) => tracing::warn!(name, port, %error, "another host is not used"),
        }
    }
}

/// Whether a suitable database has an up-to-date schema.
async fn stands_at(host: &PgConnectOptions) -> Result<bool> {
    let mut connection = connect(host).await?;
    check(&mut connection).await?;
    pooler::check(&mut connection, host).await?;
    let stands = migrations::stand(&mut connection).await?;
    farewell(connection).await;
    Ok(stands)
}
