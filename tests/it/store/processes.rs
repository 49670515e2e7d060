//! Processes and what they told (P2 step 9).

use std::time::Duration;

use firstcome::domain::ticket::Serial;
use firstcome::domain::witnesses::Mark;
use firstcome::store::Store;

use super::{coupon_id, for_each_store};

fn mark(coupon: &str, serial: u64) -> Mark {
    Mark { coupon_id: coupon_id(coupon), last_serial: Serial(serial) }
}

async fn greatest(store: &dyn Store) -> Option<u64> {
    let mark = store.greatest_mark(&coupon_id("summer")).await.unwrap();
    mark.map(|serial| serial.0)
}

#[tokio::test]
async fn a_process_has_a_row_from_its_first_generation_until_it_is_forgotten() {
    for_each_store(async |database| {
        let store = &database.store;
        let seen = async || {
            let rows = store.processes(10).await.unwrap();
            assert!(rows.iter().all(|row| row.silent_for < Duration::from_secs(60)));
            let row = |row: &firstcome::store::SeenProcess| {
                format!("{} {} {}", row.process, row.generation_no, row.is_ended)
            };
            let mut rows: Vec<_> = rows.iter().map(row).collect();
            rows.sort();
            rows
        };
        assert_eq!(seen().await, [""; 0]);
        store.register_process("one", 1).await.unwrap();
        store.register_process("one", 2).await.unwrap();
        assert_eq!(seen().await, ["one 1 false"], "what it told in 1 may be in no row");
        store.see_process("one", 2, &[]).await.unwrap();
        store.see_process("two", 2, &[]).await.unwrap();
        assert_eq!(seen().await, ["one 2 false", "two 2 false"]);
        store.end_process("one").await.unwrap();
        assert_eq!(seen().await, ["one 2 true", "two 2 false"]);
        store.forget_process("one").await.unwrap();
        assert_eq!(seen().await, ["two 2 false"]);
        assert_eq!(store.processes(0).await.unwrap(), []);
    })
    .await;
}

#[tokio::test]
async fn a_mark_never_falls_and_of_all_processes_the_greatest_counts() {
    for_each_store(async |database| {
        let store = &*database.store;
        assert_eq!(greatest(store).await, None);
        store.see_process("one", 1, &[mark("summer", 7), mark("winter", 90)]).await.unwrap();
        store.see_process("one", 1, &[mark("summer", 5)]).await.unwrap();
        assert_eq!(greatest(store).await, Some(7));
        store.see_process("two", 1, &[mark("summer", 9)]).await.unwrap();
        assert_eq!(greatest(store).await, Some(9));
        store.forget_process("two").await.unwrap();
        assert_eq!(greatest(store).await, Some(7));
    })
    .await;
}
