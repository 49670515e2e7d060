//! Acts (P9): the number first, the effect when it is settled.

use std::sync::Arc;

use firstcome::domain::act::{Act, ActResult, Change, NewAct};
use firstcome::domain::act_refusal::ActRefusal;
use firstcome::domain::coupon::State;
use firstcome::domain::time::UnixMs;
use firstcome::domain::who::Who;
use firstcome::store::{Error, Intended};

use super::{
    applied, coupon_id, draft, find, for_each_store, intend, keyed_act, new_act, preloaded,
};

const RESTOCK: Change = Change::Restock { delta: 500 };

#[tokio::test]
async fn a_preload_opens_the_coupon_with_act_1_before_redis_hears_of_it() {
    for_each_store(async |database| {
        let store = &database.store;
        assert!(store.insert_coupon(&draft("summer")).await.unwrap());
        let act = intend(&**store, &new_act("summer", Change::Preload)).await;
        assert_eq!((act.act_no, &act.change, &act.result), (1, &Change::Preload, &None));
        let coupon = find(&**store, "summer").await;
        assert_eq!((coupon.state, coupon.act_no, coupon.version), (State::Open, 1, 1));
    })
    .await;
}

#[tokio::test]
async fn a_coupon_is_preloaded_once() {
    for_each_store(async |database| {
        let store = &database.store;
        preloaded(&**store, "summer").await;
        let again = store.intend_act(&new_act("summer", Change::Preload)).await.unwrap();
        let Intended::AlreadyPreloaded(act) = again else { panic!("{again:?}") };
        assert_eq!((act.act_no, act.result), (1, Some(applied(2, 1_000))));
    })
    .await;
}

#[tokio::test]
async fn a_draft_and_an_unknown_coupon_take_no_act_but_the_drafts_preload() {
    for_each_store(async |database| {
        let store = &database.store;
        assert!(store.insert_coupon(&draft("summer")).await.unwrap());
        for new in
            [new_act("summer", RESTOCK), new_act("none", RESTOCK), new_act("none", Change::Preload)]
        {
            assert_eq!(store.intend_act(&new).await.unwrap(), Intended::Unknown, "{new:?}");
        }
        assert_eq!(find(&**store, "summer").await, draft("summer"));
    })
    .await;
}

#[tokio::test]
async fn an_act_waits_until_the_one_before_it_is_settled() {
    for_each_store(async |database| {
        let store = &database.store;
        preloaded(&**store, "summer").await;
        let act = intend(&**store, &new_act("summer", RESTOCK)).await;
        let busy = store.intend_act(&new_act("summer", Change::Pause)).await.unwrap();
        assert_eq!(busy, Intended::Busy(act.clone()));
        store.record_act(&act, &applied(3, 1_500)).await.unwrap();
        assert_eq!(intend(&**store, &new_act("summer", Change::Pause)).await.act_no, 3);
    })
    .await;
}

#[tokio::test]
async fn an_idempotency_key_is_one_act_of_its_coupon_for_ever() {
    for_each_store(async |database| {
        let store = &database.store;
        preloaded(&**store, "summer").await;
        preloaded(&**store, "winter").await;
        let new = keyed_act("summer", RESTOCK, "k-1");
        let act = intend(&**store, &new).await;
        assert_eq!(store.intend_act(&new).await.unwrap(), Intended::Repeated(act.clone()));
        let other = keyed_act("summer", Change::Restock { delta: 1 }, "k-1");
        assert_eq!(store.intend_act(&other).await.unwrap(), Intended::KeyReused);

        store.record_act(&act, &applied(3, 1_500)).await.unwrap();
        let settled = Act { result: Some(applied(3, 1_500)), ..act };
        let stale = NewAct { if_version: Some(2), ..new.clone() };
        for again in [new, stale] {
            let answer = store.intend_act(&again).await.unwrap();
            assert_eq!(answer, Intended::Repeated(settled.clone()));
        }
        intend(&**store, &keyed_act("winter", RESTOCK, "k-1")).await;
    })
    .await;
}

