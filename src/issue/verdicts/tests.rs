//! The rules of a verdict, one by one, with a clock that the test sets.

use super::*;
use crate::domain::limits::FILTERS_MAX_BYTES;
use crate::domain::user::UserId;
use crate::telemetry::metrics::counted_by;

const START: Moment = Moment(1_000_000_000_000);
const OPENS_AT: UnixMs = UnixMs(1_764_558_001_482);

fn coupon() -> CouponId {
    CouponId::parse("summer").unwrap()
}

fn user(name: &str) -> Caller {
    Caller::named(UserId::parse(name).unwrap())
}

fn anybody() -> Caller {
    Caller { is_new: true, ..user("anybody") }
}

/// A reply to one user.
pub(super) fn answered(version: u64, lease_ms: u64, answer: Answer) -> Answered {
    Answered {
        epoch: 1,
        version,
        stock_version: version,
        lease_ms,
        key_id: "k1".to_owned(),
        valid_for: None,
        opens_at: Some(OPENS_AT),
        total: 10,
        per_user_limit: 2,
        is_untouched: matches!(answer, Answer::NotOpen),
        now: UnixMs(OPENS_AT.0 - 80),
        answers: vec![answer],
    }
}

fn sold_out(version: u64, sent: Moment, lease_ms: u64) -> Verdicts {
    let verdicts = Verdicts::default();
    verdicts.learn(&coupon(), sent, &answered(version, lease_ms, Answer::SoldOut));
    verdicts
}

fn refusal(verdicts: &Verdicts, at_ms: u64, caller: &Caller) -> Option<Outcome> {
    verdicts.refusal(START.plus_ms(at_ms), &coupon(), caller, Claim::FIRST)
}

fn filter_of(names: &[&str]) -> HoldersFilter {
    let mut holders = Verdicts::default().filter_for(names.len()).unwrap();
    names.iter().for_each(|name| holders.insert(name));
    holders
}

const GONE: Option<Outcome> = Some(Outcome::SoldOut { total: 10 });

#[test]
fn a_lease_counts_from_before_the_question_and_is_renewed_by_one_request() {
    let verdicts = sold_out(1, START, 100);
    assert_eq!(refusal(&verdicts, 0, &anybody()), GONE);
    assert_eq!(refusal(&verdicts, 49, &anybody()), GONE);
    assert_eq!(refusal(&verdicts, 50, &anybody()), None, "the one that renews");
    assert_eq!(refusal(&verdicts, 50, &anybody()), GONE);
    assert_eq!(refusal(&verdicts, 99, &anybody()), GONE);
    assert_eq!(refusal(&verdicts, 100, &anybody()), None, "the lease is over: everybody asks");
    assert_eq!(refusal(&verdicts, 100, &anybody()), None);
    let renewal = answered(1, 100, Answer::SoldOut);
    verdicts.learn(&coupon(), START.plus_ms(100), &renewal);
    assert_eq!(refusal(&verdicts, 149, &anybody()), GONE);
    verdicts.learn(&coupon(), START.plus_ms(20), &renewal);
    assert_eq!(refusal(&verdicts, 149, &anybody()), GONE, "an older answer shortens nothing");
}

#[test]
fn a_shorter_lease_is_kept_and_a_longer_one_is_not_believed_i8() {
    let verdicts = sold_out(1, START, 7);
    assert_eq!(refusal(&verdicts, 6, &anybody()), None, "asked before the end: it renews");
    assert_eq!(refusal(&verdicts, 6, &anybody()), GONE);
    assert_eq!(refusal(&verdicts, 7, &anybody()), None);
    let verdicts = sold_out(1, START, 60_000);
    assert_eq!(refusal(&verdicts, 100, &anybody()), None);
}

