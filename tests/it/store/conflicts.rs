//! Two different tickets where one may be: never swallowed (I9).

use std::time::SystemTime;

use firstcome::domain::record::Record;
use firstcome::domain::time::UnixMs;
use firstcome::store::Store;
use sqlx::Connection as _;
use sqlx::postgres::PgConnection;
use sqlx::sqlite::SqliteConnection;

use super::{coupon_id, draft, find, for_each_store, record, ticket_id};
use crate::support::records::tickets_of;

/// Persists and asserts which tickets were contested, twice: a conflict may be replayed too.
async fn expect(store: &dyn Store, records: &[Record], inserted: u64, contested: &[u64]) {
    for inserted in [inserted, 0] {
        let done = store.persist(records).await.expect("persist");
        let expected: Vec<_> = contested.iter().map(|n| ticket_id("summer", *n)).collect();
        assert_eq!((done.inserted, &done.contested), (inserted, &expected));
        let came: usize = records.iter().map(|record| record.holders.len()).sum();
        assert_eq!(done.inserted + done.replayed + contested.len() as u64, came as u64);
    }
}

/// What stands in the database: rows, contested tickets, and what the coupon counted.
async fn stands(store: &dyn Store) -> (u64, u64, u64) {
    let counts = store.counts(&coupon_id("summer")).await.expect("count");
    (counts.rows, counts.contested, find(store, "summer").await.persisted)
}

/// When the contested tickets were seen, each moment once.
async fn seen_at_ms(url: &str) -> Vec<i64> {
    let query = "SELECT DISTINCT seen_at_ms FROM contested";
    if url.starts_with("sqlite") {
        let mut connection = SqliteConnection::connect(url).await.unwrap();
        return sqlx::query_scalar(query).fetch_all(&mut connection).await.unwrap();
    }
    let mut connection = PgConnection::connect(url).await.unwrap();
    sqlx::query_scalar(query).fetch_all(&mut connection).await.unwrap()
}

fn now_ms() -> i64 {
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap();
    i64::try_from(now.as_millis()).unwrap()
}

#[tokio::test]
async fn another_user_with_a_serial_that_is_taken_is_contested_i5() {
    for_each_store(async |database| {
        let store = &*database.store;
        assert!(store.insert_coupon(&draft("summer")).await.unwrap());
        expect(store, &[record("summer", 1, &["u1", "u2"])], 2, &[]).await;
        expect(store, &[record("summer", 2, &["thief", "u3"])], 1, &[2]).await;
        assert_eq!(stands(store).await, (3, 1, 3));
        let row = store.find_ticket(&ticket_id("summer", 2)).await.unwrap().unwrap();
        assert_eq!(row.ticket.user_id.as_str(), "u2");
    })
    .await;
}

