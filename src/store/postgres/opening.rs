//! What must be true of a database before anything is asked of it: looked at once, by whoever asks
//! first, and again until it is there.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sqlx::FromRow;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool};
use tokio::sync::{Mutex as AsyncMutex, OnceCell};
use tokio::task::JoinHandle;

use super::connect::{Doubt, begin, connect, farewell};
use super::{hosts, migrations, pooler};
use crate::domain::limits::MIGRATION_MAX;
use crate::store::error::{Error, Result, connect_failure};
use crate::store::rehearsal;
use crate::store::settings::{Migrations, Settings};

/// As long as this after a failure nobody looks again: many who ask at once wait once.
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(200);

/// What is asked before a migration takes no longer than this, nor what is asked after it.
const OPENING_WAIT: Duration = Duration::from_secs(30);

/// Rows of text are compared, ordered and cut by the house; only UTF8 holds every user id.
const ENCODING: &str = "UTF8";
/// PostgreSQL 14.
const VERSION_MIN: i32 = 140_000;

/// Why a database is read-only, and what to do.
const STANDBY: &str = "it is a standby; promote it, or let DATABASE_URL name the primary";

/// Connects, checks and migrates, once for all who ask.
pub(super) struct Opening {
    hosts: Vec<PgConnectOptions>,
    /// Where to migrate; `None` when others do it.
    migrates: Option<Vec<PgConnectOptions>>,
    migration_wait: Duration,
    pool: PgPool,
    pub(super) doubt: Doubt,
    done: OnceCell<()>,
    failed: Mutex<Option<(Instant, Error)>>,
    /// The migration that runs.
    migrating: AsyncMutex<Option<JoinHandle<Result<()>>>>,
    /// Whoever has it may look for another host.
    turn: Arc<AsyncMutex<()>>,
}

impl Opening {
    /// Asks nothing yet.
    ///
    /// # Errors
    /// [`Error::Open`] for a URL that names no host.
    pub(super) fn new(settings: &Settings, pool: PgPool, doubt: Doubt) -> Result<Self> {
        let hosts = hosts::hosts(&settings.url)?;
        let migrates = match &settings.migrations {
            Migrations::Here => Some(hosts.clone()),
            Migrations::At(url) => Some(hosts::hosts(url)?),
            Migrations::ByOthers => None,
        };
        Ok(Self {
            hosts,
            migrates,
            migration_wait: settings.migration_wait,
            pool,
            doubt,
            done: OnceCell::default(),
            failed: Mutex::default(),
            migrating: AsyncMutex::default(),
            turn: Arc::default(),
        })
    }

    /// Returns at once when it was done before.
    ///
    /// # Errors
    /// [`Error::Unavailable`] while the database is away, [`Error::Open`] for one that never suits.
    pub(super) async fn done(&self) -> Result<()> {
        self.done.get_or_try_init(|| self.look()).await.copied()
    }

    /// To which hosts a password may go unencrypted.
    pub(super) fn hosts_told_in_the_clear(&self) -> Vec<String> {
        hosts::hosts_told_in_the_clear(self.hosts.iter().chain(self.migrates.iter().flatten()))
    }

    async fn look(&self) -> Result<()> {
        if let Some((at, failure)) = &*self.failed.lock().unwrap_or_else(PoisonError::into_inner)
            && at.elapsed() < LOOK_AGAIN_AFTER
        {
            return Err(failure.again());
        }
        let opened = match hosts::best(&self.hosts).await {
            Ok(host) => self.open_at(host).await,
            Err(failure) => Err(failure),
        };
        if let Err(failure) = &opened {
            let failed = Some((Instant::now(), failure.again()));
            *self.failed.lock().unwrap_or_else(PoisonError::into_inner) = failed;
        }
        opened
    }

    async fn open_at(&self, host: PgConnectOptions) -> Result<()> {
        let (mut first, stands) = in_time(async {
            let mut first = connect(&host).await?;
            check(&mut first).await?;
            pooler::check(&mut first, &host).await?;
            let stands = migrations::stand(&mut first).await?;
            Ok((first, stands))
        })
        .await?;
        if !stands && let Some(hosts) = &self.migrates {
            self.migrate_at(hosts).await?;
        }
        in_time(async {
            if !stands && !migrations::stand(&mut first).await? {
                return Err(self.is_behind());
            }
            farewell(first).await;
            self.go_to(host);
            match rehearse(&self.pool).await {
                Err(Error::Unavailable(error)) => Err(connect_failure(error)),
                rehearsed => rehearsed,
            }
        })
        .await
    }