#[tokio::test]
async fn an_act_on_another_version_than_was_seen_is_refused() {
    for_each_store(async |database| {
        let store = &database.store;
        preloaded(&**store, "summer").await;
        let seen = |version| NewAct { if_version: Some(version), ..new_act("summer", RESTOCK) };
        let refused = store.intend_act(&seen(1)).await.unwrap();
        assert_eq!(refused, Intended::VersionConflict(2));
        assert_eq!(intend(&**store, &seen(2)).await.act_no, 2);
    })
    .await;
}

#[tokio::test]
async fn an_applied_act_is_what_the_row_says_afterwards() {
    for_each_store(async |database| {
        let store = &database.store;
        preloaded(&**store, "summer").await;
        let window =
            Change::Window { opens_at_ms: Some(10), closes_at_ms: Some(20), per_user_limit: 3 };
        let steps = [
            (RESTOCK, applied(3, 1_500), State::Open),
            (Change::Pause, applied(4, 1_500), State::Paused),
            (window, applied(5, 1_500), State::Paused),
            (Change::Resume, applied(6, 1_500), State::Open),
            (Change::Restock { delta: -1_500 }, applied(7, 0), State::Open),
            (Change::Close, applied(8, 0), State::Closed),
            (Change::Resume, applied(9, 0), State::Closed),
        ];
        for (change, result, state) in steps {
            let act = intend(&**store, &new_act("summer", change)).await;
            store.record_act(&act, &result).await.unwrap();
            let coupon = find(&**store, "summer").await;
            let ActResult::Applied(expected) = result else { panic!("{result:?}") };
            let told = (coupon.version, coupon.definition.total, coupon.state);
            assert_eq!(told, (expected.version, expected.total, state));
        }
        let coupon = find(&**store, "summer").await;
        assert_eq!(coupon.definition.opens_at, Some(UnixMs(10)));
        assert_eq!(coupon.definition.closes_at, Some(UnixMs(20)));
        assert_eq!((coupon.definition.per_user_limit, coupon.act_no), (3, 8));
    })
    .await;
}

#[tokio::test]
async fn a_refused_act_and_a_second_settlement_change_nothing_i4() {
    for_each_store(async |database| {
        let store = &database.store;
        let before = preloaded(&**store, "summer").await;
        let act = intend(&**store, &keyed_act("summer", RESTOCK, "k-1")).await;
        let refused = ActResult::Refused(ActRefusal::BelowIssued { out: 512 });
        for (result, is_first) in [(&refused, true), (&refused, false), (&applied(9, 9), false)] {
            assert_eq!(store.record_act(&act, result).await.unwrap(), is_first);
            let after = find(&**store, "summer").await;
            assert_eq!((after.version, after.definition), (2, before.definition.clone()));
        }
        let answer = store.intend_act(&keyed_act("summer", RESTOCK, "k-1")).await.unwrap();
        assert_eq!(answer, Intended::Repeated(Act { result: Some(refused), ..act.clone() }));
        let lost = Act { act_no: 99, ..act };
        let answer = store.record_act(&lost, &applied(9, 9)).await;
        assert!(matches!(answer, Err(Error::Corrupt(_))), "{answer:?}");
    })
    .await;
}

#[tokio::test]
async fn acts_that_a_crash_left_are_found_whatever_a_clock_said_and_page_by_page() {
    for_each_store(async |database| {
        let store = &database.store;
        for (id, at) in [("a", 10), ("b", 10_000), ("c", 9_000), ("d", i64::MAX)] {
            preloaded(&**store, id).await;
            let new = NewAct { at: UnixMs(at), ..new_act(id, Change::Pause) };
            intend(&**store, &new).await;
        }
        let left = |acts: Vec<Act>| -> Vec<_> {
            acts.into_iter().map(|act| act.coupon_id.to_string()).collect()
        };
        let page = async |now, after: Option<&str>, limit_rows| {
            let after = after.map(coupon_id);
            left(store.unrecorded_acts(UnixMs(now), after.as_ref(), limit_rows).await.unwrap())
        };
        // The act of `b` is still in its caller's hands; `d` comes from a clock that is far ahead.
        for now in [9_600, 10_000, 10_400] {
            assert_eq!(page(now, None, 10).await, ["a", "c", "d"]);
        }
        assert_eq!(page(10_501, None, 10).await, ["a", "b", "c", "d"]);
        assert_eq!(page(99_999, None, 2).await, ["a", "b"]);
        assert_eq!(page(99_999, Some("b"), 2).await, ["c", "d"]);
    })
    .await;
}

