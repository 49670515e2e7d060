//! The relay looks by itself: a database that went back is told though nobody acts.

use std::sync::Arc;

use firstcome::app;
use firstcome::domain::act::{Change, NewAct};
use firstcome::domain::code::CodeKeys;
use firstcome::domain::coupon::{CouponId, Definition, Kind, Supply};
use firstcome::domain::time::UnixMs;
use firstcome::domain::who::Who;
use firstcome::observe::{self, Observer};
use firstcome::prepare::{Preparer, Relay, Request};
use firstcome::store::{Intended, Store, open};
use firstcome::telemetry::health::Health;

use crate::support::copies::copies_before;
use crate::support::server::CODE_KEYS;
use crate::support::site::{Dialect, Site};

use super::diverged::Backup;

/// Coupons that one step compares: ten pages.
const LOOKED_AT_A_STEP: usize = 1_000;

/// A Redis and a database, and no process: relays run in the test.
struct Ground {
    site: Site,
    store: Arc<dyn Store>,
}

impl Ground {
    async fn start() -> Self {
        let site = Site::start(Dialect::Sqlite).await;
        let store = open(&site.database_url, 4).await.unwrap();
        Self { site, store }
    }

    /// What a process has that changes coupons; it tells this register.
    fn preparer(&self, health: &Health) -> Preparer {
        let keys = Arc::new(CodeKeys::parse(CODE_KEYS).unwrap());
        Preparer::new(&self.site.redis.redis, self.store.clone(), keys, app::now)
            .reporting_to(health.clone())
    }

    async fn backup(&self) -> Backup {
        Backup::at(&self.site.database_url).await
    }

    async fn create(&self) {
        let definition = Definition {
            id: summer(),
            name: "Summer".to_owned(),
            total: 100,
            per_user_limit: 1,
            opens_at: None,
            closes_at: None,
            valid_for: None,
            kind: Kind::FirstCome,
            supply: Supply::Counter,
        };
        self.preparer(&Health::default()).create(definition).await.unwrap();
    }

    async fn preload(&self) {
        self.preparer(&Health::default()).preload(&summer(), Who::Cli).await.unwrap();
    }

    async fn restock(&self) {
        let preparer = self.preparer(&Health::default());
        preparer.restock(&summer(), 50, &Request::by(Who::Cli)).await.unwrap();
    }

    /// What a process says that has just started, and in which nobody acts.
    async fn told_by_a_new_process(&self) -> Vec<String> {
        let health = Health::default();
        look(&self.preparer(&health)).await;
        health.told().warnings
    }
}

fn summer() -> CouponId {
    CouponId::parse("summer").unwrap()
}

/// A relay that has not looked yet looks with its first step.
async fn look(preparer: &Preparer) {
    Relay::new(preparer).step().await.unwrap();
}

fn assert_loud(warnings: &[String]) {
    let begins = "The database went back: Redis has acts that it lost, of 1 coupon, such as summer";
    assert!(warnings.len() == 1 && warnings[0].starts_with(begins), "{warnings:?}");
}

#[tokio::test]
async fn a_database_that_lost_an_act_is_told_though_nobody_acts_i8() {
    let ground = Ground::start().await;
    ground.create().await;
    ground.preload().await;
    let mut backup = ground.backup().await;
    ground.restock().await;
    assert_eq!(ground.told_by_a_new_process().await, [""; 0]);
    backup.restore().await;
    assert_loud(&ground.told_by_a_new_process().await);
}

#[tokio::test]
async fn a_database_that_took_another_act_for_the_lost_one_is_told_though_nobody_acts_i8() {
    let ground = Ground::start().await;
    ground.create().await;
    ground.preload().await;
    let mut backup = ground.backup().await;
    ground.restock().await;
    backup.restore().await;
    let other = NewAct {
        coupon_id: summer(),
        change: Change::Restock { delta: 7 },
        idempotency_key: None,
        if_version: None,
        who: Who::Admin,
        at: UnixMs(1_000),
    };
    let other = ground.store.intend_act(&other).await.unwrap();
    assert!(matches!(other, Intended::New(_)), "{other:?}");
    assert_loud(&ground.told_by_a_new_process().await);
}

#[tokio::test]
async fn a_database_in_which_a_live_coupon_is_a_draft_again_is_told_though_nobody_acts_i8() {
    let ground = Ground::start().await;
    ground.create().await;
    let mut backup = ground.backup().await;
    assert_eq!(ground.told_by_a_new_process().await, [""; 0], "a draft is no fault");
    let observer = Observer::new(&ground.site.redis.redis, ground.store.clone());
    let audit = async || observer.audit(&summer()).await;
    assert!(matches!(audit().await, Err(observe::Error::CouponNotFound)));
    ground.preload().await;
    backup.restore().await;
    assert_loud(&ground.told_by_a_new_process().await);
    assert_eq!(audit().await.unwrap().faults.len(), 1, "{:?}", audit().await);
}

#[tokio::test]
async fn the_warning_ends_when_the_newer_database_is_back_also_when_it_has_closed_the_coupon_i8() {
    for is_closed in [false, true] {
        let ground = Ground::start().await;
        ground.create().await;
        ground.preload().await;
        let mut older = ground.backup().await;
        ground.restock().await;
        if is_closed {
            let preparer = ground.preparer(&Health::default());
            let request = Request::by(Who::Cli);
            preparer.change_state(&summer(), Change::Close, &request, false).await.unwrap();
        }
        let mut newer = ground.backup().await;
        let health = Health::default();
        let preparer = ground.preparer(&health);
        older.restore().await;
        look(&preparer).await;
        assert_loud(&health.told().warnings);
        look(&preparer).await;
        assert_loud(&health.told().warnings);
        newer.restore().await;
        look(&preparer).await;
        assert_eq!(health.told().warnings, [""; 0], "closed: {is_closed}");
    }
}

#[tokio::test]
async fn a_step_looks_at_a_bounded_part_of_all_coupons_and_the_next_one_goes_on_there_i8() {
    let ground = Ground::start().await;
    ground.create().await;
    ground.preload().await;
    copies_before(&ground.site, &summer(), LOOKED_AT_A_STEP).await;
    let mut backup = ground.backup().await;
    ground.restock().await;
    backup.restore().await;
    let health = Health::default();
    let mut relay = Relay::new(&ground.preparer(&health));
    relay.step().await.unwrap();
    assert_eq!(health.told().warnings, [""; 0], "it stands behind what one step looks at");
    relay.step().await.unwrap();
    assert_loud(&health.told().warnings);
}