#[test]
fn whoever_may_hold_a_ticket_asks_redis_i10() {
    let verdicts = sold_out(3, START, 100);
    assert_eq!(refusal(&verdicts, 1, &user("eve")), None, "no filter yet");
    assert_eq!(refusal(&verdicts, 1, &anybody()), GONE);
    let stock = Stock { epoch: 1, version: 3 };
    assert_eq!(verdicts.without_filter(START), [(coupon(), stock)]);

    verdicts.attach(&coupon(), Stock { version: 2, ..stock }, filter_of(&["ada"]));
    assert_eq!(refusal(&verdicts, 1, &user("eve")), None, "a filter of another stock");
    verdicts.attach(&coupon(), stock, filter_of(&["ada", "bob\n2"]));
    assert_eq!(refusal(&verdicts, 1, &user("ada")), None);
    assert_eq!(refusal(&verdicts, 1, &user("eve")), GONE);
    let claims = |name, claim| {
        let claim = Claim::new(claim).unwrap();
        verdicts.refusal(START, &coupon(), &user(name), claim)
    };
    assert_eq!((claims("bob", 1), claims("bob", 2)), (GONE, None));
    assert_eq!(claims("eve", 3), None, "above the limit Redis has another word");
    assert_eq!(refusal(&verdicts, 50, &user("ada")), None, "a holder asks, and renews nothing");
    assert_eq!(refusal(&verdicts, 50, &user("eve")), None, "who would be refused renews");
    assert_eq!(refusal(&verdicts, 50, &user("eve")), GONE);
    assert_eq!(verdicts.without_filter(START), []);

    verdicts.learn(&coupon(), START.plus_ms(50), &answered(3, 100, Answer::SoldOut));
    assert_eq!(refusal(&verdicts, 60, &user("eve")), GONE, "the filter outlives a renewal");
    verdicts.learn(&coupon(), START.plus_ms(60), &answered(4, 100, Answer::SoldOut));
    assert_eq!(refusal(&verdicts, 70, &user("eve")), None, "and no restock");
    verdicts.learn(&coupon(), START.plus_ms(69), &answered(3, 100, Answer::SoldOut));
    assert_eq!(refusal(&verdicts, 70, &user("eve")), None, "an older version teaches nothing");
}

#[test]
fn a_filter_outlives_pause_and_resume_and_not_a_restock_i8_i10() {
    let verdicts = sold_out(3, START, 100);
    let stock = Stock { epoch: 1, version: 3 };
    verdicts.attach(&coupon(), stock, filter_of(&["ada"]));
    // Paused and resumed; nobody was answered `sold_out` meanwhile.
    let again = Answered { stock_version: 3, ..answered(5, 100, Answer::SoldOut) };
    verdicts.learn(&coupon(), START.plus_ms(5_000), &again);
    assert_eq!(refusal(&verdicts, 5_010, &user("eve")), GONE);
    assert_eq!(refusal(&verdicts, 5_010, &user("ada")), None);
    assert_eq!(verdicts.without_filter(START.plus_ms(5_010)), []);
    let restocked = Answered { stock_version: 4, ..answered(6, 100, Answer::SoldOut) };
    verdicts.learn(&coupon(), START.plus_ms(5_020), &restocked);
    assert_eq!(refusal(&verdicts, 5_030, &user("eve")), None);
    let wanted = (coupon(), Stock { version: 4, ..stock });
    assert_eq!(verdicts.without_filter(START.plus_ms(5_030)), [wanted]);
    // A coupon of another epoch, with the same stock version.
    verdicts.attach(&coupon(), Stock { version: 4, ..stock }, filter_of(&["ada"]));
    let other_life = Answered { epoch: 2, ..restocked };
    verdicts.learn(&coupon(), START.plus_ms(5_040), &other_life);
    assert_eq!(refusal(&verdicts, 5_050, &user("eve")), None);
}

#[test]
fn not_open_is_told_until_the_coupon_opens_and_only_before_its_first_ticket() {
    let verdicts = Verdicts::default();
    let told = answered(1, 100, Answer::NotOpen);
    let touched = Answered { is_untouched: false, ..told.clone() };
    verdicts.learn(&coupon(), START, &touched);
    assert_eq!(refusal(&verdicts, 0, &user("ada")), None);
    verdicts.learn(&coupon(), START, &told);
    let opens = |opens_in_ms| Some(Outcome::NotOpen { opens_at: OPENS_AT, opens_in_ms });
    assert_eq!(refusal(&verdicts, 10, &user("ada")), opens(70));
    assert_eq!(refusal(&verdicts, 29, &user("ada")), None, "it renews");
    assert_eq!(refusal(&verdicts, 78, &user("ada")), opens(2));
    assert_eq!(refusal(&verdicts, 79, &user("ada")), None, "it may open in this millisecond");
}

