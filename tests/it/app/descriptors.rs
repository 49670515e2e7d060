//! A server lives within the open files that it is allowed.

use std::path::Path;
use std::process::Command;

use futures_util::future::join_all;
use tokio::net::TcpStream;

use crate::support::eventually::{eventually_holds, eventually_ok};
use crate::support::server::{Server, command};
use crate::support::site::{Dialect, Site, Worker};

/// `firstcome serve` that may have this many open files, with these variables besides.
fn limited(dir: &Path, open_files: u64, variables: &[(&str, &str)]) -> Command {
    limited_verb("serve", dir, open_files, variables)
}

/// As [`limited`], of another verb.
fn limited_verb(verb: &str, dir: &Path, open_files: u64, variables: &[(&str, &str)]) -> Command {
    let plain = command(dir, variables);
    let mut limited = Command::new("sh");
    limited.env_clear().args(["-c", &format!("ulimit -n {open_files} && exec \"$0\" \"$1\"")]);
    limited.arg(plain.get_program()).arg(verb);
    for (name, value) in plain.get_envs() {
        limited.env(name, value.unwrap_or_default());
    }
    limited
}

#[tokio::test]
async fn a_flood_of_idle_connections_leaves_admins_redis_and_the_database_their_files() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start_from(limited(dir.path(), 300, &[])).ready().await;
    server.prepare("summer", 10).await;
    let address = server.public.strip_prefix("http://").unwrap();
    let flood = join_all((0..400).map(|_| TcpStream::connect(address))).await;
    assert!(flood.iter().all(Result::is_ok), "the system takes them in, if not the server");
    for turn in 0..20 {
        assert_eq!(server.get_as_admin("/readyz").await.status, 200, "{turn}");
        assert_eq!(server.get_as_admin("/admin/coupons/summer/stats").await.status, 200, "{turn}");
    }
    drop(flood);
    eventually_holds("users are served again", async || {
        server.issue("summer", "ada").await.status == 200
    })
    .await;
}

#[tokio::test]
async fn more_workers_than_there_are_files_for_are_fewer_workers() {
    let dir = tempfile::tempdir().unwrap();
    let many = limited(dir.path(), 1_024, &[("FIRSTCOME_WORKERS", "256")]);
    let server = Server::start_from(many).ready().await;
    server.prepare("summer", 10).await;
    assert_eq!(server.issue("summer", "ada").await.status, 200);
}

#[tokio::test]
async fn too_few_files_for_one_worker_end_with_3_and_the_number_that_is_needed() {
    let dir = tempfile::tempdir().unwrap();
    let ended = limited(dir.path(), 64, &[]).output().unwrap();
    let said = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(3), "{said}");
    let words = said.lines().last().unwrap().strip_prefix("firstcome: ").unwrap();
    let needed = words.split(' ').next().unwrap().parse().unwrap();
    let server = Server::start_from(limited(dir.path(), needed, &[])).ready().await;
    server.prepare("summer", 10).await;
    assert_eq!(server.issue("summer", "ada").await.status, 200, "what it asks for is enough");
}

#[tokio::test]
async fn a_worker_with_too_few_files_ends_with_3_and_the_number_that_is_needed() {
    let site = Site::start(Dialect::Sqlite).await;
    let urls = [("REDIS_URL", site.redis.url()), ("DATABASE_URL", &*site.database_url)];
    let worker = |open_files| limited_verb("worker", site.data_dir(), open_files, &urls);
    let ended = worker(40).output().unwrap();
    let said = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(3), "{said}");
    let words = said.lines().last().unwrap().strip_prefix("firstcome: ").unwrap();
    let needed = words.split(' ').next().unwrap().parse().unwrap();
    let mut worker = Worker::start_from(worker(needed));
    let address = worker.admin.strip_prefix("http://").unwrap();
    let idle = join_all((0..60).map(|_| TcpStream::connect(address))).await;
    assert!(idle.iter().all(Result::is_ok), "{idle:?}");
    let ready = format!("{}/readyz", worker.admin);
    let asked = async || reqwest::get(&ready).await?.error_for_status();
    eventually_ok("what it asks for is enough", asked).await;
    drop(idle);
    assert!(worker.terminate().await.success());
}
