//! Finding the `redis-server` to start.

use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::error::Error;

/// Valkey speaks the same protocol and takes the same arguments.
const NAMES: [&str; 2] = ["redis-server", "valkey-server"];

/// The executable to start: only the given one if there is one, else the first of [`NAMES`] that is
/// found in `search`, which has the form of `PATH`.
pub(super) fn find(given: Option<&Path>, search: Option<&OsStr>) -> Result<PathBuf, Error> {
    if let Some(path) = given {
        let found = path.components().count() > 1 && is_executable(path);
        let found = found.then(|| path.to_owned()).or_else(|| in_search(path, search));
        return found.ok_or_else(|| Error::NotFound { looked_for: path.display().to_string() });
    }
    let found = NAMES.iter().find_map(|name| in_search(Path::new(name), search));
    found.ok_or_else(|| Error::NotFound { looked_for: NAMES[0].to_owned() })
}

/// Searches for a bare name as a shell does, but never for a path.
fn in_search(name: &Path, search: Option<&OsStr>) -> Option<PathBuf> {
    if name.components().count() != 1 {
        return None;
    }
    let candidates = std::env::split_paths(search?).map(|dir| dir.join(name));
    candidates.into_iter().find(|path| is_executable(path))
}

fn is_executable(path: &Path) -> bool {
    path.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dir_with(name: &str, mode: u32) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(name);
        std::fs::write(&path, "").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        dir
    }

    #[test]
    fn valkey_is_taken_where_there_is_no_redis() {
        let [empty, valkey] = [tempfile::tempdir().unwrap(), dir_with("valkey-server", 0o755)];
        let search = std::env::join_paths([empty.path(), valkey.path()]).unwrap();
        let found = find(None, Some(&search)).unwrap();
        assert_eq!(found, valkey.path().join("valkey-server"));
    }

    #[test]
    fn a_file_that_cannot_be_executed_is_passed_over() {
        let [text, program] = [dir_with("redis-server", 0o644), dir_with("redis-server", 0o755)];
        let search = std::env::join_paths([text.path(), program.path()]).unwrap();
        assert_eq!(find(None, Some(&search)).unwrap(), program.path().join("redis-server"));
    }

    #[test]
    fn what_to_install_is_said_in_one_line_when_nothing_is_found() {
        for search in [None, Some(OsStr::new("")), Some(OsStr::new("/nowhere"))] {
            let said = find(None, search).unwrap_err().to_string();
            assert!(said.contains("apt-get install redis-server"), "{said}");
            assert!(said.contains("brew install redis") && !said.contains('\n'), "{said}");
        }
    }

    #[test]
    fn a_given_path_is_never_replaced_by_another() {
        let dir = dir_with("redis-server", 0o755);
        let missing = Path::new("/nowhere/redis-server");
        let said = find(Some(missing), Some(dir.path().as_os_str())).unwrap_err().to_string();
        assert!(said.starts_with("/nowhere/redis-server was not found"), "{said}");
    }

    #[test]
    fn a_given_name_is_looked_for_in_the_search_path() {
        let dir = dir_with("redis-server-8", 0o755);
        let found = find(Some(Path::new("redis-server-8")), Some(dir.path().as_os_str()));
        assert_eq!(found.unwrap(), dir.path().join("redis-server-8"));
    }
}
