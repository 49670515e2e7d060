use std::ffi::OsStr;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use firstcome::embedded::{Error, LocalRedis};
use redis::AsyncCommands as _;
use rustix::process::Signal;
use tempfile::TempDir;
use tokio::process::Command;

use crate::support::eventually::{eventually, eventually_holds};
use crate::support::processes::{group_of, living_in_group, signal};
use crate::support::redis::connect;

const PARENT_DATA_DIR: &str = "FIRSTCOME_TEST_PARENT_DATA_DIR";
const KEYS: u32 = 100;

/// Writes keys one by one, so that each is an acknowledged write of its own.
async fn write_keys(url: &str) {
    let mut connection = connect(url).await;
    for number in 0..KEYS {
        let () = connection.set(format!("key{number}"), number).await.unwrap();
    }
}

async fn assert_all_keys(url: &str) {
    let mut connection = connect(url).await;
    for number in 0..KEYS {
        let kept: Option<u32> = connection.get(format!("key{number}")).await.unwrap();
        assert_eq!(kept, Some(number));
    }
}

async fn pid_of_redis(url: &str) -> u32 {
    let told: String =
        redis::cmd("INFO").arg("server").query_async(&mut connect(url).await).await.unwrap();
    let line = told.lines().find_map(|line| line.strip_prefix("process_id:"));
    line.unwrap().trim().parse().unwrap()
}

/// The process group of the shell that keeps this Redis; the shell's process has the same number.
async fn group_of_redis(url: &str) -> u32 {
    group_of(pid_of_redis(url).await)
}

async fn start(dir: &Path) -> LocalRedis {
    LocalRedis::start(dir, None).await.unwrap()
}

#[tokio::test]
async fn it_starts_and_answers_at_durability_always_on_a_private_socket() {
    let dir = TempDir::new().unwrap();
    let redis = start(dir.path()).await;
    let mut connection = connect(redis.url()).await;
    for (name, expected) in [
        ("appendonly", "yes"),
        ("appendfsync", "always"),
        ("no-appendfsync-on-rewrite", "no"),
        ("maxmemory-policy", "noeviction"),
        ("save", ""),
        ("port", "0"),
    ] {
        let told: Vec<String> =
            redis::cmd("CONFIG").arg("GET").arg(name).query_async(&mut connection).await.unwrap();
        assert_eq!(told, [name, expected]);
    }
    let mode = |name| dir.path().join(name).metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("redis.sock"), mode("redis"), mode("redis.log")), (0o700, 0o700, 0o600));
    redis.stop().await.unwrap();
}

#[tokio::test]
async fn a_second_start_in_the_same_directory_is_refused_as_in_use() {
    let dir = TempDir::new().unwrap();
    let first = start(dir.path()).await;
    let asked_at = Instant::now();
    let refused = LocalRedis::start(dir.path(), None).await.unwrap_err();
    assert!(matches!(refused, Error::InUse { .. }), "{refused}");
    assert!(refused.to_string().contains(&format!("process {}", std::process::id())), "{refused}");
    assert!(asked_at.elapsed() < Duration::from_secs(5), "it waited {:?}", asked_at.elapsed());
    write_keys(first.url()).await;
    first.stop().await.unwrap();
}

#[tokio::test]
async fn after_kill_9_of_the_parent_nothing_remains_and_a_new_start_finds_every_key() {
    let dir = TempDir::new().unwrap();
    let mut parent = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "embedded::redis::the_parent_that_is_killed"])
        .env(PARENT_DATA_DIR, dir.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let url = eventually("the parent's Redis", async || LocalRedis::attach(dir.path()).await).await;
    write_keys(&url).await;
    let group = group_of_redis(&url).await;
    assert_ne!(group, group_of(parent.id().unwrap()), "Ctrl-C would end Redis under its server");
    assert_eq!(living_in_group(group), 3, "the shell, its watcher and Redis");

    parent.kill().await.unwrap();
    let redis = start(dir.path()).await;
    assert_all_keys(redis.url()).await;
    eventually_holds("the end of the old group", async || living_in_group(group) == 0).await;
    redis.stop().await.unwrap();
}