fn numbered(number: usize) -> CouponId {
    CouponId::parse(&format!("c{number}")).unwrap()
}

/// As many verdicts as fit.
fn full() -> Verdicts {
    let verdicts = Verdicts::default();
    let told = answered(1, 100, Answer::SoldOut);
    (0..VERDICTS_MAX).for_each(|number| verdicts.learn(&numbered(number), START, &told));
    verdicts
}

#[test]
fn verdicts_are_bounded_and_the_forgotten_ones_make_room() {
    let verdicts = full();
    let told = answered(1, 100, Answer::SoldOut);
    verdicts.forget(START.plus_ms(60_000));
    assert_eq!(verdicts.read().len(), VERDICTS_MAX, "nobody needs a place");
    verdicts.learn(&coupon(), START, &told);
    assert_eq!(refusal(&verdicts, 1, &anybody()), None, "all places are taken");
    verdicts.learn(&numbered(7), START.plus_ms(100), &told);
    verdicts.forget(START.plus_ms(1_150));
    assert_eq!(verdicts.read().len(), 1, "one is still asked for");
    verdicts.learn(&coupon(), START.plus_ms(1_150), &told);
    assert_eq!(refusal(&verdicts, 1_151, &anybody()), GONE);
}

#[test]
fn a_coupon_too_many_costs_a_request_no_more_than_one_that_is_known() {
    let (verdicts, told) = (full(), answered(1, 100, Answer::SoldOut));
    let learning = |first: usize| {
        let ids: Vec<CouponId> = (first..first + VERDICTS_MAX).map(numbered).collect();
        let rounds = (1..4).map(|round| {
            let since = std::time::Instant::now();
            let sent = START.plus_ms(round);
            ids.iter().for_each(|coupon_id| verdicts.learn(coupon_id, sent, &told));
            since.elapsed()
        });
        rounds.min().unwrap()
    };
    let (known, too_many) = (learning(0), learning(VERDICTS_MAX));
    assert!(too_many < known * 10, "{too_many:?} where known ones take {known:?}");
}

#[test]
fn only_filters_that_nobody_asks_for_make_room() {
    let verdicts = sold_out(1, START, 100);
    let stock = Stock { epoch: 1, version: 1 };
    // Two bytes per holder: this uses all the room.
    let all = FILTERS_MAX_BYTES / 2;
    verdicts.attach(&coupon(), stock, verdicts.filter_for(all).unwrap());
    assert!(verdicts.filter_for(1).is_none());
    verdicts.forget(START.plus_ms(1_000));
    assert!(verdicts.filter_for(1).is_none(), "the coupon is still asked for");
    verdicts.forget(START.plus_ms(1_101));
    assert!(verdicts.filter_for(all).is_some(), "also one that comes too late gives it back");
    verdicts.attach(&coupon(), stock, verdicts.filter_for(all).unwrap());
    assert!(verdicts.filter_for(all).is_some());
}

#[test]
fn what_meets_a_bound_is_counted() {
    let verdicts = full();
    let told = answered(1, 100, Answer::SoldOut);
    let none = counted_by(|| {
        verdicts.learn(&numbered(7), START.plus_ms(1), &told);
        drop(verdicts.filter_for(FILTERS_MAX_BYTES / 2));
    });
    assert!(!none.contains("left_out"), "{none}");
    let some = counted_by(|| {
        (0..3).for_each(|_| verdicts.learn(&coupon(), START, &told));
        assert!(verdicts.filter_for(FILTERS_MAX_BYTES).is_none());
    });
    for line in [r#"{bound="verdicts"} 3"#, r#"{bound="filters"} 1"#] {
        let line = format!("firstcome_issue_verdicts_left_out_total{line}");
        assert!(some.contains(&line), "{line}: {some}");
    }
}
