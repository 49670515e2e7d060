//! Cancelling: the row and the return of its stock in one transaction (I7, P9 step 4).

use firstcome::domain::act::{Change, Return};
use firstcome::domain::ticket::Status;
use firstcome::domain::time::UnixMs;
use firstcome::store::{Cancelled, Store};

use super::{
    applied, claim, coupon_id, draft, find, for_each_store, intend, new_act, noon, preloaded,
    record, ticket_id,
};

async fn status(store: &dyn Store, serial: u64) -> Status {
    let row = store.find_ticket(&ticket_id("summer", serial)).await.expect("look a ticket up");
    row.expect("it stands").status
}

#[tokio::test]
async fn a_cancelled_ticket_and_its_return_are_one() {
    for_each_store(async |database| {
        let store = &database.store;
        preloaded(&**store, "summer").await;
        let mut two = record("summer", 1, &["u1", "u1"]);
        two.holders[1].1 = claim(2);
        store.persist(&[two], noon).await.unwrap();

        for (serial, holder, version) in [(2, "u1\n2", 3), (1, "u1", 4)] {
            let id = ticket_id("summer", serial);
            let answer = store.cancel_ticket(&id, "admin", UnixMs(5)).await.unwrap();
            let Cancelled::Now(act) = answer else { panic!("{answer:?}") };
            let returns = vec![Return { serial, holder: holder.to_owned() }];
            assert_eq!((act.act_no, &act.change), (version - 1, &Change::Return { returns }));
            assert_eq!(status(&**store, serial).await, Status::Cancelled);
            let again = store.cancel_ticket(&id, "admin", UnixMs(6)).await.unwrap();
            assert_eq!(again, Cancelled::Before);
            let left = store.unsettled_acts(UnixMs(6), 9).await.unwrap();
            assert_eq!(left, std::slice::from_ref(&act));
            store.settle_act(&act, &applied(version, 1_000)).await.unwrap();
        }
        assert_eq!(store.counts(&coupon_id("summer")).await.unwrap().cancelled, 2);
    })
    .await;
}

#[tokio::test]
async fn a_cancel_that_meets_another_act_leaves_the_row_as_it_is() {
    for_each_store(async |database| {
        let store = &database.store;
        preloaded(&**store, "summer").await;
        store.persist(&[record("summer", 1, &["u1"])], noon).await.unwrap();
        let pause = intend(&**store, &new_act("summer", Change::Pause)).await;
        let before = find(&**store, "summer").await;
        let answer = store.cancel_ticket(&ticket_id("summer", 1), "admin", UnixMs(5)).await;
        assert_eq!(answer.unwrap(), Cancelled::Busy(pause));
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
        for id in [ticket_id("summer", 1), ticket_id("autumn", 1), ticket_id("none", 1)] {
            let answer = store.cancel_ticket(&id, "admin", UnixMs(5)).await.unwrap();
            assert_eq!(answer, Cancelled::Unknown, "{id}");
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
        store.persist(&[record("summer", 1, &["u1"])], noon).await.unwrap();
        let id = ticket_id("summer", 1);
        let (one, two) = tokio::join!(
            store.cancel_ticket(&id, "admin", UnixMs(5)),
            other.cancel_ticket(&id, "cli", UnixMs(5))
        );
        let answers = [one.unwrap(), two.unwrap()];
        let now = answers.iter().filter(|answer| matches!(answer, Cancelled::Now(_))).count();
        let before = answers.iter().filter(|answer| **answer == Cancelled::Before).count();
        assert_eq!((now, before), (1, 1), "{answers:?}");
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
        store.persist(&records, noon).await.unwrap();
        store.cancel_ticket(&ticket_id("summer", 1), "admin", UnixMs(5)).await.unwrap();
        let again = store.persist(&records, noon).await.unwrap();
        assert_eq!((again.inserted, again.replayed, again.contested.len()), (0, 1, 0));
        assert_eq!(status(&**store, 1).await, Status::Cancelled);
    })
    .await;
}
