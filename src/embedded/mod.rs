//! The embedded set-up, which needs no setting: its data directory, the secrets that it makes for
//! itself, and its private `redis-server`.
//!
//! The `redis-server` is a child process on a unix socket in the data directory. No other process
//! shares it, and no crash of ours leaves it behind.
//!
//! Two locks keep it so. `server.lock` is held by the server: a second one is refused at once.
//! `redis.lock` is held by the child alone: after a crash the next server waits until the Redis of
//! the last one has ended, so that two never write the same append-only file.

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
/// process, also on kill -9; dropping it ends it too, only nobody waits for it then.
///
/// It lives on the tokio runtime that started it.
#[derive(Debug)]
pub struct LocalRedis {
    place: Place,
    executable: PathBuf,
    child: Child,
    /// Held until the end; nothing reads it.
    _server_lock: File,
}

impl LocalRedis {
    /// Starts Redis on what it kept in this data directory (made with mode 0700 when it is missing)
    /// and waits until all of it is read. `redis_server` is a path or a name; without one,
    /// `redis-server` or `valkey-server` is looked for in `PATH`.
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

    /// The address of a Redis that a living server owns in this data directory and that answers;
    /// `None` when there is none, and nothing is made.
    pub async fn attach(data_dir: &Path) -> Option<String> {
        let place = Place::of(data_dir).ok()?;
        // The lock is looked at last: a look can disturb only a server that starts at that moment,
        // and while it starts there is seldom an answer.
        if child::ask(place.url()).await != Answer::Ready {
            return None;
        }
        lock::server_lives(&place).ok()?.then(|| place.url().to_owned())
    }

    /// `redis+unix:///…/redis.sock`, the same for its whole life.
    pub fn url(&self) -> &str {
        self.place.url()
    }

    /// Completes when the child has died, which it never does unasked; may be dropped and called
    /// again. What follows is [`Self::restart`], with a back-off.
    ///
    /// # Errors
    /// `Io` when the operating system cannot say.
    pub async fn wait(&mut self) -> Result<(), Error> {
        self.child.wait().await.map_err(Error::io("wait for", &self.executable))
    }

    /// Starts Redis again on its data, at the same address; one that still lives is ended before.
    ///
    /// # Errors
    /// Those of [`Self::start`] but `NotFound` and `InUse`. Redis is down then; this may be called
    /// again.
    pub async fn restart(&mut self) -> Result<(), Error> {
        self.child.end().await;
        self.child = begin(&self.place, &self.executable).await?;
        Ok(())
    }

    /// Ends Redis when everything is written; afterwards no process of it is left.
    ///
    /// # Errors
    /// `StillRunning` when it has not ended within 50 s, `Io`.
    pub async fn stop(mut self) -> Result<(), Error> {
        self.child.end().await;
        // Free at once, as a rule. When somebody killed the shell, Redis outlives it a little.
        lock::lock_for_redis(&self.place).await.map(drop)
    }
}

/// One life of Redis, from the lock to the first answer.
async fn begin(place: &Place, executable: &Path) -> Result<Child, Error> {
    let lock = lock::lock_for_redis(place).await?;
    let mut child = Child::spawn(place, executable, lock)?;
    child.answering(place).await?;
    tracing::info!(socket = %place.socket().display(), "redis-server answers");
    Ok(child)
}