/// Run as a process of its own by the test above, which names the folder; ends with that test at
/// the latest. Without a folder there is nothing to keep.
#[tokio::test]
async fn the_parent_that_is_killed() {
    let Some(dir) = std::env::var_os(PARENT_DATA_DIR) else { return };
    let _redis = start(Path::new(&dir)).await;
    let until_end = || std::io::stdin().read_to_end(&mut Vec::new());
    tokio::task::spawn_blocking(until_end).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_killed_redis_is_noticed_and_a_restart_finds_every_key() {
    let dir = TempDir::new().unwrap();
    let mut redis = start(dir.path()).await;
    let url = redis.url().to_owned();
    for _ in 0..2 {
        write_keys(&url).await;
        let group = group_of_redis(&url).await;
        signal(pid_of_redis(&url).await, Signal::KILL);
        tokio::time::timeout(Duration::from_secs(10), redis.wait()).await.unwrap().unwrap();
        eventually_holds("the end of the watcher", async || living_in_group(group) == 0).await;
        redis.restart().await.unwrap();
        assert_eq!(redis.url(), url);
        assert_all_keys(&url).await;
    }
    let log = std::fs::read_to_string(dir.path().join("redis.log")).unwrap();
    assert!(log.contains("redis-server was ended by signal 9"), "{log}");
    redis.stop().await.unwrap();
}

#[tokio::test]
async fn a_redis_that_outlived_its_shell_ends_before_a_restart_begins() {
    let dir = TempDir::new().unwrap();
    let mut redis = start(dir.path()).await;
    let url = redis.url().to_owned();
    write_keys(&url).await;
    let (before, group) = (pid_of_redis(&url).await, group_of_redis(&url).await);
    signal(group, Signal::KILL);
    redis.wait().await.unwrap();
    redis.restart().await.unwrap();
    assert_all_keys(&url).await;
    assert_ne!(pid_of_redis(&url).await, before);
    eventually_holds("the end of the old group", async || living_in_group(group) == 0).await;
    redis.stop().await.unwrap();
}

#[tokio::test]
async fn a_new_start_waits_until_the_redis_of_the_last_server_has_ended() {
    let dir = TempDir::new().unwrap();
    let redis = start(dir.path()).await;
    write_keys(redis.url()).await;
    let (before, group) = (pid_of_redis(redis.url()).await, group_of_redis(redis.url()).await);
    signal(before, Signal::STOP);
    drop(redis);
    // A stopped Redis does not end until it goes on, or until the watcher kills it after 10 s.
    let soon = tokio::time::timeout(Duration::from_secs(1), start(dir.path())).await;
    assert!(soon.is_err(), "two in one directory");
    assert!(living_in_group(group) >= 3, "the shell, its watcher and Redis");
    signal(before, Signal::CONT);
    let redis = start(dir.path()).await;
    assert_all_keys(redis.url()).await;
    eventually_holds("the end of the old group", async || living_in_group(group) == 0).await;
    redis.stop().await.unwrap();
}

#[tokio::test]
async fn a_stop_leaves_no_process_behind_and_nothing_unwritten() {
    let dir = TempDir::new().unwrap();
    let redis = start(dir.path()).await;
    write_keys(redis.url()).await;
    let group = group_of_redis(redis.url()).await;
    redis.stop().await.unwrap();
    // A process gives its files back, and so the lock, an instant before the system calls it dead.
    eventually_holds("its end", async || living_in_group(group) == 0).await;
    let redis = start(dir.path()).await;
    assert_all_keys(redis.url()).await;
    redis.stop().await.unwrap();
}

#[tokio::test]
async fn a_redis_that_is_dropped_ends_by_itself() {
    let dir = TempDir::new().unwrap();
    let redis = start(dir.path()).await;
    let group = group_of_redis(redis.url()).await;
    drop(redis);
    eventually_holds("its end", async || living_in_group(group) == 0).await;
}

#[tokio::test]
async fn attach_finds_a_living_owner_and_nobody_else() {
    let dir = TempDir::new().unwrap();
    assert_eq!(LocalRedis::attach(&dir.path().join("missing")).await, None);
    assert_eq!(LocalRedis::attach(dir.path()).await, None);
    assert_eq!(dir.path().read_dir().unwrap().count(), 0, "a look makes nothing");
    let redis = start(dir.path()).await;
    assert_eq!(LocalRedis::attach(dir.path()).await.as_deref(), Some(redis.url()));
    redis.stop().await.unwrap();
    assert_eq!(LocalRedis::attach(dir.path()).await, None);
}

#[tokio::test]
async fn a_data_directory_may_have_any_name() {
    let root = TempDir::new().unwrap();
    for name in ["with two  spaces", "한글 \"q\" 'p' $HOME %20", "--dashes"] {
        let dir = root.path().join(name);
        let redis = start(&dir).await;
        write_keys(redis.url()).await;
        redis.stop().await.unwrap();
        let redis = start(&dir).await;
        assert_all_keys(redis.url()).await;
        redis.stop().await.unwrap();
        assert!(dir.join("redis/appendonlydir").is_dir(), "{name}");
    }
    assert_eq!(root.path().read_dir().unwrap().count(), 3);
}

#[tokio::test]
async fn a_socket_path_that_is_too_long_is_refused_before_anything_is_made() {
    let root = TempDir::new().unwrap();
    let refused = LocalRedis::start(&root.path().join("d".repeat(100)), None).await.unwrap_err();
    assert!(matches!(refused, Error::SocketPathTooLong { .. }), "{refused}");
    assert_eq!(root.path().read_dir().unwrap().count(), 0);
}

#[tokio::test]
async fn without_a_redis_server_the_error_says_what_to_install() {
    let root = TempDir::new().unwrap();
    let missing = root.path().join("redis-server");
    let refused = LocalRedis::start(&root.path().join("dir"), Some(&missing)).await.unwrap_err();
    assert!(matches!(refused, Error::NotFound { .. }), "{refused}");
    assert!(refused.to_string().contains("apt-get install redis-server"), "{refused}");
    assert_eq!(root.path().read_dir().unwrap().count(), 0);
}

#[tokio::test]
async fn a_redis_that_cannot_read_its_files_is_quoted_and_the_directory_is_free_again() {
    let dir = TempDir::new().unwrap();
    let files = dir.path().join("redis/appendonlydir");
    std::fs::create_dir_all(&files).unwrap();
    let manifest = files.join("appendonly.aof.manifest");
    std::fs::write(&manifest, "no manifest\n").unwrap();
    let refused = LocalRedis::start(dir.path(), None).await.unwrap_err();
    let Error::Ended { last_line, log } = &refused else { panic!("{refused}") };
    assert!(last_line.to_lowercase().contains("manifest"), "{refused}");
    assert_eq!(log.file_name(), Some(OsStr::new("redis.log")));
    std::fs::remove_file(manifest).unwrap();
    start(dir.path()).await.stop().await.unwrap();
}
