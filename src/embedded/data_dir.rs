//! The data directory is private: only its owner may read and write what is in it.

use std::fs::{DirEntry, Metadata, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::Mode;
use rustix::process::{geteuid, umask};

/// Everything that this program keeps in the data directory, and the files that SQLite adds.
const KEPT: [&str; 13] = [
    "admin-token",
    "code-keys",
    "firstcome.db",
    "firstcome.db-shm",
    "firstcome.db-wal",
    "heartbeat",
    "heartbeat.new",
    "redis",
    "redis.lock",
    "redis.log",
    "redis.log.old",
    "redis.sock",
    "server.lock",
];

/// Why the data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Something in it belongs to another user: with files of two owners, one of them could not
    /// read everything.
    #[error(
        "{path} belongs to user {owner}, and this process runs as user {runs_as}: run it as user \
         {owner}, or choose another FIRSTCOME_DATA_DIR"
    )]
    OtherOwner {
        /// The directory, or a file in it.
        path: PathBuf,
        /// The user id of its owner.
        owner: u32,
        /// The user id that this process runs as.
        runs_as: u32,
    },
    #[error("cannot make {path} private: {source}")]
    Io { path: PathBuf, source: io::Error },
}

/// From now on, only the current user may access what this process and its children create: the
/// databases, the logs, the sockets.
pub fn keep_private() {
    umask(Mode::RWXG | Mode::RWXO);
}

/// Removes the rights of all other users to what is in the data directory; the directory need not
/// exist yet. Changes nothing if something in it belongs to another user.
///
/// A directory of another user that contains nothing of this program may be used, such as a volume
/// that was mounted for a group. Root may not use it: root could write everything, and the owner of
/// the directory could read nothing of it.
///
/// # Errors
/// [`Error::OtherOwner`] or [`Error::Io`].
pub fn claim(data_dir: &Path) -> Result<(), Error> {
    let runs_as = geteuid().as_raw();
    let found = |path: &Path| -> Result<Option<Metadata>, Error> {
        match path.symlink_metadata() {
            Ok(metadata) => Ok(Some(metadata)),
            Err(fault) if fault.kind() == ErrorKind::NotFound => Ok(None),
            Err(source) => Err(Error::Io { path: path.to_owned(), source }),
        }
    };
    let is_strange = |metadata: &Metadata| metadata.uid() != runs_as;
    let other_owner = |path: &Path, metadata: &Metadata| Error::OtherOwner {
        path: path.to_owned(),
        owner: metadata.uid(),
        runs_as,
    };
    match found(data_dir)? {
        None => return Ok(()),
        Some(directory) if runs_as == 0 && is_strange(&directory) => {
            return Err(other_owner(data_dir, &directory));
        }
        Some(_) => {}
    }
    let mut open_to_others = Vec::new();
    let mut left: Vec<PathBuf> = KEPT.map(|name| data_dir.join(name)).into();
    while let Some(path) = left.pop() {
        let Some(metadata) = found(&path)? else { continue };
        if is_strange(&metadata) {
            return Err(other_owner(&path, &metadata));
        }
        let mode = metadata.permissions().mode();
        if mode & 0o077 != 0 && !metadata.is_symlink() {
            open_to_others.push((path.clone(), mode & 0o700));
        }
        if metadata.is_dir() {
            let inside = path.read_dir().and_then(Iterator::collect::<io::Result<Vec<_>>>);
            let inside = inside.map_err(|source| Error::Io { path, source })?;
            left.extend(inside.iter().map(DirEntry::path));
        }
    }
    for (path, mode) in open_to_others {
        let changed = std::fs::set_permissions(&path, Permissions::from_mode(mode));
        changed.map_err(|source| Error::Io { path, source })?;
    }
    Ok(())
}
