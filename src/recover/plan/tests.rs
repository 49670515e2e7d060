//! What a recovered coupon gets, by what is known of it.

use super::*;
use crate::domain::act::Return;
use crate::domain::coupon::{CouponId, Definition, Kind, Supply};
use crate::domain::who::Who;

fn coupon() -> Coupon {
    let id = CouponId::parse("summer").unwrap();
    Coupon {
        shard: id.shard(),
        definition: Definition {
            id,
            name: "Summer".to_owned(),
            total: 100,
            per_user_limit: 1,
            opens_at: None,
            closes_at: None,
            valid_for: None,
            kind: Kind::FirstCome,
            supply: Supply::Counter,
        },
        state: State::Open,
        key_id: "k1".to_owned(),
        version: 4,
        act_no: 1,
        persisted: 40,
        created_at: UnixMs(0),
    }
}

fn act(act_no: u64, change: Change, result: Option<&str>) -> Act {
    Act {
        coupon_id: coupon().definition.id,
        act_no,
        change,
        who: Who::Admin,
        intended_at: UnixMs(1_000),
        result: result.and_then(ActResult::parse),
    }
}

fn preload() -> Act {
    act(1, Change::Preload, Some("applied 2 100 100"))
}

/// The plan of a coupon of which 40 tickets are rows, 5 of them cancelled, after these acts.
fn planned(coupon: Coupon, acts: Vec<Act>, stopped: &Stopped) -> Plan {
    let counts = Counts { rows: 40, cancelled: 5, last_serial: 40, contested: 0, parked: 0 };
    let act_no = acts.last().unwrap().act_no;
    let coupon = Coupon { act_no, ..coupon };
    let (start, told, now) = (None, Told::default(), UnixMs(9_000));
    plan(Known { coupon, acts, start, counts, told, stopped, now }, 2).unwrap()
}

#[test]
fn what_is_out_is_never_given_again_and_serials_begin_above_all_that_was_possible_i1_i5() {
    let plan = planned(coupon(), vec![preload()], &Stopped::default());
    let start =
        EpochStart { epoch: 2, first_serial: Serial(101), stock: 65, withheld: 0, act_no: 1 };
    assert_eq!(plan.start, start);
    assert_eq!(plan.terms, "open 2 k1   1 summer 4 9002 100 ");
    assert_eq!((plan.result, plan.token), (preload().result.unwrap(), preload().token()));
}

#[test]
fn the_next_recovery_begins_above_the_last_one_i5() {
    let counts = Counts { rows: 150, cancelled: 0, last_serial: 130, contested: 2, parked: 1 };
    let start =
        EpochStart { epoch: 2, first_serial: Serial(101), stock: 65, withheld: 0, act_no: 1 };
    let stopped = Stopped::default();
    let known = Known {
        coupon: coupon(),
        acts: vec![preload()],
        start: Some(start),
        counts,
        told: Told::default(),
        stopped: &stopped,
        now: UnixMs(9_000),
    };
    let plan = plan(known, 3).unwrap();
    assert_eq!((plan.start.first_serial, plan.start.stock), (Serial(166), 0));
}

#[test]
fn an_intended_act_counts_once_whether_redis_had_it_or_not_i1_i8() {
    let stopped = Stopped::default();
    let with = |change| planned(coupon(), vec![preload(), act(2, change, None)], &stopped);
    let more = with(Change::Restock { delta: 10 });
    assert_eq!(more.result.to_string(), "applied 5 110 75");
    assert_eq!((more.start.stock, more.start.first_serial), (75, Serial(111)));
    assert_eq!(with(Change::Restock { delta: -65 }).result.to_string(), "applied 5 35 0");
    let below = with(Change::Restock { delta: -66 });
    assert_eq!(below.result.to_string(), "refused below_issued 35");
    assert_eq!(below.start.stock, 65);
    let returns = vec![Return { serial: 3, holder: "ada".to_owned() }];
    let returned = with(Change::Return { returns });
    // The row is cancelled already.
    assert_eq!(returned.result.to_string(), "applied 5 100 65");
    let closed = with(Change::Close);
    assert!(closed.terms.starts_with("closed 2 k1 ") && closed.start.act_no == 2);
}

#[test]
fn a_coupon_gets_the_state_that_it_had_i7_i8() {
    let of = |state, unwritten: &str| {
        let stopped =
            Stopped { version: 9, stock_version: 77_000, unwritten: unwritten.to_owned() };
        planned(Coupon { state, ..coupon() }, vec![preload()], &stopped).terms
    };
    assert_eq!(of(State::Paused, ""), "paused 2 k1   1 summer 9 77002 100 ");
    for (state, unwritten, word) in [
        (State::Open, "pause", "paused "),
        (State::Open, "pause close", "closed "),
        (State::Closed, "pause", "closed "),
    ] {
        assert!(of(state, unwritten).starts_with(word), "{unwritten}");
    }
}

