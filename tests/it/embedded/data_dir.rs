//! What a server keeps is its owner's alone.

use std::fs::Permissions;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};

use rustix::process::getuid;

use crate::support::server::{Server, command};

/// Every file below a folder, sockets too.
fn files_below(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in dir.read_dir().unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_below(&path));
        } else {
            found.push(path);
        }
    }
    found
}

fn open_to_others(dir: &Path) -> Vec<String> {
    let mode = |path: &Path| path.symlink_metadata().unwrap().permissions().mode();
    let found = files_below(dir).into_iter().filter(|path| mode(path) & 0o077 != 0);
    found.map(|path| format!("{} {:o}", path.display(), mode(&path) & 0o777)).collect()
}

#[tokio::test]
async fn nobody_else_reads_what_is_kept_also_in_a_folder_that_existed() {
    let dir = tempfile::tempdir().unwrap();
    // As a volume, or a folder made by hand.
    std::fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).unwrap();
    let mut server = Server::start(dir.path(), &[]).await.ready().await;
    server.prepare("summer", 10).await;
    server.issue("summer", "ada").await;
    assert_eq!(open_to_others(dir.path()), [""; 0]);
    server.terminate();
    server.ended().await;
    // As restored from a backup that did not keep modes.
    for path in files_below(dir.path()) {
        std::fs::set_permissions(path, Permissions::from_mode(0o644)).unwrap();
    }
    let server = Server::start(dir.path(), &[]).await.ready().await;
    server.issue("summer", "eve").await;
    assert_eq!(open_to_others(dir.path()), [""; 0]);
}

#[test]
fn a_folder_with_files_of_another_owner_is_refused_and_left_as_it_is() {
    for name in ["code-keys", "heartbeat"] {
        is_refused_with_a_file_of_another_owner(name);
    }
}

fn is_refused_with_a_file_of_another_owner(name: &str) {
    let dir = tempfile::tempdir().unwrap();
    let kept = dir.path().join(name);
    let text = "k1:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n";
    std::fs::write(&kept, text).unwrap();
    // Only root can give a file away; anybody else is given a folder of root.
    let (folder, owner) = if getuid().is_root() {
        chown(&kept, Some(12_345), None).unwrap();
        (dir.path(), 12_345)
    } else {
        (Path::new("/etc"), 0)
    };
    let before = files_below(dir.path());
    for verb in ["serve", "worker", "doctor"] {
        let ended = command(folder, &[]).arg(verb).output().unwrap();
        let said = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(ended.status.code(), Some(3), "{verb}: {said}");
        assert!(said.contains(&format!("user {owner}")), "{verb}: {said}");
        assert!(said.contains("FIRSTCOME_DATA_DIR"), "it says how to go on: {said}");
    }
    assert_eq!(files_below(dir.path()), before, "nothing was made");
    assert_eq!(
        kept.metadata().unwrap().uid(),
        if getuid().is_root() { owner } else { getuid().as_raw() }
    );
}
