//! The rank of a ticket is the number of tickets before it, plus one, over all epochs.

use firstcome::domain::epoch::EpochStart;
use firstcome::domain::record::Record;
use firstcome::domain::ticket::Serial;
use firstcome::domain::time::UnixMs;
use firstcome::domain::who::Who;
use firstcome::store::{Cancelled, Store};

use super::{coupon_id, for_each_store, preloaded, record, ticket_id};

/// Writes tickets of an epoch, with users of their own.
async fn persist(store: &dyn Store, epoch: u32, serials: &[u64]) {
    let of = |serial: &u64| Record { epoch, ..record("summer", *serial, &[&format!("u{serial}")]) };
    let records: Vec<Record> = serials.iter().map(of).collect();
    let done = store.persist(&records).await.unwrap();
    assert_eq!(done.contested, []);
}

async fn begin(store: &dyn Store, epoch: u32, first_serial: u64) {
    let first_serial = Serial(first_serial);
    let start = EpochStart { epoch, first_serial, stock: 9, withheld: 0, act_no: 1 };
    store.begin_epoch(&coupon_id("summer"), &start).await.unwrap();
}

async fn rank(store: &dyn Store, serial: u64) -> Option<u64> {
    let row = store.find_ticket(&ticket_id("summer", serial)).await.unwrap().unwrap();
    store.rank(&row.ticket).await.unwrap()
}

/// Each row has the next rank.
async fn assert_ranks(store: &dyn Store, serials: &[u64]) {
    for (serial, place) in serials.iter().zip(1..) {
        assert_eq!(rank(store, *serial).await, Some(place), "serial {serial} of {serials:?}");
    }
}

#[tokio::test]
async fn a_rank_goes_on_over_the_gaps_of_all_epochs_and_over_late_and_cancelled_tickets_i5() {
    for_each_store(async |database| {
        let store = &*database.store;
        preloaded(store, "summer").await;
        // 4 and 5 were lost.
        persist(store, 1, &[1, 2, 3, 6, 7]).await;
        begin(store, 3, 101).await;
        persist(store, 3, &[101, 102, 103]).await;
        begin(store, 4, 151).await;
        begin(store, 6, 201).await;
        persist(store, 6, &[201, 202]).await;
        assert_ranks(store, &[1, 2, 3, 6, 7, 101, 102, 103, 201, 202]).await;
        // A receipt brings a lost ticket back, in one batch with others.
        for _ in 0..2 {
            let restored = Record { epoch: 1, ..record("summer", 5, &["late"]) };
            let new = Record { epoch: 6, ..record("summer", 203, &["new"]) };
            store.persist(&[new, restored]).await.unwrap();
        }
        assert_ranks(store, &[1, 2, 3, 5, 6, 7, 101, 102, 103, 201, 202, 203]).await;
        let (id, serials) = (coupon_id("summer"), [Serial(2), Serial(101)]);
        let done = store.cancel_tickets(&id, &serials, Who::Admin, UnixMs(7)).await.unwrap();
        assert!(matches!(done, Cancelled::Done { act: Some(_), .. }), "{done:?}");
        assert_ranks(store, &[1, 2, 3, 5, 6, 7, 101, 102, 103, 201, 202, 203]).await;
        // An epoch that a recoverer begins once more has the same rows before it.
        begin(store, 7, 301).await;
        begin(store, 7, 302).await;
        persist(store, 7, &[302]).await;
        assert_eq!(rank(store, 302).await, Some(13));
    })
    .await;
}

#[tokio::test]
async fn in_an_epoch_that_lost_tickets_a_rank_is_known_wherever_few_rows_tell_it_i5() {
    for_each_store(async |database| {
        let store = &*database.store;
        preloaded(store, "summer").await;
        let first: Vec<u64> = (1..=10).chain([50_010]).collect();
        persist(store, 1, &first).await;
        begin(store, 2, 200_001).await;
        persist(store, 2, &[200_001, 200_003, 300_000]).await;
        begin(store, 3, 400_001).await;
        persist(store, 3, &[400_001]).await;
        // All that is missing is missing behind these.
        assert_ranks(store, &first).await;
        assert_eq!(rank(store, 200_003).await, None, "a gap before it, far from the end");
        assert_eq!(rank(store, 300_000).await, Some(14));
        assert_eq!(rank(store, 400_001).await, Some(15));
    })
    .await;
}
