//! Cancelling: the row and the return of its stock in one transaction (I7, P9 step 4).

use firstcome::domain::act::{Act, Change, Return};
use firstcome::domain::ticket::{Serial, Status};
use firstcome::domain::time::UnixMs;
use firstcome::domain::who::Who;
use firstcome::store::{Cancelled, Store};

use super::{
    applied, claim, coupon_id, draft, find, for_each_store, intend, new_act, preloaded, record,
    ticket_id,
};

async fn status(store: &dyn Store, serial: u64) -> Status {
    let row = store.find_ticket(&ticket_id("summer", serial)).await.expect("look a ticket up");
    row.expect("it stands").status
}

/// Every ticket was cancelled before.
const BEFORE: Cancelled = Cancelled::Done { act: None, unknown: Vec::new() };

async fn cancel(store: &dyn Store, coupon: &str, serials: &[u64]) -> Cancelled {
    let serials: Vec<Serial> = serials.iter().map(|serial| Serial(*serial)).collect();
    store.cancel_tickets(&coupon_id(coupon), &serials, Who::Admin, UnixMs(5)).await.unwrap()
}

/// The act that returns the stock of these tickets of `summer`, all of which have rows.
async fn cancelled(store: &dyn Store, serials: &[u64]) -> Act {
    match cancel(store, "summer", serials).await {
        Cancelled::Done { act: Some(act), unknown } if unknown.is_empty() => act,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_cancelled_ticket_and_its_return_are_one() {
    for_each_store(async |database| {
        let store = &database.store;
        preloaded(&**store, "summer").await;
        let mut two = record("summer", 1, &["u1", "u1"]);
        two.holders[1].1 = claim(2);
        store.persist(&[two]).await.unwrap();

        for (serial, holder, version) in [(2, "u1\n2", 3), (1, "u1", 4)] {
            let act = cancelled(&**store, &[serial]).await;
            let returns = vec![Return { serial, holder: holder.to_owned() }];
            assert_eq!((act.act_no, &act.change), (version - 1, &Change::Return { returns }));
            assert_eq!(status(&**store, serial).await, Status::Cancelled);
            assert_eq!(cancel(&**store, "summer", &[serial]).await, BEFORE);
            let left = store.unrecorded_acts(UnixMs(i64::MAX), None, 9).await.unwrap();
            assert_eq!(left, std::slice::from_ref(&act));
            store.record_act(&act, &applied(version, 1_000)).await.unwrap();
        }
        assert_eq!(store.counts(&coupon_id("summer")).await.unwrap().cancelled, 2);
    })
    .await;
}

#[tokio::test]
async fn many_tickets_are_cancelled_by_one_act_each_once_i1() {
    for_each_store(async |database| {
        let store = &database.store;
        preloaded(&**store, "summer").await;
        store.persist(&[record("summer", 1, &["u1", "u2", "u3"])]).await.unwrap();
        let first = cancelled(&**store, &[2]).await;
        store.record_act(&first, &applied(3, 1_000)).await.unwrap();
        let answer = cancel(&**store, "summer", &[3, 9, 2, 1, 3]).await;
        let Cancelled::Done { act: Some(act), unknown } = answer else { panic!("{answer:?}") };
        assert_eq!(unknown, [Serial(9)]);
        let one = |serial, holder: &str| Return { serial, holder: holder.to_owned() };
        let returns = vec![one(1, "u1"), one(3, "u3")];
        assert_eq!(act.change, Change::Return { returns });
        assert_eq!(store.counts(&coupon_id("summer")).await.unwrap().cancelled, 3);
    })
    .await;
}

#[tokio::test]
async fn a_cancel_that_meets_another_act_leaves_the_row_as_it_is() {
    for_each_store(async |database| {
        let store = &database.store;
        preloaded(&**store, "summer").await;
        store.persist(&[record("summer", 1, &["u1"])]).await.unwrap();
        let pause = intend(&**store, &new_act("summer", Change::Pause)).await;
        let before = find(&**store, "summer").await;
        assert_eq!(cancel(&**store, "summer", &[1]).await, Cancelled::Busy(pause));
        assert_eq!(status(&**store, 1).await, Status::Accepted);
        assert_eq!(find(&**store, "summer").await, before);
    })
    .await;
}

#[tokio::test]
async fn what_has_no_row_is_not_cancelled() {
    for_each_store(async |database| {
        let store = &database.store;
        preloaded(&**store, "summer").await;
        assert!(store.insert_coupon(&draft("autumn")).await.unwrap());
        for id in ["summer", "autumn", "none"] {
            let unknown = vec![Serial(1), Serial(7)];
            let expected = Cancelled::Done { act: None, unknown };
            assert_eq!(cancel(&**store, id, &[1, 7]).await, expected, "{id}");
        }
    })
    .await;
}

#[tokio::test]
async fn of_two_who_cancel_the_same_ticket_one_returns_its_stock_i1() {
    for_each_store(async |database| {
        let other = database.open_again().await;
        let store = &database.store;
        preloaded(&**store, "summer").await;
        store.persist(&[record("summer", 1, &["u1"])]).await.unwrap();
        let (one, two) =
            tokio::join!(cancel(&**store, "summer", &[1]), cancel(&*other, "summer", &[1]),);
        let answers = [one, two];
        let before = answers.iter().filter(|answer| **answer == BEFORE).count();
        assert_eq!(before, 1, "{answers:?}");
        assert_eq!(find(&**store, "summer").await.act_no, 2);
        other.close().await;
    })
    .await;
}

#[tokio::test]
async fn a_cancelled_ticket_that_comes_again_is_a_replay_and_stays_cancelled_i9() {
    for_each_store(async |database| {
        let store = &database.store;
        preloaded(&**store, "summer").await;
        let records = [record("summer", 1, &["u1"])];
        store.persist(&records).await.unwrap();
        cancelled(&**store, &[1]).await;
        let again = store.persist(&records).await.unwrap();
        assert_eq!((again.inserted, again.replayed, again.contested.len()), (0, 1, 0));
        assert_eq!(status(&**store, 1).await, Status::Cancelled);
    })
    .await;
}
