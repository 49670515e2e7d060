//! A migration runs as a task of its own. If a caller's time-out ended it, a migration that takes
//! longer than callers wait would start again forever.

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

use super::connect::{connect, farewell, in_time};
use super::suited::check;
use super::{hosts, migrations};
use crate::domain::limits::{MIGRATION_LOOK, MIGRATION_MAX};
use crate::store::error::{Error, Result};

/// Where to migrate, and the running migration.
pub(super) struct Migrating {
    pub(super) hosts: Vec<PgConnectOptions>,
    /// How long to wait for another process that migrates.
    lock_wait: Duration,
    running: Mutex<Option<JoinHandle<Result<()>>>>,
}

impl Migrating {
    pub(super) fn new(hosts: Vec<PgConnectOptions>, lock_wait: Duration) -> Self {
        Self { hosts, lock_wait, running: Mutex::default() }
    }

    /// Waits for the running migration, or starts one.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when it takes longer than `patience`: it goes on, and the next call
    /// waits for it.
    pub(super) async fn run(&self, patience: Duration) -> Result<()> {
        let mut running = self.running.lock().await;
        // A migration that ended while nobody waited did not help: the schema is still behind.
        if running.as_ref().is_none_or(JoinHandle::is_finished) {
            let (host, connection) = in_time(async {
                let host = hosts::best(&self.hosts).await?;
                let mut connection = connect(&host).await?;
                check(&mut connection).await?;
                Ok((host, connection))
            })
            .await?;
            *running = Some(tokio::spawn(migrate(host, connection, self.lock_wait)));
        }
        let Some(migration) = running.as_mut() else { return Ok(()) };
        let Ok(ended) = tokio::time::timeout(patience, migration).await else {
            return Err(Error::away("its schema is being migrated"));
        };
        *running = None;
        ended.unwrap_or_else(|panic| Err(Error::away(&format!("its migration: {panic}"))))
    }
}

async fn migrate(
    host: PgConnectOptions,
    mut connection: PgConnection,
    lock_wait: Duration,
) -> Result<()> {
    let run = async {
        migrations::run(&mut connection, lock_wait).await?;
        farewell(connection).await;
        Ok(())
    };
    tokio::select! {
        ran = tokio::time::timeout(MIGRATION_MAX, run) => ran.unwrap_or(Err(Error::late())),
        () = until_nobody_migrates(&host) => {
            Err(Error::away("its server went away during the migration"))
        }
    }
}

/// A server that vanished says nothing more on its connection. So a new connection asks whether
/// the lock of the migration is free. It asks twice, because the lock is not taken at the very
/// beginning of a migration.
async fn until_nobody_migrates(host: &PgConnectOptions) {
    let mut free = 0;
    while free < 2 {
        tokio::time::sleep(MIGRATION_LOOK).await;
        let look = in_time(async {
            let mut connection = connect(host).await?;
            let is_locked = migrations::is_locked(&mut connection).await?;
            farewell(connection).await;
            Ok(is_locked)
        });
        match look.await {
            Ok(false) => free += 1,
            Ok(true) => free = 0,
            Err(error) => tracing::debug!(%error, "not known whether the migration goes on"),
        }
    }
}
