//! The two locks of a data directory. They are `flock`s: each belongs to an open file, is inherited
//! with it, and goes when the last process that has it open ends, however it ends.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::error::Error;
use super::place::Place;

/// How long the Redis of an earlier server may take to end; the watcher gives it 10 s (child.sh).
const REDIS_MAY_END_WITHIN: Duration = Duration::from_secs(30);
/// Between two looks at a lock that is held.
const PAUSE: Duration = Duration::from_millis(20);
/// A look from outside ([`server_lives`]) holds the lock for an instant, which must not be taken
/// for a server.
const SERVER_LOOKS: u32 = 5;

/// Takes the lock of the server, which lives as long as the file; `InUse` when another server has
/// it.
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

/// Takes the lock of the child, which is free when nothing of an earlier child lives. The caller
/// hands the file on and keeps none, so that the lock always says the truth about the child.
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

/// Whether a server holds the data directory.
pub(super) fn server_lives(place: &Place) -> io::Result<bool> {
    let file = File::open(place.server_lock())?;
    Ok(!is_taken(file.try_lock_shared())?)
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

/// Whether a try took the lock; another has it when not.
fn is_taken(tried: Result<(), TryLockError>) -> io::Result<bool> {
    match tried {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(fault)) => Err(fault),
    }
}

/// Tells the one who is refused whom to look for.
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
