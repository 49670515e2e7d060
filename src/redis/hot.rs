//! The connection of the hot path: one per actix worker, supervised, never reconnecting behind our
//! back (P2 step 1).
//!
//! Its states are down → probing → open. It is published only when open, which means: this very
//! connection told the replid that the database accepted. After an error that puts the connection
//! in doubt it is given back, and the supervisor begins again (P2 step 3).

use std::sync::Arc;
use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use ::redis::cmd;
use futures_util::FutureExt as _;
use tokio::sync::{Notify, watch};

use super::generation::{Accepted, Life};
use super::{Error, Redis, Result};
use crate::domain::back_off::BackOff;

/// How long to wait at most before a failed connect or probe is tried again.
const RETRY: Duration = Duration::from_millis(50);
/// How often an open connection is asked whether it still is; so an idle one that died is noticed
/// before a user is.
const PING_EVERY: Duration = Duration::from_secs(1);

/// An open connection and the generation that it was proven to speak to.
#[derive(Clone)]
pub struct Open {
    pub(crate) connection: MultiplexedConnection,
    /// What the scripts are to compare.
    pub accepted: Arc<Accepted>,
    /// Which one of the connections that were opened one after the other.
    number: u64,
}

/// The place where the open connection is found.
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

    /// Whether this one is still open: nobody gave it back meanwhile.
    pub fn is_open(&self, open: &Open) -> bool {
        self.published.borrow().as_ref().is_some_and(|current| current.number == open.number)
    }

    /// Waits at most this long for an open connection.
    pub async fn open_within(&mut self, limit: Duration) -> Option<Open> {
        let opened = tokio::time::timeout(limit, self.published.wait_for(Option::is_some)).await;
        opened.ok()?.ok()?.clone()
    }

    /// Gives the connection back: it failed, or it speaks to another generation. Nobody finds it
    /// from now on, also before the supervisor had its turn.
    pub fn lose(&self) {
        self.publish.send_replace(None);
        self.lost.notify_one();
    }
}

impl Supervisor {
    /// Connects, probes, publishes, and returns when the connection was lost; or after a pause when
    /// it could not be opened.
    pub async fn step(&mut self) {
        let known = self.redis.generation().current();
        match self.probe(&known).await {
            Ok(Some(open)) => {
                // Whoever gave back the connection before did not mean this one.
                let _ = self.lost.notified().now_or_never();
                self.publish.send_replace(Some(open.clone()));
                self.watch_over(open).await;
                self.publish.send_replace(None);
            }
            Ok(None) => {
                self.redis.generation().doubt();
                let proven = self.redis.generation().differs_from(&known);
                // A pause is an answer too: the probe is then made again.
                let _ = tokio::time::timeout(RETRY * 4, proven).await;
            }
            Err(error) => {
                tracing::debug!(%error, "the hot connection cannot be opened");
                tokio::time::sleep(self.back_off.pause()).await;
            }
        }
    }

    /// A connection that speaks to the accepted generation; `None` when it speaks to another.
    async fn probe(&mut self, known: &Life) -> Result<Option<Open>> {
        let mut connection = self.redis.connect().await?;
        let replication: String = cmd("INFO")
            .arg("replication")
            .query_async(&mut connection)
            .await
            .map_err(Error::of_call)?;
        let Life::Proven(accepted) = known.clone() else { return Ok(None) };
        self.probes += 1;
        Ok(accepted.is_told_by(&replication).then_some(Open {
            connection,
            accepted,
            number: self.probes,
        }))
    }

    /// Returns when the connection was given back, does not answer, or another generation was
    /// accepted.
    async fn watch_over(&self, open: Open) {
        let known = Life::Proven(open.accepted);
        tokio::select! {
            () = self.lost.notified() => {}
            () = self.redis.generation().differs_from(&known) => {}
            error = unanswered_ping(open.connection) => {
                tracing::warn!(%error, "the hot connection was lost");
            }
        }
    }
}

/// Asks again and again, until there is no answer.
async fn unanswered_ping(mut connection: MultiplexedConnection) -> ::redis::RedisError {
    loop {
        tokio::time::sleep(PING_EVERY).await;
        if let Err(error) = cmd("PING").query_async::<()>(&mut connection).await {
            return error;
        }
    }
}
