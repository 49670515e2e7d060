//! Opening a database.

use firstcome::store::{Error, open};

use super::{draft, for_each_store, fresh_urls};

#[tokio::test]
async fn four_servers_that_start_at_once_migrate_a_fresh_database_together() {
    for (url, _folder) in fresh_urls().await {
        let opened = tokio::join!(open(&url, 2), open(&url, 2), open(&url, 2), open(&url, 2));
        let stores: Vec<_> = [opened.0, opened.1, opened.2, opened.3]
            .into_iter()
            .map(|opened| opened.expect("every server starts"))
            .collect();
        for (number, store) in stores.iter().enumerate() {
            store.ping().await.unwrap();
            assert!(store.insert_coupon(&draft(&format!("c{number}"))).await.unwrap());
        }
        assert_eq!(stores[0].list_coupons(None, 10).await.unwrap().len(), 4);
        for store in stores {
            store.close().await;
        }
    }
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
