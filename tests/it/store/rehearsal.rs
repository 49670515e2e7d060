//! Whether rows can be written, asked without writing any.

use firstcome::store::Error;

use super::{draft, execute, for_each_store, record};

#[tokio::test]
async fn a_rehearsal_leaves_nothing_behind() {
    for_each_store(async |database| {
        for _ in 0..2 {
            database.store.rehearse().await.unwrap();
        }
        assert_eq!(execute(&database.url, "DELETE FROM tickets").await, 0);
    })
    .await;
}

#[tokio::test]
async fn a_rehearsal_fails_where_rows_cannot_be_written_unless_some_were_a_moment_ago() {
    for_each_store(async |database| {
        let store = &database.store;
        execute(&database.url, "ALTER TABLE tickets RENAME TO gone").await;
        assert!(matches!(store.rehearse().await, Err(Error::Unavailable(_))));
        store.ping().await.unwrap();
        execute(&database.url, "ALTER TABLE gone RENAME TO tickets").await;
        assert!(store.insert_coupon(&draft("summer")).await.unwrap());
        store.persist(&[record("summer", 1, &["u1"])]).await.unwrap();
        execute(&database.url, "ALTER TABLE tickets RENAME TO gone").await;
        store.rehearse().await.unwrap();
    })
    .await;
}
