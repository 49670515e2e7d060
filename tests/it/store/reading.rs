//! Pages of tickets.

use firstcome::domain::record::Record;
use firstcome::domain::ticket::Serial;
use firstcome::store::{Counts, UserCursor};

use super::{claim, coupon_id, for_each_store, record, user_id};

#[tokio::test]
async fn a_users_tickets_come_in_pages_by_coupon_and_claim() {
    for_each_store(async |database| {
        let store = &database.store;
        let mut records: Vec<Record> =
            ["b", "_", "a", "B"].iter().map(|id| record(id, 1, &["u1", "u2", "u1"])).collect();
        for given in &mut records {
            given.holders[2].1 = claim(10);
        }
        store.persist(&records).await.unwrap();
        let mut seen = Vec::new();
        let mut after = None;
        loop {
            let page = store.tickets_of_user(&user_id("u1"), after.as_ref(), 3).await.unwrap();
            let Some(last) = page.last().map(|row| row.ticket.clone()) else { break };
            after = Some(UserCursor { coupon_id: last.coupon_id, claim: last.claim });
            seen.extend(page.into_iter().map(|row| row.ticket.id().to_string()));
        }
        assert_eq!(seen, ["B.1", "B.3", "_.1", "_.3", "a.1", "a.3", "b.1", "b.3"]);
        assert_eq!(store.tickets_of_user(&user_id("u3"), None, 3).await.unwrap(), []);
    })
    .await;
}

#[tokio::test]
async fn a_coupons_tickets_come_in_pages_by_serial() {
    for_each_store(async |database| {
        let store = &database.store;
        let records = [
            record("summer", 9, &["u3", "u4"]),
            record("summer", 1, &["u1"]),
            record("summer", 100, &["u5"]),
            record("summer2", 5, &["u1"]),
        ];
        store.persist(&records).await.unwrap();
        let mut seen = Vec::new();
        loop {
            let after = Serial(seen.last().copied().unwrap_or(0));
            let page = store.tickets_of_coupon(&coupon_id("summer"), after, 2).await.unwrap();
            if page.is_empty() {
                break;
            }
            seen.extend(page.into_iter().map(|row| row.ticket.serial.0));
        }
        assert_eq!(seen, [1, 9, 10, 100]);
    })
    .await;
}

#[tokio::test]
async fn a_coupon_without_rows_counts_nothing() {
    for_each_store(async |database| {
        let counts = database.store.counts(&coupon_id("none")).await.unwrap();
        assert_eq!(counts, Counts::default());
    })
    .await;
}
