//! kill -9 of the server, and of its Redis: no ticket of an answer is lost or changed (I3 I10).

use std::path::Path;
use std::time::Duration;

use reqwest::StatusCode;
use rustix::process::Signal;

use firstcome::embedded::LocalRedis;

use crate::support::crowd::{Crowd, Told};
use crate::support::eventually::{eventually, eventually_holds};
use crate::support::exact::{assert_exactly, assert_kept};
use crate::support::processes::signal;
use crate::support::redis::info_of;
use crate::support::server::{Server, command};

const TOTAL: usize = 600;

/// Every ticket of an earlier answer is in the new answer, byte for byte.
async fn assert_told_again(server: &Server, told: &Told) {
    for (user, body) in &told.tickets {
        let again = server.issue("summer", user).await;
        assert_eq!((again.status, &again.body), (StatusCode::OK, body), "{user}");
        assert_eq!(again.headers["idempotency-replayed"], "true", "{user}");
    }
}

#[tokio::test]
async fn kill_9_of_the_server_under_load_changes_nothing_that_was_told_i1_i3_i5_i10() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = Server::start(dir.path(), &[]).await.ready().await;
    server.prepare("summer", TOTAL as u64).await;
    let address = server.public.clone();
    let crowd = Crowd::new(&[&address], "summer");
    let kill = async {
        eventually_holds("some winners", async || crowd.winners() > TOTAL / 4).await;
        server.kill();
    };
    let (cuts, ()) = tokio::join!(crowd.rush_until_cut(0..TOTAL * 3 / 2), kill);
    assert!(!cuts.is_empty(), "it was killed under load");
    let before = crowd.told();
    assert!(before.tickets.len() < TOTAL, "it was killed before all were taken");

    let server = Server::start(dir.path(), &[]).await.ready().await;
    assert_told_again(&server, &before).await;
    let crowd = Crowd::new(&[&server.public], "summer");
    crowd.rush(0..TOTAL * 3 / 2).await;
    let told = crowd.told();
    for (user, body) in &before.tickets {
        assert_eq!(told.tickets.get(user), Some(body), "{user}");
    }
    assert_exactly(&server, "summer", TOTAL, &told).await;
}

#[tokio::test]
async fn a_second_server_in_the_same_directory_ends_with_code_4_and_disturbs_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path(), &[]).await.ready().await;
    server.prepare("summer", 2).await;
    let refused = command(dir.path(), &[]).arg("serve").output().unwrap();
    assert_eq!(refused.status.code(), Some(4), "{}", String::from_utf8_lossy(&refused.stderr));
    assert_eq!(server.issue("summer", "ada").await.status, StatusCode::OK);
}

/// Kills the Redis of this directory as soon as it answers: it may still start after an earlier
/// kill.
async fn kill_redis(dir: &Path) {
    let url = eventually("a running Redis", async || LocalRedis::attach(dir).await).await;
    signal(info_of(&url, "process_id").await.parse().unwrap(), Signal::KILL);
}

#[tokio::test]
async fn kill_9_of_the_private_redis_under_load_loses_no_ticket_told_i1_i3_i5_i10() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path(), &[]).await.ready().await;
    server.prepare("summer", TOTAL as u64).await;
    let crowd = Crowd::new(&[&server.public], "summer");
    let kill = async {
        for winners in [TOTAL / 4, TOTAL / 2] {
            eventually_holds("more winners", async || crowd.winners() > winners).await;
            kill_redis(dir.path()).await;
        }
    };
    tokio::join!(crowd.rush(0..TOTAL * 3 / 2), kill);
    let told = crowd.told();
    let server = server.ready().await;
    for code in &told.interruptions {
        assert!(["recovering", "outcome_unknown"].contains(&code.as_str()), "{code}");
    }
    assert!(!told.interruptions.is_empty(), "somebody noticed");
    assert_exactly(&server, "summer", TOTAL, &told).await;
    assert_told_again(&server, &told).await;
}

#[tokio::test]
async fn a_server_whose_log_nobody_reads_any_more_outlives_its_redis_i3_i5() {
    let dir = tempfile::tempdir().unwrap();
    let (reader, writer) = std::io::pipe().unwrap();
    let mut command = command(dir.path(), &[]);
    command.arg("serve").stderr(writer);
    let server = Server::start_from(command).ready().await;
    server.prepare("summer", 2).await;
    let first = server.issue("summer", "ada").await;
    drop(reader);
    kill_redis(dir.path()).await;
    for user in ["bob", "ada"] {
        // A server that lost its batcher would never answer.
        let told = eventually_holds("a ticket", async || {
            server.issue("summer", user).await.status == StatusCode::OK
        });
        tokio::time::timeout(Duration::from_secs(60), told).await.expect("an answer");
    }
    assert_eq!(server.issue("summer", "ada").await.body, first.body);
    eventually_holds("both rows", async || server.stats("summer").await["persisted"] == 2).await;
}

#[tokio::test]
async fn kill_9_of_an_idle_redis_is_over_before_anybody_is_told_a_second_ticket_i2_i3() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path(), &[]).await.ready().await;
    server.prepare("summer", 2).await;
    let first = server.issue("summer", "ada").await;
    kill_redis(dir.path()).await;
    let again = eventually("an answer", async || {
        let answer = server.issue("summer", "ada").await;
        match answer.code().as_str() {
            "" => Some(answer),
            "recovering" | "outcome_unknown" => None,
            code => panic!("{code}"),
        }
    })
    .await;
    assert_eq!((&again.body, again.status), (&first.body, StatusCode::OK));
    let other = eventually("the next ticket", async || {
        Some(server.issue("summer", "bob").await).filter(|answer| answer.status == StatusCode::OK)
    })
    .await;
    assert_eq!(other.json()["ticket"]["serial"], 2, "serials go on (I5)");
    let mut told = Told::default();
    told.tickets.insert("ada".to_owned(), first.body);
    told.tickets.insert("bob".to_owned(), other.body);
    assert_kept(&server, "summer", &told).await;
}
