//! The persister's transaction: everything goes in once (I3, I9, I10).

use firstcome::domain::act::Change;
use firstcome::domain::limits::{BATCH_MAX_TICKETS, GROUP_MAX_REQUESTS};
use firstcome::domain::record::Record;
use firstcome::domain::ticket::{Serial, Status, Ticket};
use firstcome::store::{Error, Persisted, Store};

use super::{claim, coupon_id, draft, find, for_each_store, record, ticket_id, user_id};
use crate::support::records::tickets_of;
use crate::support::store::refuse;

/// A full batch of full records.
fn full_batch(coupon: &str) -> Vec<Record> {
    let numbers: Vec<usize> = (0..BATCH_MAX_TICKETS).collect();
    let of = |group: &[usize]| {
        let users: Vec<String> = group.iter().map(|n| format!("u{}", n * 7919 % 100_003)).collect();
        let users: Vec<&str> = users.iter().map(String::as_str).collect();
        record(coupon, group[0] as u64 + 1, &users)
    };
    numbers.chunks(GROUP_MAX_REQUESTS).map(of).collect()
}

async fn persist(store: &dyn Store, records: &[Record]) -> Persisted {
    store.persist(records).await.expect("persist")
}

#[tokio::test]
async fn a_ticket_becomes_the_row_that_was_told_i10() {
    for_each_store(async |database| {
        let store = &database.store;
        let mut given = record("summer", 7, &["u1", "홍길동 👒"]);
        given.holders[1].1 = claim(100);
        let done = persist(&**store, std::slice::from_ref(&given)).await;
        assert_eq!((done.inserted, done.replayed), (2, 0));
        for ticket in tickets_of(&given) {
            let row = store.find_ticket(&ticket.id()).await.unwrap().expect("it stands");
            assert_eq!((row.ticket, row.status), (ticket, Status::Accepted));
        }
        assert_eq!(store.find_ticket(&ticket_id("summer", 9)).await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn a_full_batch_three_times_is_the_same_as_once_i9() {
    for_each_store(async |database| {
        let store = &database.store;
        assert!(store.insert_coupon(&draft("summer")).await.unwrap());
        let records = full_batch("summer");
        let all = BATCH_MAX_TICKETS as u64;
        for expected in [(all, 0), (0, all), (0, all)] {
            let done = persist(&**store, &records).await;
            assert_eq!((done.inserted, done.replayed), expected);
            assert_eq!(done.contested, []);
            let counts = store.counts(&coupon_id("summer")).await.unwrap();
            assert_eq!((counts.rows, counts.last_serial), (all, all));
            assert_eq!((counts.cancelled, counts.contested), (0, 0));
            assert_eq!(find(&**store, "summer").await.persisted, all);
        }
    })
    .await;
}

#[tokio::test]
async fn a_ticket_twice_in_one_batch_is_one_row_i9() {
    for_each_store(async |database| {
        let store = &database.store;
        assert!(store.insert_coupon(&draft("summer")).await.unwrap());
        let one = record("summer", 1, &["u1", "u2"]);
        let done = persist(&**store, &[one.clone(), record("summer", 3, &["u3"]), one]).await;
        assert_eq!((done.inserted, done.replayed, done.contested.len()), (3, 2, 0));
        assert_eq!(find(&**store, "summer").await.persisted, 3);
    })
    .await;
}

#[tokio::test]
async fn what_is_new_in_a_half_known_batch_goes_in_i3() {
    for_each_store(async |database| {
        let store = &database.store;
        assert!(store.insert_coupon(&draft("summer")).await.unwrap());
        let known = record("summer", 3, &["u3"]);
        persist(&**store, std::slice::from_ref(&known)).await;
        let batch = [record("summer", 1, &["u1", "u2"]), known, record("summer", 4, &["u4"])];
        let done = persist(&**store, &batch).await;
        assert_eq!((done.inserted, done.replayed, done.contested.len()), (3, 1, 0));
        assert_eq!(find(&**store, "summer").await.persisted, 4);
    })
    .await;
}

#[tokio::test]
async fn every_coupon_of_a_batch_counts_its_own_rows() {
    for_each_store(async |database| {
        let store = &database.store;
        let ids: Vec<String> = (0..40).map(|number| format!("c{number}")).collect();
        for id in &ids {
            assert!(store.insert_coupon(&draft(id)).await.unwrap());
        }
        let batch: Vec<Record> = ids
            .iter()
            .rev()
            .map(|id| record(id, 1, &["u1", "u2", "u3"][..1 + id.len() % 2]))
            .collect();
        persist(&**store, &batch).await;
        for id in &ids {
            assert_eq!(find(&**store, id).await.persisted, 1 + id.len() as u64 % 2, "{id}");
        }
    })
    .await;
}

#[tokio::test]
async fn tickets_of_a_coupon_without_a_row_are_not_lost_i3() {
    for_each_store(async |database| {
        let done = persist(&*database.store, &[record("deleted", 1, &["u1"])]).await;
        assert_eq!(done.inserted, 1);
        assert_eq!(database.store.counts(&coupon_id("deleted")).await.unwrap().rows, 1);
    })
    .await;
}

#[tokio::test]
async fn an_empty_batch_is_nothing() {
    for_each_store(async |database| {
        let done = persist(&*database.store, &[]).await;
        assert_eq!(done, Persisted::default());
    })
    .await;
}

#[tokio::test]
async fn persisters_with_the_same_batch_write_it_once_together_i9() {
    for_each_store(async |database| {
        let other = database.open_again().await;
        let store = &database.store;
        for id in ["autumn", "summer", "winter"] {
            assert!(store.insert_coupon(&draft(id)).await.unwrap());
        }
        let mut forth = full_batch("summer");
        forth.extend(["winter", "autumn"].map(|id| record(id, 1, &["u1"])));
        let back: Vec<Record> = forth.iter().rev().cloned().collect();
        let (one, two, three) = tokio::join!(
            persist(&**store, &forth),
            persist(&*other, &back),
            persist(&*other, &forth)
        );
        let all = BATCH_MAX_TICKETS as u64 + 2;
        assert_eq!(one.inserted + two.inserted + three.inserted, all);
        assert_eq!(one.replayed + two.replayed + three.replayed, 2 * all);
        assert_eq!(find(&**store, "summer").await.persisted, BATCH_MAX_TICKETS as u64);
        assert_eq!(find(&**store, "winter").await.persisted, 1);
        other.close().await;
    })
    .await;
}

#[tokio::test]
async fn one_ticket_that_no_column_can_hold_is_data_and_nothing_of_its_batch_is_written() {
    for_each_store(async |database| {
        let store = &database.store;
        assert!(store.insert_coupon(&draft("summer")).await.unwrap());
        let good = record("summer", 1, &["u1"]);
        let serials = [0, 1 << 40, u64::MAX / 2, u64::MAX].map(|number| Record {
            first_serial: Serial(number),
            ..record("summer", 2, &["u2", "u3"])
        });
        let epoch = Record { epoch: u32::MAX, ..record("summer", 2, &["u2"]) };
        for bad in serials.into_iter().chain([epoch]) {
            let refused = store.persist(&[good.clone(), bad.clone()]).await;
            assert!(matches!(refused, Err(Error::Data(_))), "{bad:?}: {refused:?}");
            assert_eq!(store.counts(&coupon_id("summer")).await.unwrap().rows, 0);
            assert_eq!(find(&**store, "summer").await.persisted, 0);
        }
        assert_eq!(persist(&**store, &[good]).await.inserted, 1);
    })
    .await;
}

#[tokio::test]
async fn the_greatest_serials_are_those_of_the_rows_and_dead_letters() {
    for_each_store(async |database| {
        let store = &database.store;
        for id in ["a", "b", "c"] {
            super::preloaded(&**store, id).await;
        }
        assert!(store.insert_coupon(&draft("d")).await.unwrap());
        // Preloads that are only intended: Redis need not have these, but for the one with rows.
        for id in ["aa", "e"] {
            assert!(store.insert_coupon(&draft(id)).await.unwrap());
            super::intend(&**store, &super::new_act(id, Change::Preload)).await;
        }
        persist(&**store, &[record("e", 1, &["u1"])]).await;
        persist(&**store, &[record("b", 41, &["u1", "u2"]), record("d", 9, &["u1"])]).await;
        let all = store.last_serials(None, 10).await.unwrap();
        let expected = [("a", 0), ("b", 42), ("c", 0), ("e", 1)];
        assert_eq!(all, expected.map(|(id, serial)| (coupon_id(id), Serial(serial))));
        let page = store.last_serials(Some(&coupon_id("a")), 1).await.unwrap();
        assert_eq!(page, [(coupon_id("b"), Serial(42))]);
        refuse(&database.url, "tickets", "user_id = 'u4'").await;
        store.persist_or_park(&[record("b", 43, &["u3", "u4"])], &[]).await.unwrap();
        let page = store.last_serials(Some(&coupon_id("a")), 1).await.unwrap();
        assert_eq!(page, [(coupon_id("b"), Serial(44))]);
    })
    .await;
}

#[tokio::test]
async fn a_users_other_claim_is_another_ticket_i2() {
    for_each_store(async |database| {
        let mut two = record("summer", 1, &["u1", "u1"]);
        two.holders[1].1 = claim(2);
        let done = persist(&*database.store, &[two.clone()]).await;
        assert_eq!((done.inserted, done.contested.len()), (2, 0));
        let rows = database.store.tickets_of_user(&user_id("u1"), None, 10).await.unwrap();
        let tickets: Vec<Ticket> = rows.into_iter().map(|row| row.ticket).collect();
        assert_eq!(tickets, tickets_of(&two).collect::<Vec<_>>());
    })
    .await;
}