#[tokio::test]
async fn acts_of_many_admins_have_numbers_without_gaps_one_intended_at_a_time_i1() {
    for_each_store(async |database| {
        preloaded(&*database.store, "summer").await;
        let stores = [Arc::clone(&database.store), database.open_again().await];
        let admins = (0..16).map(|number: usize| {
            let store = Arc::clone(&stores[number % 2]);
            tokio::spawn(async move {
                // Whoever is refused settles the act that is in the way, as the relay does.
                loop {
                    let (act, mine) = match store.intend_act(&new_act("summer", RESTOCK)).await {
                        Ok(Intended::New(act)) => (act, true),
                        Ok(Intended::Busy(act)) => (act, false),
                        other => panic!("{other:?}"),
                    };
                    let result = applied(act.act_no + 1, 1_000);
                    store.record_act(&act, &result).await.expect("settle");
                    if mine {
                        return act.act_no;
                    }
                }
            })
        });
        let mut numbers = Vec::new();
        for admin in admins.collect::<Vec<_>>() {
            numbers.push(admin.await.expect("an admin"));
        }
        numbers.sort_unstable();
        assert_eq!(numbers, (2..=17).collect::<Vec<u64>>());
        let coupon = database.store.find_coupon(&coupon_id("summer")).await.unwrap().unwrap();
        assert_eq!((coupon.act_no, coupon.version), (17, 18));
        stores[1].close().await;
    })
    .await;
}

#[tokio::test]
async fn an_act_that_others_finished_is_found_with_its_result() {
    for_each_store(async |database| {
        let store = &database.store;
        preloaded(&**store, "summer").await;
        let id = coupon_id("summer");
        let act = intend(&**store, &new_act("summer", RESTOCK)).await;
        assert_eq!(store.find_act(&id, act.act_no).await.unwrap(), Some(act.clone()));
        store.record_act(&act, &applied(3, 1_500)).await.unwrap();
        let found = store.find_act(&id, act.act_no).await.unwrap().unwrap();
        assert_eq!(found.result, Some(applied(3, 1_500)));
        assert_eq!(store.find_act(&id, act.act_no + 1).await.unwrap(), None);
        assert_eq!(store.find_act(&coupon_id("winter"), 1).await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn the_acts_of_a_coupon_are_listed_by_their_numbers_with_who_asked_and_page_by_page() {
    for_each_store(async |database| {
        let store = &database.store;
        preloaded(&**store, "summer").await;
        let id = coupon_id("summer");
        let restock = intend(&**store, &new_act("summer", RESTOCK)).await;
        assert!(store.record_act(&restock, &applied(3, 1_500)).await.is_ok());
        let new = NewAct { who: Who::Cli, ..new_act("summer", Change::Pause) };
        let pause = intend(&**store, &new).await;
        let listed =
            async |after, limit_rows| store.list_acts(&id, after, limit_rows).await.unwrap();
        let all = listed(0, 10).await;
        let numbers: Vec<u64> = all.iter().map(|logged| logged.act.act_no).collect();
        assert_eq!(numbers, [1, 2, 3]);
        assert_eq!(all[1].act, Act { result: Some(applied(3, 1_500)), ..restock });
        assert!(all[1].recorded_at.is_some());
        assert_eq!((&all[2].act, all[2].recorded_at), (&pause, None));
        assert_eq!((all[0].act.who, all[2].act.who), (Who::Admin, Who::Cli));
        assert_eq!(listed(0, 2).await, all[..2]);
        assert_eq!(listed(2, 2).await, all[2..]);
        assert_eq!(store.list_acts(&coupon_id("winter"), 0, 10).await.unwrap(), []);
    })
    .await;
}
