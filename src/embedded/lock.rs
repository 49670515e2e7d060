//! The two locks of a data directory. They are `flock`s: each belongs to an open file, child
//! processes inherit it with the file, and it is released when the last process that has the file
//! open ends, however it ends.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::error::Error;
use super::place::Place;

/// How long the Redis of an earlier server may take to end; the watcher kills it after 10 s
/// (child.sh).
const REDIS_MAY_END_WITHIN: Duration = Duration::from_secs(30);
/// Pause between two attempts to take a lock.
const PAUSE: Duration = Duration::from_millis(20);
/// [`server_lives`] in another process takes the lock for an instant, which must not be mistaken
/// for a server; so the server tries more than once.
const SERVER_LOOKS: u32 = 5;

/// Takes the lock of the server, which lasts until the file is closed; `InUse` when another server
/// has it.
pub(super) async fn lock_for_server(place: &Place) -> Result<File, Error> {
    let path = place.server_lock();
    let mut file = open(&path).map_err(Error::io("open", &path))?;
    for _ in 0..SERVER_LOOKS {
        if is_taken(file.try_lock()).map_err(Error::io("lock", &path))? {
            sign(&mut file).map_err(Error::io("write", &path))?;
            return Ok(file);
        }
        sleep(PAUSE).await;
    }
    Err(Error::InUse { dir: place.dir().to_owned(), owner: owner(&mut file) })
}

/// Takes the lock of the child, which is free when no process of an earlier child is left. The
/// caller passes the file on and keeps no copy, so that only the child has the lock.
///
/// # Errors
/// `StillRunning` after 30 s.
pub(super) async fn lock_for_redis(place: &Place) -> Result<File, Error> {
    let path = place.redis_lock();
    let file = open(&path).map_err(Error::io("open", &path))?;
    let deadline = Instant::now() + REDIS_MAY_END_WITHIN;
    let mut told = false;
    while !is_taken(file.try_lock()).map_err(Error::io("lock", &path))? {
        if Instant::now() >= deadline {
            let dir = place.dir().to_owned();
            return Err(Error::StillRunning { dir, waited: REDIS_MAY_END_WITHIN });
        }
        if !told {
            let dir = place.dir().display();
            tracing::info!(%dir, "waiting for an earlier redis-server to end");
            told = true;
        }
        sleep(PAUSE).await;
    }
    Ok(file)
}

/// Whether a server is using the data directory.
pub(super) fn server_lives(place: &Place) -> io::Result<bool> {
    let file = File::open(place.server_lock())?;
    Ok(!is_taken(file.try_lock_shared())?)
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

/// Whether the attempt took the lock; if not, another process has it.
fn is_taken(tried: Result<(), TryLockError>) -> io::Result<bool> {
    match tried {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(fault)) => Err(fault),
    }
}

/// Writes our process id into the lock file, for the error of a server that is refused.
fn sign(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    writeln!(file, "{}", std::process::id())
}

fn owner(file: &mut File) -> String {
    let mut text = String::new();
    let read = file.rewind().and_then(|()| file.take(32).read_to_string(&mut text));
    match (read, text.trim().parse::<u32>()) {
        (Ok(_), Ok(id)) => format!("process {id}"),
        _ => "another process".to_owned(),
    }
}
