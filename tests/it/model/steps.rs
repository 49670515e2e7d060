//! Random steps in the life of a coupon.

use firstcome::domain::act::{Change, Return};
use firstcome::domain::limits::{INSTANT_MAX_MS, TOTAL_MAX};
use firstcome::domain::user::{Claim, UserId};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest_state_machine::ReferenceStateMachine;

use super::expected::Coupon;

/// Small enough that some sequences reach it.
pub const BACKLOG_MAX_TICKETS: i64 = 9;
/// An instant that was before every test.
pub const PAST_MS: i64 = 1;
/// An instant that comes after every test.
pub const FUTURE_MS: i64 = INSTANT_MAX_MS;

/// Six users who try to be taken for each other, or for what stands in a held.
const USERS: [&str; 6] = ["ada", "ad", "x1:a", "1", " é,2", "1:miiwm9u2"];

/// One step of a sequence.
#[derive(Debug, Clone)]
pub enum Step {
    /// Act 1, or its repetition.
    Preload { total: i64, per_user_limit: u8 },
    /// One call.
    Issue(Vec<(UserId, Claim)>),
    /// Any other act.
    Act(Change, Numbered),
    /// The 150 ms of the embargo are over.
    EmbargoEnds,
    /// A persister reads so many records and acknowledges them.
    Acknowledge(usize),
}

/// With which number an act arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Numbered {
    /// The next one.
    Next,
    /// The next one, twice: the first reply was lost.
    NextTwice,
    /// The last one again: the same act, or a different one, as from a database that lost the last
    /// act and assigned its number again.
    Again,
    /// The one after the next: the next was never sent.
    TooFar,
    /// None, as a pause or a close that comes before its row.
    Not,
}

/// The sequences of steps; the model is [`Coupon`].
pub struct Sequences;

impl ReferenceStateMachine for Sequences {
    type State = Coupon;
    type Transition = Step;

    fn init_state() -> BoxedStrategy<Coupon> {
        Just(Coupon::default()).boxed()
    }

    fn transitions(coupon: &Coupon) -> BoxedStrategy<Step> {
        let preload = (1..=8_i64, 1..=3_u8)
            .prop_map(|(total, per_user_limit)| Step::Preload { total, per_user_limit });
        let preload_weight = if coupon.state.is_empty() { 60 } else { 1 };
        prop_oneof![
            12 => issue(),
            8 => act(coupon),
            2 => Just(Step::EmbargoEnds),
            1 => (1..4_usize).prop_map(Step::Acknowledge),
            preload_weight => preload,
        ]
        .boxed()
    }

    fn apply(mut coupon: Coupon, step: &Step) -> Coupon {
        coupon.apply(step);
        coupon
    }
}

fn issue() -> impl Strategy<Value = Step> {
    let user = select(&USERS[..]).prop_map(|user| UserId::parse(user).unwrap());
    let claim = prop_oneof![4 => Just(1), 2 => Just(2), 1 => Just(3)];
    let claim = claim.prop_map(|number| Claim::new(number).unwrap());
    vec((user, claim), 1..6).prop_map(Step::Issue)
}

fn act(coupon: &Coupon) -> impl Strategy<Value = Step> + use<> {
    let edge =
        || prop_oneof![3 => Just(None), 1 => Just(Some(PAST_MS)), 1 => Just(Some(FUTURE_MS))];
    let window = (edge(), edge(), 1..=3_u8).prop_map(|(opens, closes, per_user_limit)| {
        Change::Window { opens_at_ms: opens, closes_at_ms: closes, per_user_limit }
    });
    let delta = prop_oneof![12 => 1..5_i64, 8 => -5..=0_i64, 1 => Just(TOTAL_MAX as i64)];
    let change = prop_oneof![
        8 => delta.prop_map(|delta| Change::Restock { delta }),
        6 => vec(one_return(coupon), 1..4).prop_map(|returns| Change::Return { returns }),
        4 => window,
        2 => Just(Change::Pause),
        4 => Just(Change::Resume),
        1 => Just(Change::Close),
        1 => Just(Change::Release),
    ];
    let numbered = prop_oneof![
        8 => Just(Numbered::Next),
        2 => Just(Numbered::NextTwice),
        2 => Just(Numbered::Again),
        1 => Just(Numbered::TooFar),
        2 => Just(Numbered::Not),
    ];
    let last = coupon.last.clone();
    (change, numbered, any::<bool>()).prop_map(move |(change, numbered, is_same)| {
        let repeats = numbered == Numbered::Again && is_same;
        let change = last.clone().filter(|_| repeats).unwrap_or(change);
        let may_lack_it = matches!(change, Change::Pause | Change::Close);
        let lacks = numbered == Numbered::Not && !may_lack_it;
        Step::Act(change, if lacks { Numbered::Next } else { numbered })
    })
}

/// Mostly a ticket that was issued, seldom one with another's serial or of nobody.
fn one_return(coupon: &Coupon) -> impl Strategy<Value = Return> + use<> {
    let mut tickets: Vec<(String, i64)> =
        coupon.tickets.iter().map(|(holder, (serial, _))| (holder.clone(), *serial)).collect();
    tickets.push(("nobody".to_owned(), 1));
    let off_by = prop_oneof![6 => Just(0), 1 => Just(1)];
    (select(tickets), off_by)
        .prop_map(|((holder, serial), off_by)| Return { serial: (serial + off_by) as u64, holder })
}
