//! The greatest heartbeat that this data directory's processes counted, on their own disk. The
//! database's count stands still while the database is away; after such an outage only this one
//! tells an older copy of Redis from a restart (P2 step 8).

use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use crate::domain::generation::Generation;

/// More than any count takes; what is longer is not ours.
const FILE_MAX_BYTES: u64 = 256;

/// A count, and the life of Redis that it belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Counted {
    pub(super) generation_no: u64,
    pub(super) run_id: String,
    pub(super) replid: String,
    pub(super) heartbeat: u64,
}

impl Counted {
    /// Whether it was counted in this generation. Another database has another one under the same
    /// number; its counts say nothing here.
    fn is_in(&self, generation: &Generation) -> bool {
        self.life() == (generation.generation_no, &generation.run_id, &generation.replid)
    }

    fn life(&self) -> (u64, &str, &str) {
        (self.generation_no, &self.run_id, &self.replid)
    }

    fn parse(text: &str) -> Option<Self> {
        let mut words = text.split_whitespace();
        let counted = Self {
            generation_no: words.next()?.parse().ok()?,
            run_id: words.next()?.to_owned(),
            replid: words.next()?.to_owned(),
            heartbeat: words.next()?.parse().ok()?,
        };
        words.next().is_none().then_some(counted)
    }
}

/// The greatest heartbeat of this generation that is kept; 0 without one. A disk that fails is told
/// and believed to have nothing.
pub(super) async fn greatest_in(generation: &Generation, data_dir: Option<PathBuf>) -> u64 {
    let Some(data_dir) = data_dir else { return 0 };
    let dir = data_dir.clone();
    match tokio::task::spawn_blocking(move || read(&dir)).await.map_err(io::Error::other).flatten()
    {
        Ok(kept) => kept.filter(|kept| kept.is_in(generation)).map_or(0, |kept| kept.heartbeat),
        Err(error) => {
            tracing::warn!("{}", cannot("read", &data_dir, &error));
            0
        }
    }
}

/// The sentence about a file that fails.
pub(super) fn cannot(doing: &str, data_dir: &Path, error: &io::Error) -> String {
    format!(
        "cannot {doing} {}: {error}; without it older data of Redis may pass for a restart after \
         an outage of the database",
        path(data_dir).display()
    )
}

fn path(data_dir: &Path) -> PathBuf {
    data_dir.join("heartbeat")
}

/// What is kept; `None` before the first count.
///
/// # Errors
/// The file cannot be read, or was damaged.
fn read(data_dir: &Path) -> io::Result<Option<Counted>> {
    let file = match File::open(path(data_dir)) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    let mut text = String::new();
    file.take(FILE_MAX_BYTES).read_to_string(&mut text)?;
    let damaged = || io::Error::new(ErrorKind::InvalidData, "it holds no count");
    Counted::parse(&text).map(Some).ok_or_else(damaged)
}

/// Keeps a count: on disk when this returns, complete from the instant at which it has its name.
/// Of processes that share the directory the greater count stays.
///
/// # Errors
/// The disk refuses something. Nothing that was kept is lost.
pub(super) fn keep(data_dir: &Path, counted: &Counted) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(data_dir)?;
    let dir = File::open(data_dir)?;
    // Held until the end of this function: nobody writes between the look and the rename.
    dir.lock()?;
    // A damaged file is replaced: it holds nothing that could be greater.
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
    let Counted { generation_no, run_id, replid, heartbeat } = counted;
    writeln!(file, "{generation_no} {run_id} {replid} {heartbeat}")?;
    file.sync_all()?;
    std::fs::rename(&draft, path(data_dir))?;
    dir.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(generation_no: u64, heartbeat: u64) -> Counted {
        let (run_id, replid) = ("a".repeat(40), "b".repeat(40));
        Counted { generation_no, run_id, replid, heartbeat }
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
        for text in ["", "1", "1 a b c", "1 a b 2 3", "\u{0}\u{0}\u{0}"] {
            std::fs::write(path(dir.path()), text).unwrap();
            assert_eq!(read(dir.path()).unwrap_err().kind(), ErrorKind::InvalidData, "{text:?}");
        }
        keep(dir.path(), &counted(1, 1)).unwrap();
        assert_eq!(read(dir.path()).unwrap(), Some(counted(1, 1)));
    }
}
