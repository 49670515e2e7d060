//! The promises of `Store`, one text for all dialects.

mod acts;
mod cancel;
mod conflicts;
mod coupons;
mod dead_letters;
mod failover;
mod generations;
mod installation;
mod migrating;
mod opening;
mod persisting;
mod pooled;
mod processes;
mod ranks;
mod reading;
mod recoveries;
mod rehearsal;
mod retried;
mod runaway;
mod suited;
mod tls;
mod words;

use std::sync::Arc;

use firstcome::domain::act::{Act, ActResult, Applied, Change, NewAct};
use firstcome::domain::coupon::{Coupon, CouponId, Definition, Kind, State, Supply};
use firstcome::domain::idempotency_key::IdempotencyKey;
use firstcome::domain::record::{Record, SOURCE_ISSUE};
use firstcome::domain::ticket::{Serial, TicketId};
use firstcome::domain::time::UnixMs;
use firstcome::domain::user::{Claim, UserId};
use firstcome::domain::who::Who;
use firstcome::store::{Intended, Store};

use crate::support::postgres;
use crate::support::store::{execute, open};

/// One fresh database, opened once.
struct Database {
    url: String,
    store: Arc<dyn Store>,
    _folder: Option<tempfile::TempDir>,
}

impl Database {
    /// Another server's store on the same database.
    async fn open_again(&self) -> Arc<dyn Store> {
        open(&self.url, 4).await.expect("open the database again")
    }
}

/// Runs a test on a fresh database of every dialect.
async fn for_each_store(test: impl AsyncFn(&Database)) {
    for (url, folder) in fresh_urls().await {
        let store = open(&url, 4).await.expect("open a fresh database");
        // Shown when the test fails.
        println!("on {}", store.dialect());
        let database = Database { url, store, _folder: folder };
        test(&database).await;
        database.store.close().await;
    }
}

/// The URLs of fresh databases, one per dialect, with the folder of a file.
async fn fresh_urls() -> Vec<(String, Option<tempfile::TempDir>)> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = format!("sqlite:{}", folder.path().join("firstcome.db").display());
    vec![(file, Some(folder)), (postgres::fresh_database().await, None)]
}

fn coupon_id(text: &str) -> CouponId {
    CouponId::parse(text).expect("a coupon id")
}

fn user_id(text: &str) -> UserId {
    UserId::parse(text).expect("a user id")
}

fn claim(number: u8) -> Claim {
    Claim::new(number).expect("a claim")
}

fn ticket_id(coupon: &str, serial: u64) -> TicketId {
    TicketId { coupon_id: coupon_id(coupon), serial: Serial(serial) }
}

/// A draft with every optional field empty.
fn draft(id: &str) -> Coupon {
    let id = coupon_id(id);
    Coupon {
        shard: id.shard(),
        definition: Definition {
            id,
            name: "Sommer 여름 👒".to_owned(),
            total: 1_000,
            per_user_limit: 1,
            opens_at: None,
            closes_at: None,
            valid_for: None,
            kind: Kind::FirstCome,
            supply: Supply::Counter,
        },
        state: State::Draft,
        key_id: "k1".to_owned(),
        version: 1,
        act_no: 0,
        persisted: 0,
        created_at: UnixMs(1_764_558_000_000),
    }
}

/// A record of these users, all with claim 1.
fn record(coupon: &str, first_serial: u64, users: &[&str]) -> Record {
    Record {
        coupon_id: coupon_id(coupon),
        epoch: 1,
        first_serial: Serial(first_serial),
        issued_at: UnixMs(1_764_558_001_482),
        source: SOURCE_ISSUE.to_owned(),
        holders: users.iter().map(|user| (user_id(user), claim(1))).collect(),
    }
}

fn new_act(coupon: &str, change: Change) -> NewAct {
    NewAct {
        coupon_id: coupon_id(coupon),
        change,
        idempotency_key: None,
        if_version: None,
        who: Who::Admin,
        at: UnixMs(1_764_558_002_000),
    }
}

fn keyed_act(coupon: &str, change: Change, key: &str) -> NewAct {
    NewAct { idempotency_key: IdempotencyKey::parse(key), ..new_act(coupon, change) }
}

fn applied(version: u64, total: u64) -> ActResult {
    ActResult::Applied(Applied { version, total, remaining: total })
}

/// Intends an act that nothing forbids.
async fn intend(store: &dyn Store, new: &NewAct) -> Act {
    match store.intend_act(new).await.expect("intend an act") {
        Intended::New(act) => act,
        other => panic!("not new: {other:?}"),
    }
}

/// An open coupon at version 2, its preload settled.
async fn preloaded(store: &dyn Store, id: &str) -> Coupon {
    assert!(store.insert_coupon(&draft(id)).await.expect("insert a draft"));
    let act = intend(store, &new_act(id, Change::Preload)).await;
    store.record_act(&act, &applied(2, 1_000)).await.expect("settle the preload");
    find(store, id).await
}

async fn find(store: &dyn Store, id: &str) -> Coupon {
    store.find_coupon(&coupon_id(id)).await.expect("look a coupon up").expect("it stands")
}
