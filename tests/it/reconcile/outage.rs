//! Redis lost something while the database was away and could count nothing.

use std::path::Path;
use std::time::{Duration, Instant};

use firstcome::redis::facts;
use reqwest::StatusCode;
use rustix::process::Signal;

use super::replaced::{copy, tell_a_ticket};
use super::{assert_fails_closed, assert_recovering};
use crate::support::eventually::eventually_holds;
use crate::support::postgres::{OwnPostgres, close_to_all, open_to_all};
use crate::support::server::{Server, command};
use crate::support::site::{Dialect, Site};
use crate::support::store::open;

/// The database goes away; what Redis had then is kept; tickets are told, and seconds counted, that
/// neither the database nor the copy knows.
async fn lose_tickets_behind_an_outage(site: &Site, server: &Server) -> tempfile::TempDir {
    tell_a_ticket(server).await;
    close_to_all(&site.database_url).await;
    let kept = tempfile::tempdir().unwrap();
    copy(&site.redis.files(), kept.path());
    let old = facts::heartbeat(&site.redis.redis).await.unwrap();
    for user in ["bob", "eve"] {
        assert_eq!(server.issue("summer", user).await.status, StatusCode::OK);
    }
    let beat = async || facts::heartbeat(&site.redis.redis).await.unwrap() > old + 1;
    eventually_holds("beats that the copy lacks", beat).await;
    kept
}

fn put_back(kept: &Path) -> impl FnOnce(&Path) {
    move |files| {
        std::fs::remove_dir_all(files).unwrap();
        copy(kept, files);
    }
}

#[tokio::test]
async fn an_older_copy_is_refused_by_a_server_that_counted_while_the_database_was_away_i3_i5() {
    let mut site = Site::start(Dialect::Postgres).await;
    let server = site.server(&[]).await;
    let kept = lose_tickets_behind_an_outage(&site, &server).await;
    server.signal(Signal::STOP);
    // Only what the process itself remembers is left to tell.
    std::fs::remove_file(site.data_dir().join("heartbeat")).unwrap();
    site.redis.crash_and_restart_with(put_back(kept.path())).await;
    open_to_all(&site.database_url).await;
    server.signal(Signal::CONT);
    assert_fails_closed(&site, &server, "heartbeat is behind").await;
}

#[tokio::test]
async fn an_older_copy_is_refused_by_servers_that_died_while_the_database_was_away_i3_i5() {
    let mut site = Site::start(Dialect::Postgres).await;
    let server = site.server(&[]).await;
    let kept = lose_tickets_behind_an_outage(&site, &server).await;
    drop(server);
    site.redis.crash_and_restart_with(put_back(kept.path())).await;
    open_to_all(&site.database_url).await;
    let server = site.listening(&[]).await;
    assert_fails_closed(&site, &server, "heartbeat is behind").await;
    assert_recovering(&server, "summer", "eve").await;

    // Nobody who lacks the file of the one that counted may know it better.
    let store = open(&site.database_url, 2).await.unwrap();
    let before = store.last_generation().await.unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let variables = [("REDIS_URL", site.redis.url()), ("DATABASE_URL", &site.database_url)];
    for words in [&["doctor"][..], &["coupon", "list"], &["coupon", "preload", "summer"]] {
        let ended = command(elsewhere.path(), &variables).args(words).output().unwrap();
        let said = String::from_utf8(ended.stdout).unwrap();
        assert!(words[0] != "doctor" || said.contains("heartbeat is behind"), "{said}");
    }
    let other = Server::start(elsewhere.path(), &variables).await;
    assert_fails_closed(&site, &other, "heartbeat is behind").await;
    assert_recovering(&server, "summer", "eve").await;
    let after = store.last_generation().await.unwrap();
    assert_eq!(after.unwrap().generation_no, before.unwrap().generation_no);
    store.close().await;
}

#[tokio::test]
async fn the_seconds_are_counted_on_time_also_while_the_database_hangs_i3() {
    let postgres = OwnPostgres::start().await;
    let site = Site::start(Dialect::Sqlite).await;
    let server = site.server(&[("DATABASE_URL", &postgres.url())]).await;
    postgres.hang();
    let hung_at = Instant::now();
    let first = facts::heartbeat(&site.redis.redis).await.unwrap();
    let counted = async || facts::heartbeat(&site.redis.redis).await.unwrap() >= first + 6;
    eventually_holds("six beats", counted).await;
    assert!(hung_at.elapsed() < Duration::from_secs(14), "{:?} for six beats", hung_at.elapsed());
    // Whoever doubts is heard meanwhile, too.
    let () = site.redis.ask(&redis::cmd("FLUSHALL")).await;
    super::assert_not_ready(&server, "without the database").await;
    postgres.go_on();
}

#[tokio::test]
async fn a_data_directory_that_cannot_keep_the_heartbeat_is_a_warning_and_no_outage() {
    let site = Site::start(Dialect::Sqlite).await;
    let server = site.server(&[]).await;
    server.prepare("summer", 5).await;
    // Not even root can write a file where a folder stands.
    let heartbeat = site.data_dir().join("heartbeat");
    let replaced = async || {
        std::fs::remove_file(&heartbeat).ok();
        std::fs::create_dir(&heartbeat).is_ok()
    };
    eventually_holds("a folder in its place", replaced).await;
    let warns = async || server.get("/readyz").await.body.contains("cannot write");
    eventually_holds("a warning", warns).await;
    assert_eq!(server.get("/readyz").await.status, StatusCode::OK);
    assert_eq!(server.issue("summer", "ada").await.status, StatusCode::OK);
    std::fs::remove_dir(&heartbeat).unwrap();
    let is_quiet = async || !server.get("/readyz").await.body.contains("cannot write");
    eventually_holds("the warning's end", is_quiet).await;
}

#[tokio::test]
async fn a_data_directory_that_is_locked_or_hangs_is_told_and_keeps_no_stopped_server_alive() {
    let site = Site::start(Dialect::Sqlite).await;
    let mut server = site.server(&[]).await;
    let folder = std::fs::File::open(site.data_dir()).unwrap();
    folder.lock().unwrap();
    let warns = async || server.get("/readyz").await.body.contains("cannot write");
    eventually_holds("a warning", warns).await;
    server.terminate();
    let told_at = Instant::now();
    assert!(server.ended().await.success());
    assert!(told_at.elapsed() < Duration::from_secs(10), "{:?}", told_at.elapsed());
}
