//! The connection of the hot path: one per actix worker, with a supervisor. It never reconnects by
//! itself, because that would skip the probe (P2 step 1).
//!
//! Its states are down → probing → open. Callers get it only when it is open, which means that over
//! this connection Redis reported the replid that the database accepted. After an error that makes
//! the connection doubtful, the caller drops it, and the supervisor begins again (P2 step 3).

use std::sync::Arc;
use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use ::redis::cmd;
use futures_util::FutureExt as _;
use tokio::sync::{Notify, watch};

use super::generation::{Accepted, Life};
use super::{Error, Redis, Result};
use crate::domain::back_off::BackOff;

/// The longest pause before a failed connect or probe is tried again.
const RETRY: Duration = Duration::from_millis(50);
/// How often an open connection is checked with PING, so that a broken idle connection is noticed
/// before a user notices it.
const PING_EVERY: Duration = Duration::from_secs(1);

/// An open connection, and the generation that the probe found behind it.
#[derive(Clone)]
pub struct Open {
    pub(crate) connection: MultiplexedConnection,
    /// What the scripts must compare with.
    pub accepted: Arc<Accepted>,
    /// Counts the connections that the supervisor opened one after the other.
    number: u64,
}

/// Gives access to the open connection.
#[derive(Clone)]
pub struct HotConnection {
    published: watch::Receiver<Option<Open>>,
    publish: watch::Sender<Option<Open>>,
    lost: Arc<Notify>,
}

/// Keeps a [`HotConnection`] open; its loop is [`Supervisor::step`] repeated.
pub struct Supervisor {
    redis: Redis,
    publish: watch::Sender<Option<Open>>,
    lost: Arc<Notify>,
    probes: u64,
    back_off: BackOff,
}

/// Makes a hot connection and its supervisor. The supervisor must run on the thread that uses the
/// connection, so that nothing crosses a thread.
pub fn supervised(redis: Redis) -> (HotConnection, Supervisor) {
    let (publish, published) = watch::channel(None);
    let lost = Arc::new(Notify::new());
    let connection = HotConnection { published, publish: publish.clone(), lost: lost.clone() };
    let back_off = BackOff::new(RETRY, RETRY);
    (connection, Supervisor { redis, publish, lost, probes: 0, back_off })
}

impl HotConnection {
    /// The open connection; `None` while it is down or being probed.
    pub fn open(&self) -> Option<Open> {
        self.published.borrow().clone()
    }

    /// Whether this connection is still the open one: nobody dropped it meanwhile.
    pub fn is_open(&self, open: &Open) -> bool {
        self.published.borrow().as_ref().is_some_and(|current| current.number == open.number)
    }

    /// Waits at most this long for an open connection.
    pub async fn open_within(&mut self, limit: Duration) -> Option<Open> {
        let opened = tokio::time::timeout(limit, self.published.wait_for(Option::is_some)).await;
        opened.ok()?.ok()?.clone()
    }

    /// Drops the connection, because it failed or leads to another generation. No caller gets it
    /// from now on, even before the supervisor runs again.
    pub fn lose(&self) {
        self.publish.send_replace(None);
        self.lost.notify_one();
    }
}

impl Supervisor {
    /// Connects, probes and publishes, and returns when the connection is lost; or after a pause if
    /// it could not be opened.
    pub async fn step(&mut self) {
        let known = self.redis.generation().current();
        match self.probe(&known).await {
            Ok(Some(open)) => {
                // Drop a stale `lost` signal left from the previous connection.
                let _ = self.lost.notified().now_or_never();
                self.publish.send_replace(Some(open.clone()));
                self.watch_over(open).await;
                self.publish.send_replace(None);
            }
            Ok(None) => {
                self.redis.generation().doubt();
                let proven = self.redis.generation().differs_from(&known);
                // A time-out is fine too: the next step probes again.
                let _ = tokio::time::timeout(RETRY * 4, proven).await;
            }
            Err(error) => {
                tracing::debug!(%error, "the hot connection cannot be opened");
                tokio::time::sleep(self.back_off.pause()).await;
            }
        }
    }

    /// A connection that leads to the accepted generation; `None` when it leads to another one.
    async fn probe(&mut self, known: &Life) -> Result<Option<Open>> {
        let mut connection = self.redis.connect().await?;
        let replication: String = cmd("INFO")
            .arg("replication")
            .query_async(&mut connection)
            .await
            .map_err(Error::of_call)?;
        let Life::Proven(accepted) = known.clone() else { return Ok(None) };
        if self.redis.generation().is_unconfirmed() {
            return Ok(None);
        }
        self.probes += 1;
        Ok(accepted.is_told_by(&replication).then(|| Open {
            connection,
            accepted: self.redis.generation().used(&accepted),
            number: self.probes,
        }))
    }

    /// Returns when a caller dropped the connection, it does not answer, another generation was
    /// accepted, or the database has not confirmed this one for too long.
    async fn watch_over(&self, open: Open) {
        let known = Life::Proven(open.accepted);
        tokio::select! {
            () = self.lost.notified() => {}
            () = self.redis.generation().differs_from(&known) => {}
            () = self.redis.generation().unconfirmed() => {}
            error = unanswered_ping(open.connection) => {
                tracing::warn!(%error, "the hot connection was lost");
            }
        }
    }
}

/// Sends PING repeatedly until one gets no answer.
async fn unanswered_ping(mut connection: MultiplexedConnection) -> ::redis::RedisError {
    loop {
        tokio::time::sleep(PING_EVERY).await;
        if let Err(error) = cmd("PING").query_async::<()>(&mut connection).await {
            return error;
        }
    }
}
