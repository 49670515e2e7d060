//! Definitions.

use firstcome::domain::act::Change;
use firstcome::domain::coupon::{Coupon, Definition};
use firstcome::domain::time::{UnixMs, ValidFor};
use firstcome::store::Error;

use super::{coupon_id, draft, execute, find, for_each_store, intend, new_act, preloaded};

fn full(id: &str) -> Coupon {
    let plain = draft(id);
    let definition = Definition {
        per_user_limit: 100,
        total: 1_000_000_000,
        opens_at: Some(UnixMs(1)),
        closes_at: Some(UnixMs(253_402_300_799_999)),
        valid_for: ValidFor::parse("P7D"),
        ..plain.definition
    };
    Coupon { definition, key_id: "k2".to_owned(), ..plain }
}

#[tokio::test]
async fn a_coupon_is_found_as_it_was_inserted_and_its_id_is_taken_once() {
    for_each_store(async |database| {
        let store = &database.store;
        for coupon in [draft("plain"), full("full")] {
            assert!(store.insert_coupon(&coupon).await.unwrap());
            assert!(!store.insert_coupon(&draft(coupon.definition.id.as_str())).await.unwrap());
            assert_eq!(store.find_coupon(&coupon.definition.id).await.unwrap(), Some(coupon));
        }
        assert_eq!(store.find_coupon(&coupon_id("Plain")).await.unwrap(), None);
        assert_eq!(store.key_ids().await.unwrap(), ["k1", "k2"]);
    })
    .await;
}

#[tokio::test]
async fn coupons_without_a_row_are_told_from_those_that_have_one() {
    for_each_store(async |database| {
        let store = &database.store;
        assert_eq!(store.without_row(&[]).await.unwrap(), []);
        for id in ["a", "b"] {
            assert!(store.insert_coupon(&draft(id)).await.unwrap());
        }
        let asked: Vec<_> = ["A", "a", "_", "b", "-9"].map(coupon_id).into();
        let mut missing = store.without_row(&asked).await.unwrap();
        missing.sort();
        assert_eq!(missing, ["-9", "A", "_"].map(coupon_id));
    })
    .await;
}

#[tokio::test]
async fn coupons_are_listed_in_pages_in_the_bytewise_order_of_their_ids() {
    for_each_store(async |database| {
        let store = &database.store;
        for id in ["b", "_", "a-1", "a", "B", "0"] {
            assert!(store.insert_coupon(&draft(id)).await.unwrap());
        }
        let mut listed: Vec<String> = Vec::new();
        loop {
            let after = listed.last().map(|id| coupon_id(id));
            let page = store.list_coupons(after.as_ref(), 4).await.unwrap();
            listed.extend(page.iter().map(|coupon| coupon.definition.id.to_string()));
            if page.len() < 4 {
                break;
            }
        }
        assert_eq!(listed, ["0", "B", "_", "a", "a-1", "b"]);
    })
    .await;
}

#[tokio::test]
async fn a_draft_is_replaced_only_at_the_version_that_was_seen() {
    for_each_store(async |database| {
        let store = &database.store;
        assert!(store.insert_coupon(&draft("summer")).await.unwrap());
        let wanted = full("summer").definition;
        let updated = store.update_draft(&wanted, 1).await.unwrap().expect("it is a draft at 1");
        assert_eq!((updated.version, &updated.definition), (2, &wanted));
        assert_eq!(find(&**store, "summer").await, updated);
        assert_eq!(store.update_draft(&wanted, 1).await.unwrap(), None);
        assert_eq!(store.update_draft(&draft("other").definition, 1).await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn what_was_preloaded_is_a_draft_no_more() {
    for_each_store(async |database| {
        let store = &database.store;
        assert!(store.insert_coupon(&draft("summer")).await.unwrap());
        assert!(!store.has_preloaded_coupon().await.unwrap());
        intend(&**store, &new_act("summer", Change::Preload)).await;
        assert!(store.has_preloaded_coupon().await.unwrap());
        let seen = find(&**store, "summer").await;
        assert_eq!(store.update_draft(&seen.definition, seen.version).await.unwrap(), None);
        assert!(!store.delete_draft(&coupon_id("summer")).await.unwrap());
        assert_eq!(find(&**store, "summer").await, seen);
    })
    .await;
}

#[tokio::test]
async fn a_draft_is_deleted_once_and_its_id_is_free_again() {
    for_each_store(async |database| {
        let store = &database.store;
        assert!(store.insert_coupon(&draft("summer")).await.unwrap());
        assert!(store.delete_draft(&coupon_id("summer")).await.unwrap());
        assert!(!store.delete_draft(&coupon_id("summer")).await.unwrap());
        assert!(store.insert_coupon(&draft("summer")).await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn a_name_changes_in_any_state_and_leaves_the_version() {
    for_each_store(async |database| {
        let store = &database.store;
        let before = preloaded(&**store, "summer").await;
        assert!(store.rename_coupon(&coupon_id("summer"), "Herbst").await.unwrap());
        let after = find(&**store, "summer").await;
        assert_eq!((after.definition.name.as_str(), after.version), ("Herbst", before.version));
        assert!(!store.rename_coupon(&coupon_id("none"), "Herbst").await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn values_that_no_coupon_has_are_refused_as_data() {
    for_each_store(async |database| {
        let store = &database.store;
        let good = draft("summer");
        let too_many = Definition { total: 1_000_000_001, ..good.definition.clone() };
        let negative = Definition { total: u64::MAX, ..good.definition.clone() };
        let unlimited = Definition { per_user_limit: 101, ..good.definition.clone() };
        for definition in [too_many, negative, unlimited] {
            let refused = store.insert_coupon(&Coupon { definition, ..good.clone() }).await;
            assert!(matches!(refused, Err(Error::Data(_))), "{refused:?}");
        }
        assert_eq!(store.list_coupons(None, 10).await.unwrap(), []);
    })
    .await;
}

#[tokio::test]
async fn only_a_taken_id_makes_an_insert_come_second() {
    for_each_store(async |database| {
        let store = &database.store;
        execute(&database.url, "CREATE UNIQUE INDEX one_for_each_key ON coupons (key_id)").await;
        assert!(store.insert_coupon(&draft("summer")).await.unwrap());
        assert!(!store.insert_coupon(&draft("summer")).await.unwrap());
        let refused = store.insert_coupon(&draft("winter")).await;
        assert!(matches!(refused, Err(Error::Data(_))), "{refused:?}");
    })
    .await;
}
