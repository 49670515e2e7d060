//! What an epoch of a coupon withholds, and how it comes back (P2 step 10).

use firstcome::domain::act::{Act, ActResult, Change};
use firstcome::domain::epoch::EpochStart;
use firstcome::domain::ticket::Serial;
use firstcome::store::Store;

use super::{applied, coupon_id, for_each_store, intend, new_act, preloaded};

async fn recorded(store: &dyn Store, change: Change, result: ActResult) -> Act {
    let act = intend(store, &new_act("summer", change)).await;
    assert!(store.record_act(&act, &result).await.unwrap());
    act
}

#[tokio::test]
async fn a_restore_takes_a_withheld_unit_a_release_the_rest_and_the_ceiling_stays_i1_i5() {
    for_each_store(async |database| {
        let store = &*database.store;
        preloaded(store, "summer").await;
        let id = coupon_id("summer");
        let start = |stock, withheld| EpochStart {
            epoch: 2,
            first_serial: Serial(101),
            stock,
            withheld,
            act_no: 1,
        };
        store.begin_epoch(&id, &start(90, 10)).await.unwrap();
        let restore = |serial| Change::Restore {
            epoch: 1,
            serial,
            user_id: "ada".to_owned(),
            claim: 1,
            issued_at_ms: 7,
        };
        let refused = ActResult::parse("refused not_restored").unwrap();
        for (change, result, left) in [
            (restore(7), applied(3, 1_000), (91, 9)),
            (restore(8), refused, (91, 9)),
            (Change::Release, applied(4, 1_000), (100, 0)),
            (Change::Release, applied(4, 1_000), (100, 0)),
        ] {
            recorded(store, change, result).await;
            let kept = store.last_epoch(&id).await.unwrap().unwrap();
            assert_eq!((kept.stock, kept.withheld), left);
            assert_eq!(kept.ceiling(&[]), Serial(200));
            let withheld = store.withheld(10).await.unwrap();
            let told = (left.1 > 0).then(|| (id.clone(), left.1));
            assert_eq!(withheld, Vec::from_iter(told));
        }

        // An epoch that includes a release which is recorded late keeps what it withholds.
        let late = intend(store, &new_act("summer", Change::Release)).await;
        let next = EpochStart { epoch: 3, act_no: late.act_no, ..start(60, 40) };
        store.begin_epoch(&id, &next).await.unwrap();
        assert!(store.record_act(&late, &applied(5, 1_000)).await.unwrap());
        assert_eq!(store.last_epoch(&id).await.unwrap(), Some(next));
        assert_eq!(store.withheld(10).await.unwrap(), [(id, 40)]);
    })
    .await;
}