    /// A migration that has begun goes on when whoever asked for it gives up, and whoever asks next
    /// waits for the same one: cut off, one that takes longer than callers wait would never end.
    async fn migrate_at(&self, hosts: &[PgConnectOptions]) -> Result<()> {
        let mut running = self.migrating.lock().await;
        if running.is_none() {
            let mut connection = in_time(async {
                let mut connection = connect(&hosts::best(hosts).await?).await?;
                check(&mut connection).await?;
                Ok(connection)
            })
            .await?;
            let wait = self.migration_wait;
            *running = Some(tokio::spawn(async move {
                let run = migrations::run(&mut connection, wait);
                tokio::time::timeout(MIGRATION_MAX, run).await.unwrap_or(Err(Error::late()))?;
                farewell(connection).await;
                Ok(())
            }));
        }
        let Some(migrating) = running.as_mut() else { return Ok(()) };
        let ended = migrating.await;
        *running = None;
        ended.unwrap_or_else(|panic| Err(Error::away(&format!("its migration: {panic}"))))
    }

    fn is_behind(&self) -> Error {
        let sentence = match self.migrates {
            None => {
                "the database's schema is behind, and FIRSTCOME_MIGRATE is off: run `firstcome \
                 migrate`"
            }
            Some(_) => "DATABASE_MIGRATE_URL migrates another database than DATABASE_URL names",
        };
        Error::Open(sentence.to_owned())
    }

    /// From now on connections are made to this host, and those to another one leave the pool.
    fn go_to(&self, host: PgConnectOptions) {
        self.pool.set_connect_options(host);
        self.doubt.raise();
        for _ in 0..self.pool.size() {
            // Without a farewell: the host may hang.
            drop(self.pool.try_acquire().map(PoolConnection::detach));
        }
    }

    /// Looks in the background whether another of several hosts takes writes now; one look at a
    /// time. Whoever met the failure need not wait for it, and tries again anyway.
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
        match self.open_at(host.clone()).await {
            Ok(()) => tracing::warn!(name, port, "the database goes on at another host"),
            Err(error) => tracing::warn!(name, port, %error, "another host is not used"),
        }
    }
}

/// What no later moment can mend is refused; a standby may be promoted, and is waited for. Asked
/// without a prepared statement: what stands behind a pooler is not known yet.
async fn check(connection: &mut PgConnection) -> Result<()> {
    let sql = "SELECT current_setting('server_encoding'), current_setting('client_encoding'),
         current_setting('server_version_num')::integer, pg_is_in_recovery()";
    let row = sqlx::raw_sql(sql).fetch_one(connection).await.map_err(connect_failure)?;
    let (encoding, client, version, is_standby): (String, String, i32, bool) =
        FromRow::from_row(&row).map_err(connect_failure)?;
    if encoding != ENCODING {
        return Err(Error::Open(format!(
            "the database's encoding is {encoding}, which cannot hold every user id: make one in \
             {ENCODING}, createdb --encoding=UTF8 --locale=C --template=template0 firstcome"
        )));
    }
    if client != ENCODING {
        return Err(Error::Open(format!(
            "the database is spoken to in {client} instead of {ENCODING}: a pooler ignores \
             client_encoding"
        )));
    }
    if version < VERSION_MIN {
        return Err(Error::Open(format!(
            "PostgreSQL {} is too old: 14 or later is needed",
            version / 10_000
        )));
    }
    if is_standby {
        return Err(Error::ReadOnly(STANDBY));
    }
    Ok(())
}

/// Inserts a ticket and takes it back.
pub(super) async fn rehearse(pool: &PgPool) -> Result<()> {
    if sqlx::query_scalar("SELECT pg_is_in_recovery()").fetch_one(pool).await? {
        return Err(Error::ReadOnly(STANDBY));
    }
    let mut transaction = begin(pool).await?;
    let serial = rehearsal::serial();
    let insert = sqlx::query(rehearsal::INSERT).bind(serial).bind(serial.to_string());
    insert.execute(&mut *transaction).await?;
    Ok(transaction.rollback().await?)
}

async fn in_time<T>(asked: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::time::timeout(OPENING_WAIT, asked).await.unwrap_or_else(|_| Err(Error::late()))
}
