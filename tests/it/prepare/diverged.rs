//! A database that went back behind Redis by some acts: a standby that lacked their commits took
//! over, or a backup was restored. Equal numbers are then not the same act.

use std::fs::File;
use std::path::Path;

use reqwest::StatusCode;
use serde_json::json;
use sqlx::{Connection as _, SqliteConnection};

use crate::support::eventually::eventually_holds;
use crate::support::server::{Server, command};

use super::{act, cancel, create, rows_are_there, state, ticket};

/// A server that writes its log into its folder.
async fn server() -> (tempfile::TempDir, Server) {
    let dir = tempfile::tempdir().unwrap();
    let mut serve = command(dir.path(), &[]);
    serve.arg("serve").stderr(File::create(dir.path().join("log")).unwrap());
    let server = Server::start_from(serve).ready().await;
    (dir, server)
}

/// The rows as they are now, kept in a connection of the test's own.
pub(super) struct Backup(SqliteConnection);

impl Backup {
    async fn of(dir: &Path) -> Self {
        Self::at(&format!("sqlite:{}", dir.join("firstcome.db").display())).await
    }

    /// Of the database at this URL.
    pub(super) async fn at(url: &str) -> Self {
        let mut backup = Self(SqliteConnection::connect(url).await.unwrap());
        backup.run("CREATE TEMP TABLE kept AS SELECT * FROM coupons").await;
        backup.run("CREATE TEMP TABLE kept_acts AS SELECT * FROM acts").await;
        backup
    }

    async fn run(&mut self, sql: &'static str) {
        sqlx::raw_sql(sql).execute(&mut self.0).await.unwrap();
    }

    /// The coupons and acts as they were kept.
    pub(super) async fn restore(&mut self) {
        self.run(
            "BEGIN IMMEDIATE;
             DELETE FROM acts;
             DELETE FROM coupons WHERE id NOT IN (SELECT id FROM kept);
             UPDATE coupons SET (total, state, version, act_no) =
                 (SELECT total, state, version, act_no FROM kept WHERE kept.id = coupons.id);
             INSERT OR IGNORE INTO coupons SELECT * FROM kept;
             INSERT INTO acts SELECT * FROM kept_acts;
             COMMIT",
        )
        .await;
    }
}

/// Redis and the rows disagree, and everybody who looks is told so.
async fn is_loud(dir: &Path, server: &Server) {
    let audit = server.get("/coupons/summer/audit").await.json();
    assert_eq!(audit["ok"], false, "{audit}");
    eventually_holds("a warning", async || {
        let ready = server.get("/readyz").await;
        assert_eq!(ready.status, StatusCode::OK, "the others are issued: {}", ready.body);
        ready.json()["warnings"].to_string().contains("summer")
    })
    .await;
    assert_eq!(server.metric("firstcome_diverged_coupons").await, 1.0);
    let log = std::fs::read_to_string(dir.join("log")).unwrap();
    let lines = log.lines().filter(|line| line.contains("ERROR Redis has acts of this coupon"));
    let lines: Vec<&str> = lines.collect();
    assert!(lines.len() == 1 && lines[0].contains("coupon.id=summer"), "{log}");
}

#[tokio::test]
async fn a_pause_and_a_close_are_in_force_though_the_database_lost_an_act_i8() {
    let (dir, server) = server().await;
    server.prepare("summer", 100).await;
    let mut backup = Backup::of(dir.path()).await;
    assert_eq!(server.restock("summer", 50, "k").await.status, StatusCode::OK);
    backup.restore().await;

    let paused = act(&server, "summer", "pause").await;
    assert_eq!(paused.status, StatusCode::OK, "{paused:?}");
    assert_eq!(server.issue("summer", "ada").await.code(), "paused", "it was told so");
    assert_eq!(state(&server, "summer").await, "paused");
    is_loud(dir.path(), &server).await;
    for refused in
        [act(&server, "summer", "resume").await, server.restock("summer", 1, "other").await]
    {
        assert_eq!((refused.status.as_u16(), refused.code()), (409, "diverged".into()));
        assert_eq!(state(&server, "summer").await, "paused");
    }
    assert_eq!(act(&server, "summer", "close").await.status, StatusCode::OK);
    assert_eq!(server.issue("summer", "ada").await.code(), "closed");
}

#[tokio::test]
async fn a_pause_and_a_close_are_in_force_though_the_database_lost_two_acts_i8() {
    let (dir, server) = server().await;
    server.prepare("summer", 100).await;
    let mut backup = Backup::of(dir.path()).await;
    for key in ["one", "two"] {
        assert_eq!(server.restock("summer", 50, key).await.status, StatusCode::OK);
    }
    backup.restore().await;
    let refused = server.restock("summer", 1, "other").await;
    assert_eq!((refused.status.as_u16(), refused.code()), (409, "diverged".into()));
    is_loud(dir.path(), &server).await;
    for (word, code) in [("pause", "paused"), ("close", "closed")] {
        let answer = act(&server, "summer", word).await;
        assert_eq!(answer.status, StatusCode::OK, "{word}: {answer:?}");
        assert_eq!(server.issue("summer", "ada").await.code(), code);
    }
}

#[tokio::test]
async fn no_ticket_is_cancelled_in_its_row_alone_after_the_database_lost_an_act_i8_i10() {
    let (dir, server) = server().await;
    server.prepare("summer", 100).await;
    let told = server.issue("summer", "ada").await;
    rows_are_there(&server, "summer").await;
    let mut backup = Backup::of(dir.path()).await;
    assert_eq!(server.restock("summer", 50, "k").await.status, StatusCode::OK);
    backup.restore().await;
    let refused = cancel(&server, "summer.1").await;
    assert_eq!((refused.status.as_u16(), refused.code()), (409, "diverged".into()));
    assert_eq!(ticket(&server, "ada", "summer.1").await.json()["status"], "accepted");
    assert_eq!(server.issue("summer", "ada").await.body, told.body, "I10");
}

#[tokio::test]
async fn a_coupon_that_was_created_anew_inherits_no_old_life_i1() {
    let (dir, server) = server().await;
    let mut backup = Backup::of(dir.path()).await;
    server.prepare("summer", 100).await;
    backup.run("DELETE FROM acts; DELETE FROM coupons").await;
    create(&server, &json!({ "id": "summer", "name": "S", "total": 5 })).await;
    let refused = act(&server, "summer", "preload").await;
    assert_eq!((refused.status.as_u16(), refused.code()), (409, "diverged".into()), "{refused:?}");
    is_loud(dir.path(), &server).await;
    assert_eq!(act(&server, "summer", "close").await.status, StatusCode::OK);
    assert_eq!(server.issue("summer", "ada").await.code(), "closed");
}
