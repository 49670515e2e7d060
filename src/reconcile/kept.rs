//! The greatest heartbeat that the processes of this data directory counted, stored in that
//! directory. The database's count does not grow while the database is away; after such an outage
//! only this one distinguishes an older copy of Redis from a restart (P2 step 8).

use std::fs::{DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::timeout;

use super::counted::Counted;
use crate::domain::doubt::{Doubt, OLDER_MAY_PASS};
use crate::domain::limits::{DIRECTORY_LOCK_WAIT, DISK_WAIT};
use crate::domain::time::UnixMs;

/// More than any count needs; a longer file is not ours.
const FILE_MAX_BYTES: u64 = 256;
/// The pause before a locked directory is tried again.
const LOCK_PAUSE: Duration = Duration::from_millis(10);

/// Reads the stored count. A disk that hangs is asked once, however many calls there are.
pub(super) struct Reader {
    data_dir: Option<PathBuf>,
    asked: Option<JoinHandle<io::Result<Option<Counted>>>>,
}

impl Reader {
    /// A reader for this directory; without one nothing is stored.
    pub(super) fn new(data_dir: Option<PathBuf>) -> Self {
        Self { data_dir, asked: None }
    }

    /// The stored count; waits for the disk for 5 seconds at most.
    ///
    /// # Errors
    /// Why the count is not known.
    pub(super) async fn read(&mut self) -> Result<Option<Counted>, Doubt> {
        let Some(data_dir) = &self.data_dir else { return Ok(None) };
        let dir = data_dir.clone();
        let asked = self.asked.get_or_insert_with(|| spawn_blocking(move || read(&dir)));
        let answer = match timeout(DISK_WAIT, asked).await {
            Ok(answer) => answer.map_err(io::Error::other).flatten(),
            Err(_) => return Err(unread(data_dir, &hangs())),
        };
        self.asked = None;
        answer.map_err(|fault| unread(data_dir, &fault))
    }
}

/// The error for a disk that has not answered in time.
pub(super) fn hangs() -> io::Error {
    io::Error::new(ErrorKind::TimedOut, "the disk does not answer")
}

fn parse(text: &str) -> Option<Counted> {
    let mut words = text.split_whitespace();
    let counted = Counted {
        generation_no: words.next()?.parse().ok()?,
        run_id: words.next()?.to_owned(),
        replid: words.next()?.to_owned(),
        heartbeat: words.next()?.parse().ok()?,
        seen_at: UnixMs(words.next()?.parse().ok()?),
    };
    words.next().is_none().then_some(counted)
}

fn unread(data_dir: &Path, error: &io::Error) -> Doubt {
    Doubt::CountUnread { file: path(data_dir).display().to_string(), error: error.to_string() }
}

/// The warning about a file that cannot be written.
pub(super) fn unwritten(data_dir: &Path, error: &io::Error) -> String {
    format!("cannot write {}: {error}; {OLDER_MAY_PASS}", path(data_dir).display())
}

fn path(data_dir: &Path) -> PathBuf {
    data_dir.join("heartbeat")
}

/// The stored count; `None` before the first one.
///
/// # Errors
/// The file cannot be read, or is damaged.
fn read(data_dir: &Path) -> io::Result<Option<Counted>> {
    let file = match File::open(path(data_dir)) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    let mut text = String::new();
    file.take(FILE_MAX_BYTES).read_to_string(&mut text)?;
    let damaged = || io::Error::new(ErrorKind::InvalidData, "it holds no count");
    parse(&text).map(Some).ok_or_else(damaged)
}

/// Stores a count. When this returns, it is on disk; once the file has its name, it is complete.
/// Among processes that share the directory the greater count stays.
///
/// # Errors
/// The disk refuses something. The count that was stored before is not lost.
pub(super) fn keep(data_dir: &Path, counted: &Counted) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(data_dir)?;
    let dir = File::open(data_dir)?;
    // Locked until the end of this function: nobody writes between the read and the rename.
    lock(&dir)?;
    // Counting begins only after an acceptance, which fails on a damaged file; so a damaged one is
    // overwritten.
    if let Ok(Some(kept)) = read(data_dir)
        && kept.life() == counted.life()
        && kept.heartbeat >= counted.heartbeat
    {
        return Ok(());
    }
    let draft = path(data_dir).with_extension("new");
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
    file.set_permissions(Permissions::from_mode(0o600))?;
    let Counted { generation_no, run_id, replid, heartbeat, seen_at } = counted;
    writeln!(file, "{generation_no} {run_id} {replid} {heartbeat} {}", seen_at.0)?;
    file.sync_all()?;
    std::fs::rename(&draft, path(data_dir))?;
    dir.sync_all()
}

/// Locks the directory. A process that was stopped may keep the lock forever, so the wait for it
/// is bounded.
fn lock(dir: &File) -> io::Result<()> {
    let given_up_at = Instant::now() + DIRECTORY_LOCK_WAIT;
    loop {
        match dir.try_lock() {
            Err(TryLockError::WouldBlock) if Instant::now() < given_up_at => {
                std::thread::sleep(LOCK_PAUSE);
            }
            Err(TryLockError::WouldBlock) => {
                let sentence = "another process holds the lock of the directory";
                return Err(io::Error::new(ErrorKind::WouldBlock, sentence));
            }
            locked => return Ok(locked?),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(generation_no: u64, heartbeat: u64) -> Counted {
        let (run_id, replid) = ("a".repeat(40), "b".repeat(40));
        Counted { generation_no, run_id, replid, heartbeat, seen_at: UnixMs(1_000) }
    }

    #[test]
    fn the_greater_count_of_a_life_stays_and_another_life_replaces_it() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().join("new");
        assert_eq!(read(&dir).unwrap(), None);
        for (kept, expected) in [
            (counted(1, 7), counted(1, 7)),
            (counted(1, 6), counted(1, 7)),
            (counted(1, 8), counted(1, 8)),
            (counted(2, 3), counted(2, 3)),
        ] {
            keep(&dir, &kept).unwrap();
            assert_eq!(read(&dir).unwrap(), Some(expected));
        }
        assert_eq!(dir.read_dir().unwrap().count(), 1, "no draft is left");
        assert_eq!(path(&dir).metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn processes_that_share_a_directory_keep_the_greatest_count() {
        let dir = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for process in 0..4_u64 {
                let dir = dir.path();
                scope.spawn(move || {
                    for count in 0..20 {
                        keep(dir, &counted(1, 4 * count + process)).unwrap();
                    }
                });
            }
        });
        assert_eq!(read(dir.path()).unwrap(), Some(counted(1, 79)));
    }

    #[test]
    fn a_damaged_file_is_told_and_the_next_count_replaces_it() {
        let dir = tempfile::tempdir().unwrap();
        for text in ["", "1", "1 a b c 3", "1 a b 2", "1 a b 2 3 4", "\u{0}\u{0}\u{0}"] {
            std::fs::write(path(dir.path()), text).unwrap();
            assert_eq!(read(dir.path()).unwrap_err().kind(), ErrorKind::InvalidData, "{text:?}");
        }
        keep(dir.path(), &counted(1, 1)).unwrap();
        assert_eq!(read(dir.path()).unwrap(), Some(counted(1, 1)));
    }
}