#[tokio::test]
async fn a_second_serial_for_the_same_claim_of_a_user_is_contested_i2() {
    for_each_store(async |database| {
        let store = &*database.store;
        assert!(store.insert_coupon(&draft("summer")).await.unwrap());
        expect(store, &[record("summer", 1, &["u1"])], 1, &[]).await;
        expect(store, &[record("summer", 5, &["u0", "u1", "u2"])], 2, &[6]).await;
        assert_eq!(stands(store).await, (3, 1, 3));
        assert_eq!(store.find_ticket(&ticket_id("summer", 6)).await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn a_ticket_that_differs_in_any_field_is_no_replay_i9() {
    for_each_store(async |database| {
        let store = &*database.store;
        assert!(store.insert_coupon(&draft("summer")).await.unwrap());
        let told = record("summer", 1, &["u1"]);
        expect(store, std::slice::from_ref(&told), 1, &[]).await;
        let other_epoch = Record { epoch: 2, ..told.clone() };
        expect(store, &[other_epoch], 0, &[1]).await;
        let other_time = Record { issued_at: UnixMs(told.issued_at.0 + 1), ..told.clone() };
        expect(store, &[other_time], 0, &[1]).await;
        assert_eq!(stands(store).await, (1, 2, 1));
        let other_source = Record { source: "d1".to_owned(), ..told.clone() };
        expect(store, &[other_source], 0, &[1]).await;
        let row = store.find_ticket(&ticket_id("summer", 1)).await.unwrap().unwrap();
        assert_eq!(Some(row.ticket), tickets_of(&told).next());
    })
    .await;
}

#[tokio::test]
async fn two_different_tickets_of_one_batch_do_not_hide_each_other_i9() {
    for_each_store(async |database| {
        let store = &*database.store;
        assert!(store.insert_coupon(&draft("summer")).await.unwrap());
        let same_serial = [record("summer", 1, &["u1"]), record("summer", 1, &["u2"])];
        expect(store, &same_serial, 1, &[1]).await;
        let same_claim = [record("summer", 2, &["u3"]), record("summer", 3, &["u3"])];
        expect(store, &same_claim, 1, &[3]).await;
        assert_eq!(stands(store).await, (2, 2, 2));
    })
    .await;
}

#[tokio::test]
async fn many_conflicts_are_found_among_many_replays_i9() {
    for_each_store(async |database| {
        let store = &*database.store;
        assert!(store.insert_coupon(&draft("summer")).await.unwrap());
        let users: Vec<String> = (0..5_000).map(|number| format!("u{number}")).collect();
        let mut users: Vec<&str> = users.iter().map(String::as_str).collect();
        expect(store, &[record("summer", 1, &users)], 5_000, &[]).await;
        let thieves: Vec<String> = (0..50).map(|number| format!("thief{number}")).collect();
        for (number, thief) in thieves.iter().enumerate() {
            users[number * 100] = thief;
        }
        let taken: Vec<u64> = (0..50).map(|number| number * 100 + 1).collect();
        expect(store, &[record("summer", 1, &users)], 0, &taken).await;
        assert_eq!(stands(store).await, (5_000, 50, 5_000));
    })
    .await;
}

#[tokio::test]
async fn persisters_that_bring_different_tickets_leave_one_row_and_one_contested_i2() {
    for_each_store(async |database| {
        let other = database.open_again().await;
        let store = &*database.store;
        assert!(store.insert_coupon(&draft("summer")).await.unwrap());
        for serial in 1..=20 {
            let mine = [record("summer", serial, &[&format!("a{serial}")])];
            let theirs = [record("summer", serial, &[&format!("b{serial}")])];
            let (one, two) = tokio::join!(store.persist(&mine), other.persist(&theirs));
            let (one, two) = (one.unwrap(), two.unwrap());
            assert_eq!((one.inserted + two.inserted, one.replayed + two.replayed), (1, 0));
            assert_eq!(one.contested.len() + two.contested.len(), 1);
        }
        assert_eq!(stands(store).await, (20, 20, 20));
        other.close().await;
    })
    .await;
}

#[tokio::test]
async fn contested_tickets_of_one_batch_are_seen_at_one_moment_by_the_clock() {
    const MINUTE_MS: i64 = 60_000;
    for_each_store(async |database| {
        let store = &*database.store;
        assert!(store.insert_coupon(&draft("summer")).await.unwrap());
        let users = |who: &str| (0..5_000).map(|n| format!("{who}{n}")).collect::<Vec<_>>();
        let (users, thieves) = (users("u"), users("thief"));
        let of = |users: &[String]| {
            let users: Vec<&str> = users.iter().map(String::as_str).collect();
            record("summer", 1, &users)
        };
        store.persist(&[of(&users)]).await.unwrap();
        let before_ms = now_ms();
        let done = store.persist(&[of(&thieves)]).await.unwrap();
        assert_eq!(done.contested.len(), 5_000);
        let around_ms = before_ms - MINUTE_MS..=now_ms() + MINUTE_MS;
        let seen_at_ms = seen_at_ms(&database.url).await;
        assert!(seen_at_ms.iter().all(|at_ms| around_ms.contains(at_ms)), "{seen_at_ms:?}");
        assert_eq!(seen_at_ms.len(), 1, "{seen_at_ms:?}");
    })
    .await;
}
