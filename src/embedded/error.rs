//! Errors of the private Redis, divided by what the operator can do about them.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Why there is no private Redis. Processes that were started before the error end by themselves.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no `redis-server` to start (exit code 3).
    #[error(
        "{looked_for} was not found: install it (Debian, Ubuntu: apt-get install redis-server; \
         macOS: brew install redis), or set REDIS_URL to a Redis that runs"
    )]
    NotFound {
        /// The path that was given, or the names that were searched.
        looked_for: String,
    },
    /// Another server uses the data directory (exit code 4).
    #[error("the data directory {dir} is in use by {owner}")]
    InUse {
        dir: PathBuf,
        /// `process <id>` if it is known.
        owner: String,
    },
    /// The Redis of a server that has ended did not end in time (exit code 4).
    #[error("an earlier redis-server still runs in the data directory {dir} after {waited:?}")]
    StillRunning { dir: PathBuf, waited: Duration },
    /// The operating system limits the length of the path of a unix socket.
    #[error(
        "the path {socket} has {length} bytes, and this system allows {max} for a unix socket: \
         choose a data directory with a shorter path"
    )]
    SocketPathTooLong {
        /// The path that Redis would need.
        socket: PathBuf,
        length: usize,
        max: usize,
    },
    #[error("redis-server ended while it started: {last_line} (more in {log})")]
    Ended { last_line: String, log: PathBuf },
    #[error("redis-server did not answer within {waited:?}: {last_line} (more in {log})")]
    Silent { waited: Duration, last_line: String, log: PathBuf },
    #[error("cannot {doing} {path}: {source}")]
    Io {
        /// What failed, as a verb.
        doing: &'static str,
        path: PathBuf,
        source: io::Error,
    },
}

impl Error {
    /// Adds what failed, and with which file.
    pub(super) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { doing, path, source }
    }
}
