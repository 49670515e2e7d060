//! The paths of the private Redis in the data directory.

use std::fs::DirBuilder;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Component, Path, PathBuf};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

use super::error::Error;

/// The longest path that fits into `sun_path` with its zero byte; it is four bytes shorter on BSD
/// and macOS.
const SOCKET_PATH_MAX: usize = if cfg!(target_os = "linux") { 107 } else { 103 };

/// Bytes that have a meaning in a URL, or are not printable ASCII, are escaped.
const ESCAPED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A data directory, as an absolute path that leaves room for the path of the socket.
#[derive(Debug)]
pub(super) struct Place {
    dir: PathBuf,
    url: String,
}

impl Place {
    /// The place in this data directory; creates nothing.
    pub(super) fn of(data_dir: &Path) -> Result<Self, Error> {
        let resolve = || {
            let dir = std::path::absolute(data_dir)?;
            // A URL parser removes `..` from the text, but the system follows links first.
            if climbs(&dir) { dir.canonicalize() } else { Ok(dir) }
        };
        let dir = resolve().map_err(Error::io("find the data directory", data_dir))?;
        let socket = dir.join("redis.sock");
        let length = socket.as_os_str().len();
        if length > SOCKET_PATH_MAX {
            return Err(Error::SocketPathTooLong { socket, length, max: SOCKET_PATH_MAX });
        }
        let path = percent_encode(socket.as_os_str().as_bytes(), ESCAPED);
        let url = format!("redis+unix://{path}");
        Ok(Self { dir, url })
    }

    /// The place in this data directory. Creates the directory, private to its owner, if it is
    /// missing.
    pub(super) fn make(data_dir: &Path) -> Result<Self, Error> {
        if climbs(data_dir) {
            make_dir(data_dir)?;
        }
        let place = Self::of(data_dir)?;
        make_dir(&place.redis_dir())?;
        Ok(place)
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// The URL of the socket for the redis crate.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    pub(super) fn socket(&self) -> PathBuf {
        self.dir.join("redis.sock")
    }

    /// The directory of Redis's append-only file.
    pub(super) fn redis_dir(&self) -> PathBuf {
        self.dir.join("redis")
    }

    /// The log of Redis and of the shell around it.
    pub(super) fn log(&self) -> PathBuf {
        self.dir.join("redis.log")
    }

    /// The lock that only the server has.
    pub(super) fn server_lock(&self) -> PathBuf {
        self.dir.join("server.lock")
    }

    /// The lock that only the child has, as long as any of its processes runs.
    pub(super) fn redis_lock(&self) -> PathBuf {
        self.dir.join("redis.lock")
    }
}

fn climbs(path: &Path) -> bool {
    path.components().any(|part| part == Component::ParentDir)
}

fn make_dir(path: &Path) -> Result<(), Error> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(Error::io("make the directory", path))
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use redis::{ConnectionAddr, IntoConnectionInfo as _};

    use super::*;

    fn read_by_the_redis_crate(url: &str) -> PathBuf {
        match url.into_connection_info().unwrap().addr() {
            ConnectionAddr::Unix(path) => path.clone(),
            other => panic!("{other} is no unix socket"),
        }
    }

    #[test]
    fn the_redis_crate_finds_the_socket_behind_any_path() {
        for name in ["plain", "with space", "한 글", "a%20b?c#d&e=f", "quote'\"\\", "c:d@e"] {
            let place = Place::of(&Path::new("/tmp").join(name)).unwrap();
            assert_eq!(read_by_the_redis_crate(place.url()), place.socket());
        }
        let place = Place::of(Path::new(OsStr::from_bytes(b"/tmp/not-\xff-text"))).unwrap();
        assert_eq!(read_by_the_redis_crate(place.url()), place.socket());
    }

    #[test]
    fn a_path_that_climbs_is_resolved_as_the_system_would() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path().canonicalize().unwrap();
        std::fs::create_dir_all(root.join("far/away")).unwrap();
        std::os::unix::fs::symlink(root.join("far/away"), root.join("link")).unwrap();
        let place = Place::make(&root.join("link/../near")).unwrap();
        assert_eq!(place.dir(), root.join("far/near"));
    }

    #[test]
    fn the_longest_socket_path_is_allowed_and_one_byte_more_is_not() {
        let fitting = SOCKET_PATH_MAX - "//redis.sock".len();
        assert!(Place::of(&Path::new("/").join("d".repeat(fitting))).is_ok());
        let refused = Place::of(&Path::new("/").join("d".repeat(fitting + 1))).unwrap_err();
        assert!(matches!(refused, Error::SocketPathTooLong { .. }), "{refused}");
    }
}