#[test]
fn an_intended_act_is_decided_as_its_script_decides() {
    let of = |state, unwritten: &str, change| {
        let stopped = Stopped { unwritten: unwritten.to_owned(), ..Stopped::default() };
        let acts = vec![preload(), act(2, change, None)];
        planned(Coupon { state, ..coupon() }, acts, &stopped).result.to_string()
    };
    // What is done already makes no version.
    assert_eq!(of(State::Paused, "", Change::Pause), "applied 4 100 65");
    assert_eq!(of(State::Open, "", Change::Resume), "applied 4 100 65");
    assert_eq!(of(State::Closed, "", Change::Close), "applied 4 100 65");
    assert_eq!(of(State::Open, "", Change::Pause), "applied 5 100 65");
    assert_eq!(of(State::Open, "", Change::Release), "applied 4 100 65");
    // A pause that went to Redis first is applied, also if a close followed it.
    assert_eq!(of(State::Open, "pause", Change::Pause), "applied 5 100 65");
    assert_eq!(of(State::Closed, "pause close", Change::Pause), "applied 5 100 65");
    assert_eq!(of(State::Closed, "", Change::Pause), "refused already_closed");
    assert_eq!(of(State::Paused, "pause", Change::Resume), "refused superseded");
}

/// The stock and what is withheld of it, of 100 tickets of which 35 are out.
fn withheld(coupon: Coupon, acts: Vec<Act>, kept: u64, told: Told) -> (u64, u64) {
    let counts = Counts { rows: 40, cancelled: 5, last_serial: 40, contested: 0, parked: 0 };
    let act_no = acts.last().unwrap().act_no;
    let coupon = Coupon { act_no, ..coupon };
    let (first_serial, stock) = (Serial(1), 100 - kept);
    let start = Some(EpochStart { epoch: 1, first_serial, stock, withheld: kept, act_no: 1 });
    let (stopped, now) = (Stopped::default(), UnixMs(9_000));
    let known = Known { coupon, acts, start, counts, told, stopped: &stopped, now };
    let start = plan(known, 2).unwrap().start;
    assert_eq!(start.first_serial, Serial(101));
    (start.stock, start.withheld)
}

#[test]
fn what_may_have_been_told_is_withheld_and_no_unit_more_i1() {
    let of = |kept, told| withheld(coupon(), vec![preload()], kept, told);
    let lost = |lost| Told { lost, ..Told::default() };
    assert_eq!(of(0, Told::default()), (65, 0));
    assert_eq!(of(0, lost(7)), (58, 7));
    assert_eq!(of(20, lost(7)), (38, 27));
    assert_eq!(of(20, lost(50)), (0, 65));
    assert_eq!(of(0, Told { is_unknown: true, lost: 7, ..Told::default() }), (0, 65));
    // A release that Redis may have had is in force.
    let released = vec![preload(), act(2, Change::Release, None)];
    assert_eq!(withheld(coupon(), released, 20, lost(7)), (58, 7));
    // A restored ticket that is a row took a unit; one that is no row is restored again.
    let restore = Change::Restore {
        epoch: 1,
        serial: 7,
        user_id: "ada".to_owned(),
        claim: 1,
        issued_at_ms: 7,
    };
    for (is_restored, kept) in [(true, 19), (false, 20)] {
        let restored = vec![preload(), act(2, restore.clone(), None)];
        let told = Told { is_restored, ..Told::default() };
        assert_eq!(withheld(coupon(), restored, 20, told), (65 - kept, kept));
    }
}

#[test]
fn nothing_is_withheld_of_a_coupon_that_never_was_open_i1() {
    let told = Told { is_unknown: true, ..Told::default() };
    let opening = |at| {
        let mut coupon = coupon();
        coupon.definition.opens_at = Some(UnixMs(at));
        coupon
    };
    let stopped = Stopped::default();
    let of = |coupon: Coupon, acts: Vec<Act>| {
        let (start, counts, now) = (None, Counts::default(), UnixMs(9_000));
        let act_no = acts.last().unwrap().act_no;
        let coupon = Coupon { act_no, ..coupon };
        let known = Known { coupon, acts, start, counts, told, stopped: &stopped, now };
        plan(known, 2).unwrap().start.withheld
    };
    assert_eq!(of(opening(60_000), vec![preload()]), 0);
    assert_eq!(of(opening(10_000), vec![preload()]), 100, "a clock may be wrong");
    let window =
        Change::Window { opens_at_ms: Some(60_000), closes_at_ms: None, per_user_limit: 1 };
    let moved = act(2, window, Some("applied 3 100 100"));
    assert_eq!(of(opening(60_000), vec![preload(), moved]), 100, "it may have been open before");
}
