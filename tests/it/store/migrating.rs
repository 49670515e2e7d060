//! A migration that takes longer than those who asked for it wait.

use std::sync::Arc;
use std::time::Duration;

use firstcome::domain::limits::{CONNECTION_WAIT, MIGRATION_WAIT};
use firstcome::store::{Error, Migrations, Settings, Store, new};
use sqlx::Connection as _;
use sqlx::postgres::PgConnection;
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::watch;

use super::draft;
use super::suited::settings;
use crate::support::eventually::{eventually_holds, eventually_ok};
use crate::support::postgres::{fresh_database, socket_of};

async fn store_at(url: &str) -> Arc<dyn Store> {
    let slow = Settings { migration_wait: MIGRATION_WAIT, ..settings(url, Migrations::Here) };
    new(&slow).await.unwrap()
}

/// Begins what the migration waits for: it makes this table too.
async fn hold_up(url: &str) -> PgConnection {
    let mut other = PgConnection::connect(url).await.unwrap();
    sqlx::raw_sql("BEGIN; CREATE TABLE coupons (id text)").execute(&mut other).await.unwrap();
    other
}

async fn migrations_that_wait(url: &str) -> i64 {
    // In a transaction the answer would always be the same.
    let mut watcher = PgConnection::connect(url).await.unwrap();
    let sql = "SELECT count(*) FROM pg_stat_activity
         WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let waiting = sqlx::query_scalar(sql).fetch_one(&mut watcher).await.unwrap();
    watcher.close().await.unwrap();
    waiting
}

#[tokio::test]
async fn a_migration_goes_on_when_whoever_asked_for_it_has_given_up() {
    let url = fresh_database().await;
    let mut other = hold_up(&url).await;
    let store = store_at(&url).await;
    let (ping, _) = tokio::join!(
        tokio::time::timeout(4 * CONNECTION_WAIT, store.ping()),
        eventually_holds("the migration", async || migrations_that_wait(&url).await == 1),
    );
    let refused = ping.expect("it waits for the migration").unwrap_err();
    assert!(matches!(refused, Error::Unavailable(_)), "{refused}");
    assert!(refused.to_string().contains("is being migrated"), "{refused}");
    store.ping().await.unwrap_err();
    assert_eq!(migrations_that_wait(&url).await, 1, "it began another one");
    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
    // Nobody asks the store any more.
    let made = "SELECT count(*) FROM _sqlx_migrations WHERE success";
    eventually_ok("the migration's end", async || {
        let made: i64 = sqlx::query_scalar(made).fetch_one(&mut other).await?;
        if made > 0 { Ok(()) } else { Err(sqlx::Error::RowNotFound) }
    })
    .await;
    let is_new = eventually_ok("a row", async || store.insert_coupon(&draft("summer")).await);
    assert!(is_new.await);
    other.close().await.unwrap();
    store.close().await;
}

#[tokio::test]
async fn a_migration_whose_server_is_gone_without_a_word_is_begun_anew() {
    let url = fresh_database().await;
    let line = Line::to(&url).await;
    let mut other = hold_up(&url).await;
    let store = store_at(&line.url).await;
    let migrating = tokio::spawn({
        let store = store.clone();
        async move { store.migrate().await }
    });
    eventually_holds("the migration", async || migrations_that_wait(&url).await == 1).await;
    line.lost.send_replace(true);
    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
    let waited = tokio::time::timeout(Duration::from_secs(30), migrating).await;
    let gone = waited.expect("it waits for ever").unwrap().unwrap_err();
    assert!(gone.to_string().contains("went away"), "{gone}");
    eventually_ok("another migration", async || store.migrate().await).await;
    assert!(store.insert_coupon(&draft("summer")).await.unwrap());
    other.close().await.unwrap();
    store.close().await;
}

/// A line to a database by TCP on which connections can be lost: their server hears that they are
/// closed, and their client hears nothing.
struct Line {
    url: String,
    lost: watch::Sender<bool>,
}

impl Line {
    async fn to(url: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (socket, database) = socket_of(url);
        let lost = watch::Sender::new(false);
        let losses = lost.subscribe();
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let far = UnixStream::connect(&socket).await.unwrap();
                let mut lost = losses.clone();
                lost.mark_unchanged();
                tokio::spawn(async move { pass(near, far, lost).await });
            }
        });
        Self { url: format!("postgres://firstcome@{address}/{database}?sslmode=disable"), lost }
    }
}

async fn pass(mut near: TcpStream, mut far: UnixStream, mut lost: watch::Receiver<bool>) {
    tokio::select! {
        _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
        _ = lost.changed() => {
            drop(far);
            // Held, so that it is not closed.
            let _near = near;
            std::future::pending::<()>().await;
        }
    }
}
