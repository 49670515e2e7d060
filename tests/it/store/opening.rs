//! Opening a database.

use std::time::Duration;

use firstcome::domain::limits::CONNECTION_WAIT;
use firstcome::store::Error;
use sqlx::Connection as _;
use sqlx::sqlite::SqliteConnection;

use super::{draft, for_each_store, fresh_urls};
use crate::support::store::open;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn servers_that_start_at_once_migrate_a_fresh_database_together() {
    // Several rounds: the race is won by luck in most of them.
    for _ in 0..5 {
        for (url, _folder) in fresh_urls().await {
            let servers: Vec<_> = (0..4)
                .map(|number| tokio::spawn(start_server(url.clone(), format!("c{number}"))))
                .collect();
            for server in servers {
                server.await.expect("every server starts");
            }
            let store = open(&url, 2).await.unwrap();
            assert_eq!(store.list_coupons(None, 10).await.unwrap().len(), 4);
            store.close().await;
        }
    }
}

async fn start_server(url: String, id: String) {
    let store = open(&url, 2).await.unwrap();
    assert!(store.insert_coupon(&draft(&id)).await.unwrap());
    store.close().await;
}

#[tokio::test]
async fn a_server_that_starts_while_another_holds_the_file_waits_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}?mode=rwc", folder.path().join("firstcome.db").display());
    let mut other = SqliteConnection::connect(&url).await.unwrap();
    // A reader of a file that is not in WAL mode yet keeps everybody from switching it.
    let read = "CREATE TABLE seen (id INTEGER); BEGIN; SELECT * FROM seen";
    sqlx::raw_sql(read).execute(&mut other).await.unwrap();
    let mut opening = Box::pin(open(&url, 2));
    let longer_than_one_attempt = CONNECTION_WAIT + Duration::from_millis(300);
    let early = tokio::time::timeout(longer_than_one_attempt, &mut opening).await;
    assert!(early.is_err(), "it did not wait");
    sqlx::raw_sql("COMMIT").execute(&mut other).await.unwrap();
    opening.await.unwrap().close().await;
    other.close().await.unwrap();
}

#[tokio::test]
async fn a_database_is_opened_again_with_everything_in_it() {
    for_each_store(async |database| {
        assert!(database.store.insert_coupon(&draft("summer")).await.unwrap());
        let again = database.open_again().await;
        assert_eq!(again.list_coupons(None, 10).await.unwrap(), [draft("summer")]);
        again.close().await;
    })
    .await;
}

#[tokio::test]
async fn a_database_as_it_is_opened_loses_nothing_that_was_committed() {
    for_each_store(async |database| {
        assert_eq!(database.store.unsafe_settings().await.unwrap(), Vec::<String>::new());
    })
    .await;
}

#[tokio::test]
async fn a_setting_that_could_lose_a_committed_ticket_is_named() {
    let url = crate::support::postgres::fresh_database().await;
    let store = open(&format!("{url}&options=-c%20synchronous_commit%3Doff"), 2).await.unwrap();
    let named = store.unsafe_settings().await.unwrap();
    assert!(matches!(named.as_slice(), [one] if one.contains("synchronous_commit")), "{named:?}");
    store.close().await;
}

#[tokio::test]
async fn a_url_that_names_no_database_is_refused_and_never_repeated() {
    let wrong =
        ["", "redis://u:secret@h", "mysql://u:secret@h/d", "/tmp/secret", "sqlite::memory:"];
    for url in wrong.into_iter().chain(["sqlite:x?mode=memory", "postgres://u:secret@:x:y/d"]) {
        let Err(Error::Open(text)) = open(url, 2).await else { panic!("opened {url:?}") };
        assert!(!text.contains("secret"), "{text}");
    }
}

#[tokio::test]
async fn a_database_that_is_away_is_unavailable_not_refused() {
    let nobody = "postgres://firstcome@127.0.0.1:1/none";
    assert!(matches!(open(nobody, 2).await, Err(Error::Unavailable(_))));
}

#[tokio::test]
async fn a_closed_store_is_unavailable() {
    for_each_store(async |database| {
        let store = database.open_again().await;
        store.close().await;
        assert!(matches!(store.ping().await, Err(Error::Unavailable(_))));
    })
    .await;
}
