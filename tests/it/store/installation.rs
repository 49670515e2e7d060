//! The id of the installation.

use super::for_each_store;

#[tokio::test]
async fn of_many_first_starts_one_gives_the_id_and_it_never_changes() {
    for_each_store(async |database| {
        let (one, two) = (&database.store, database.open_again().await);
        assert_eq!(one.installation_id().await.unwrap(), None);
        let (first, second) = tokio::join!(one.name_installation(), two.name_installation());
        let id = first.unwrap();
        assert_eq!(second.unwrap(), id);
        assert!(id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
        assert_eq!(one.name_installation().await.unwrap(), id);
        assert_eq!(two.installation_id().await.unwrap(), Some(id));
    })
    .await;
}

#[tokio::test]
async fn two_databases_have_two_ids() {
    let ids = std::sync::Mutex::new(std::collections::BTreeSet::new());
    for _ in 0..2 {
        for_each_store(async |database| {
            let id = database.store.name_installation().await.unwrap();
            assert!(ids.lock().unwrap().insert(id.clone()), "{id} twice");
        })
        .await;
    }
}
