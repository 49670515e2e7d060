//! The secrets that the embedded set-up generates once and keeps in the data directory.
//!
//! An existing secret is never replaced: with other code keys every issued code would become
//! invalid. Servers that start at the same time agree, because only one of them can create the
//! file.

use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;

use crate::domain::code::CodeKeys;

/// Far longer than any secret; a longer file is refused.
const FILE_MAX_BYTES: u64 = 16 * 1024;
/// Operators may put their own token in the file; a shorter one could be guessed.
const TOKEN_MIN_BYTES: usize = 32;

/// Why there is no secret. No error quotes one.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot {doing} {path}: {source}")]
    Io {
        /// What failed, as a verb.
        doing: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    /// The file was edited or damaged.
    #[error("{path} has no valid secret: {fault}")]
    Malformed { path: PathBuf, fault: String },
}

impl Error {
    fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { doing, path, source }
    }
}

/// The admin token in `<data_dir>/admin-token`: 64 hex digits, generated if there is no such file.
///
/// # Errors
/// `Malformed` when the file is anything but one line of at least 32 visible ASCII characters;
/// `Io`, also when others may read the file and it cannot be made private.
pub fn admin_token(data_dir: &Path) -> Result<String, Error> {
    keep_once(&data_dir.join("admin-token"), |digits| digits, read_token)
}

/// The code keys in `<data_dir>/code-keys`: `k1:` and 64 hex digits, generated if there is no such
/// file. An operator may put another key before it, separated by a comma.
///
/// # Errors
/// `Malformed` when [`CodeKeys::parse`] refuses the file; `Io` as for [`admin_token`].
pub fn code_keys(data_dir: &Path) -> Result<CodeKeys, Error> {
    keep_once(&data_dir.join("code-keys"), |digits| format!("k1:{digits}"), CodeKeys::parse)
}

/// The URL of the SQLite file in the data directory. Creates the directory if it is missing.
///
/// # Errors
/// `Io` when the directory cannot be created; `Malformed` when its path is not UTF-8.
pub fn database_url(data_dir: &Path) -> Result<String, Error> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(data_dir)
        .map_err(Error::io("make", data_dir))?;
    let path = data_dir.join("firstcome.db");
    let text = path.to_str().map(|text| text.replace('%', "%25").replace('?', "%3F"));
    text.map(|text| format!("sqlite:{text}"))
        .ok_or_else(|| Error::Malformed { path, fault: "the path is not UTF-8".to_owned() })
}

/// 32 random bytes in hexadecimal digits.
///
/// # Errors
/// When the operating system has no random bytes.
pub fn random_hex() -> io::Result<String> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)?;
    Ok(HEXLOWER.encode(&bytes))
}

fn read_token(text: &str) -> Result<String, String> {
    if text.len() < TOKEN_MIN_BYTES || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(format!("a token has at least {TOKEN_MIN_BYTES} visible ASCII characters"));
    }
    Ok(text.to_owned())
}

fn keep_once<T>(
    path: &Path,
    write: impl FnOnce(String) -> String,
    read: impl FnOnce(&str) -> Result<T, String>,
) -> Result<T, Error> {
    let is_missing = || match path.symlink_metadata() {
        Err(fault) if fault.kind() == ErrorKind::NotFound => Ok(true),
        found => found.map(|_| false),
    };
    if is_missing().map_err(Error::io("find", path))? {
        make(path, write).map_err(Error::io("make", path))?;
    }
    let mut file = File::open(path).map_err(Error::io("open", path))?;
    make_private(&file).map_err(Error::io("make private (chmod 600)", path))?;
    let malformed = |fault| Error::Malformed { path: path.to_owned(), fault };
    let text = read_bounded(&mut file).map_err(Error::io("read", path))?;
    read(text.trim()).map_err(malformed)
}

/// Creates the file so that it is complete as soon as it has its name. If another process created
/// it first, that one stays.
fn make(path: &Path, write: impl FnOnce(String) -> String) -> io::Result<()> {
    let random = random_hex()?;
    let dir = path.parent().unwrap_or(Path::new("."));
    DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    let draft = path.with_extension(format!("{}.new", &random_hex()?[..16]));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    let linked = writeln!(file, "{}", write(random))
        .and_then(|()| file.sync_all())
        // A link never replaces a file, as a rename would.
        .and_then(|()| std::fs::hard_link(&draft, path));
    std::fs::remove_file(&draft)?;
    match linked {
        Ok(()) => File::open(dir)?.sync_all(),
        Err(fault) if fault.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(fault) => Err(fault),
    }
}

/// Removes the rights of all other users, which a copy or a restored backup may have added.
fn make_private(file: &File) -> io::Result<()> {
    let mode = file.metadata()?.permissions().mode();
    if mode & 0o077 == 0 {
        return Ok(());
    }
    file.set_permissions(Permissions::from_mode(0o600))
}

fn read_bounded(file: &mut File) -> io::Result<String> {
    let mut text = String::new();
    file.take(FILE_MAX_BYTES).read_to_string(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        path.metadata().unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_token_is_made_once_and_private() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().join("new");
        let made = admin_token(&dir).unwrap();
        assert_eq!(made.len(), 64);
        assert_eq!((mode(&dir.join("admin-token")), mode(&dir)), (0o600, 0o700));
        assert_eq!(admin_token(&dir).unwrap(), made);
        assert_eq!(dir.read_dir().unwrap().count(), 1, "no draft is left");
    }

    #[test]
    fn code_keys_are_made_once_and_their_first_is_k1() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(code_keys(dir.path()).unwrap().newest().id(), "k1");
        let text = std::fs::read_to_string(dir.path().join("code-keys")).unwrap();
        assert_eq!(text.trim().len(), "k1:".len() + 64);
        code_keys(dir.path()).unwrap();
        assert_eq!(std::fs::read_to_string(dir.path().join("code-keys")).unwrap(), text);
    }

    #[test]
    fn starts_at_the_same_time_agree() {
        let dir = tempfile::tempdir().unwrap();
        let start = || {
            std::thread::scope(|scope| {
                let threads: Vec<_> =
                    (0..8).map(|_| scope.spawn(|| admin_token(dir.path()))).collect();
                threads
                    .into_iter()
                    .map(|thread| thread.join().unwrap().unwrap())
                    .collect::<Vec<_>>()
            })
        };
        let kept = start();
        assert!(kept.iter().all(|other| *other == kept[0]));
    }

    #[test]
    fn a_file_that_others_may_read_is_made_private() {
        let dir = tempfile::tempdir().unwrap();
        admin_token(dir.path()).unwrap();
        let path = dir.path().join("admin-token");
        std::fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        admin_token(dir.path()).unwrap();
        assert_eq!(mode(&path), 0o600);
    }

    #[test]
    fn a_damaged_file_is_refused_kept_and_not_shown() {
        let dir = tempfile::tempdir().unwrap();
        for text in ["", "short", "with space 0123456789abcdef0123456789abcdef"] {
            std::fs::write(dir.path().join("admin-token"), text).unwrap();
            let said = admin_token(dir.path()).unwrap_err().to_string();
            assert!(said.contains("admin-token") && !said.contains("0123"), "{said}");
            assert_eq!(std::fs::read_to_string(dir.path().join("admin-token")).unwrap(), text);
        }
        std::fs::write(dir.path().join("code-keys"), "k1:0123").unwrap();
        let said = code_keys(dir.path()).unwrap_err().to_string();
        assert!(said.contains("code-keys") && !said.contains("0123"), "{said}");
    }
}
