//! The embedded set-up, which needs no settings: its data directory, the secrets that it generates,
//! and its private `redis-server`.
//!
//! The `redis-server` is a child process on a unix socket in the data directory. No other server
//! uses it, and it ends even if this process crashes.
//!
//! Two locks ensure this. The server has `server.lock`: a second server is refused at once. Only
//! the child has `redis.lock`: after a crash the next server waits until the Redis of the last one
//! has ended, so that two never write the same append-only file.

mod child;
pub mod data_dir;
mod error;
mod find;
mod lock;
mod place;
pub mod secrets;

use std::fs::File;
use std::path::{Path, PathBuf};

use child::{Answer, Child};
use place::Place;

pub use error::Error;

/// A Redis that belongs to this process, at the durability level `always`. It ends with the
/// process, also on kill -9. Dropping it ends it too, but does not wait for the end.
///
/// It is bound to the tokio runtime that started it.
#[derive(Debug)]
pub struct LocalRedis {
    place: Place,
    executable: PathBuf,
    child: Child,
    /// Kept open until the end; nothing reads it.
    _server_lock: File,
}

impl LocalRedis {
    /// Starts Redis on its data in this directory (created with mode 0700 if it is missing) and
    /// waits until Redis has read all of it. `redis_server` is a path or a name; without one,
    /// `redis-server` or `valkey-server` is searched in `PATH`.
    ///
    /// # Errors
    /// `NotFound` without an executable; `InUse` at once when another server has the directory;
    /// `StillRunning` when the Redis of an earlier server does not end within 30 s;
    /// `SocketPathTooLong`; `Ended` when it ends while it starts; `Silent` after 60 s without a
    /// sign of life; `Io`.
    pub async fn start(data_dir: &Path, redis_server: Option<&Path>) -> Result<Self, Error> {
        let executable = find::find(redis_server, std::env::var_os("PATH").as_deref())?;
        let place = Place::make(data_dir)?;
        let server_lock = lock::lock_for_server(&place).await?;
        let child = begin(&place, &executable).await?;
        Ok(Self { place, executable, child, _server_lock: server_lock })
    }

    /// The URL of the Redis of a running server in this data directory; `None` when there is no
    /// server, or its Redis does not answer. Creates nothing.
    pub async fn attach(data_dir: &Path) -> Option<String> {
        let place = Place::of(data_dir).ok()?;
        // The lock is checked last: the check can only disturb a server that starts at this moment,
        // and Redis seldom answers while the server starts.
        if child::ask(place.url()).await != Answer::Ready {
            return None;
        }
        lock::server_lives(&place).ok()?.then(|| place.url().to_owned())
    }

    /// `redis+unix:///…/redis.sock`; a restart does not change it.
    pub fn url(&self) -> &str {
        self.place.url()
    }

    /// Completes when the child has ended, which is a failure; may be dropped and called again. The
    /// caller then calls [`Self::restart`], with a back-off.
    ///
    /// # Errors
    /// `Io` when the operating system cannot say.
    pub async fn wait(&mut self) -> Result<(), Error> {
        self.child.wait().await.map_err(Error::io("wait for", &self.executable))
    }

    /// Starts Redis again on its data, at the same address; ends it first if it still runs.
    ///
    /// # Errors
    /// Those of [`Self::start`] except `NotFound` and `InUse`. Redis is down then; this may be
    /// called again.
    pub async fn restart(&mut self) -> Result<(), Error> {
        self.child.end().await;
        self.child = begin(&self.place, &self.executable).await?;
        Ok(())
    }

    /// Lets Redis write everything, and ends it; afterwards no process of it is left.
    ///
    /// # Errors
    /// `StillRunning` when it has not ended within 50 s, `Io`.
    pub async fn stop(mut self) -> Result<(), Error> {
        self.child.end().await;
        // Usually free at once. If somebody killed the shell, Redis runs a little longer than it.
        lock::lock_for_redis(&self.place).await.map(drop)
    }
}

/// What Redis says when it ends because the file before the newest one ends with half a
/// transaction: it died during the rewrite that began after a power cut (P2 step 6).
const CUT: &str = "the truncated file is not the last file";

/// Starts one run of Redis. The half transaction is cut off by the run that complains about it, so
/// the next run reads the file.
async fn begin(place: &Place, executable: &Path) -> Result<Child, Error> {
    match begin_once(place, executable).await {
        Err(Error::Ended { last_line, .. }) if last_line.ends_with(CUT) => {
            tracing::warn!(last_line, "redis-server ended while it started, and starts again");
            begin_once(place, executable).await
        }
        begun => begun,
    }
}

/// Takes the lock of Redis, starts it and waits for its first answer.
async fn begin_once(place: &Place, executable: &Path) -> Result<Child, Error> {
    let lock = lock::lock_for_redis(place).await?;
    let mut child = Child::spawn(place, executable, lock)?;
    child.answering(place).await?;
    tracing::info!(socket = %place.socket().display(), "redis-server answers");
    Ok(child)
}
