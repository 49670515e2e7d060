//! PostgreSQL that answers nothing while a server or worker starts, and what comes of it later.

use std::path::Path;

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _};

use crate::support::eventually::{eventually, eventually_holds};
use crate::support::postgres::{OwnPostgres, PASSWORD, close_to_all};
use crate::support::postgres::{fresh_database_in, open_to_all};
use crate::support::server::{Answer, Server};
use crate::support::site::{Dialect, Site};

/// Waits until `/readyz`, which says 503 all the time, says this too.
async fn says(server: &Server, sentence: &str) -> Answer {
    eventually(sentence, async || {
        let answer = server.get("/readyz").await;
        assert_eq!(answer.status, 503, "{}", answer.body);
        answer.body.contains(sentence).then_some(answer)
    })
    .await
}

async fn assert_issues(server: Server) {
    let server = server.ready().await;
    server.prepare("summer", 2).await;
    assert_eq!(server.issue("summer", "ada").await.status, 200);
    eventually_holds("the row", async || server.stats("summer").await["persisted"] == 1).await;
}

async fn start(dir: &Path, url: &str) -> Server {
    Server::start(dir, &[("DATABASE_URL", url)]).await
}

#[tokio::test]
async fn a_server_whose_database_hangs_listens_says_so_and_issues_when_it_goes_on() {
    let postgres = OwnPostgres::start().await;
    postgres.hang();
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path(), &postgres.url()).await;
    assert_eq!(server.get("/healthz").await.status, 200);
    let told = says(&server, "the database has not answered for ").await;
    assert!(!told.json()["reasons"].as_array().unwrap().is_empty(), "{}", told.body);
    postgres.go_on();
    assert_issues(server).await;
}

#[tokio::test]
async fn a_worker_whose_database_hangs_waits_and_writes_the_rows_when_it_goes_on_i3() {
    let postgres = OwnPostgres::start().await;
    let mut site = Site::start(Dialect::Sqlite).await;
    site.database_url = postgres.url();
    let server = site.server(&[("FIRSTCOME_PERSISTER", "off")]).await;
    server.prepare("summer", 3).await;
    assert_eq!(server.issue("summer", "ada").await.status, 200);
    postgres.hang();
    let mut worker = site.worker(&[]);
    // Told while the database hangs, by a server whose life of Redis was proven before.
    assert_eq!(server.issue("summer", "bob").await.status, 200);
    postgres.go_on();
    let rows = async || server.stats("summer").await["persisted"] == 2;
    eventually_holds("the rows", rows).await;
    assert_eq!(worker.terminate().await.code(), Some(0));
}

#[tokio::test]
async fn a_database_that_comes_later_in_another_encoding_is_told_and_nothing_is_issued() {
    let url = fresh_database_in("EUC_KR").await;
    close_to_all(&url).await;
    let dir = tempfile::tempdir().unwrap();
    let mut server = start(dir.path(), &url).await;
    says(&server, "the database").await;
    open_to_all(&url).await;
    // By the prover, and by the gauge of the database.
    says(&server, "without the database: the database's encoding is EUC_KR").await;
    let told = says(&server, "the database does not suit: the database's encoding").await;
    assert!(told.body.contains("createdb --encoding=UTF8"), "{}", told.body);
    assert!(!told.body.contains("has not answered"), "{}", told.body);
    assert_eq!(server.issue("summer", "ada").await.code(), "recovering");
    assert!(server.is_alive());
}

#[tokio::test]
async fn a_password_that_turns_out_wrong_is_told_until_the_database_takes_it() {
    let (postgres, _) = OwnPostgres::start_with_tls().await;
    postgres.hang();
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path(), &postgres.url_by_tcp("other")).await;
    postgres.go_on();
    let told = says(&server, "the database does not suit: ").await;
    assert!(told.body.contains("password authentication failed"), "{}", told.body);
    assert!(!told.body.contains("other@"), "{}", told.body);
    let mut owner = PgConnection::connect(&postgres.url_by_tcp(PASSWORD)).await.unwrap();
    let sql = AssertSqlSafe("ALTER ROLE firstcome PASSWORD 'other'".to_owned());
    sqlx::query(sql).execute(&mut owner).await.unwrap();
    owner.close().await.unwrap();
    assert_issues(server).await;
}
