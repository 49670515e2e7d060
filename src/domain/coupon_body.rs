//! A coupon and its acts on the wire, as admins are told it: over HTTP and by the command line.

use serde::Serialize;

use super::act::{ActResult, Applied, Change, LoggedAct};
use super::coupon::{Coupon, CouponId, Definition};
use super::time::UnixMs;
use super::who::Who;

/// A coupon as admins see it.
#[derive(Debug, Serialize)]
pub struct CouponBody<'a> {
    #[serde(flatten)]
    definition: &'a Definition,
    state: &'static str,
    version: u64,
    created_at: UnixMs,
}

impl<'a> CouponBody<'a> {
    /// The body of a coupon that is seen in this state.
    pub fn of(coupon: &'a Coupon, state: &'static str) -> Self {
        let (version, created_at) = (coupon.version, coupon.created_at);
        Self { definition: &coupon.definition, state, version, created_at }
    }
}

/// A page of all coupons.
#[derive(Debug, Serialize)]
pub struct CouponPage<'a> {
    /// In the order of their ids.
    pub coupons: Vec<CouponBody<'a>>,
    /// Where the next page begins; `None` after the last one.
    pub next_cursor: Option<&'a CouponId>,
}

/// A coupon after an act.
#[derive(Debug, Serialize)]
pub struct AppliedBody<'a> {
    coupon_id: &'a CouponId,
    #[serde(flatten)]
    applied: Applied,
}

impl<'a> AppliedBody<'a> {
    /// The body of a coupon to which an act was applied.
    pub fn of(coupon_id: &'a CouponId, applied: Applied) -> Self {
        Self { coupon_id, applied }
    }
}

/// An act in the log of its coupon. Which fields are null is a matter of its kind.
#[derive(Debug, Serialize)]
pub struct ActBody {
    /// Its number.
    pub act_no: u64,
    /// What kind of change it is.
    pub kind: &'static str,
    /// Who asked.
    pub who: Who,
    /// When it was asked for.
    pub intended_at: UnixMs,
    /// When its result was written; none yet where it is only intended.
    pub recorded_at: Option<UnixMs>,
    /// `intended`, `applied` or `refused`.
    pub state: &'static str,
    /// Why it was refused: the code that its caller was told.
    pub reason: Option<&'static str>,
    /// The version after it.
    pub version: Option<u64>,
    /// Tickets in all after it.
    pub total: Option<u64>,
    /// Stock after it.
    pub remaining: Option<u64>,
    /// Of a restock: tickets given, or taken.
    pub delta: Option<i64>,
    /// Of a window.
    pub opens_at: Option<UnixMs>,
    /// Of a window.
    pub closes_at: Option<UnixMs>,
    /// Of a window.
    pub per_user_limit: Option<u8>,
    /// Of a return: how many tickets.
    pub returned: Option<usize>,
}

impl ActBody {
    /// The body of an act.
    pub fn of(logged: &LoggedAct) -> Self {
        let LoggedAct { act, recorded_at } = logged;
        let (state, reason, applied) = match &act.result {
            None => ("intended", None, None),
            Some(ActResult::Applied(applied)) => ("applied", None, Some(applied)),
            Some(ActResult::Refused(refusal)) => ("refused", Some(refusal.code()), None),
        };
        let mut body = Self {
            act_no: act.act_no,
            kind: act.change.word(),
            who: act.who,
            intended_at: act.intended_at,
            recorded_at: *recorded_at,
            state,
            reason,
            version: applied.map(|applied| applied.version),
            total: applied.map(|applied| applied.total),
            remaining: applied.map(|applied| applied.remaining),
            delta: None,
            opens_at: None,
            closes_at: None,
            per_user_limit: None,
            returned: None,
        };
        match &act.change {
            Change::Restock { delta } => body.delta = Some(*delta),
            Change::Window { opens_at_ms, closes_at_ms, per_user_limit } => {
                body.opens_at = opens_at_ms.map(UnixMs);
                body.closes_at = closes_at_ms.map(UnixMs);
                body.per_user_limit = Some(*per_user_limit);
            }
            Change::Return { returns } => body.returned = Some(returns.len()),
            Change::Preload | Change::Pause | Change::Resume | Change::Close => {}
        }
        body
    }
}

/// A page of a coupon's acts.
#[derive(Debug, Serialize)]
pub struct ActPage {
    /// In the sequence of their numbers.
    pub acts: Vec<ActBody>,
    /// The number after which the next page begins; `None` after the last one.
    pub next_cursor: Option<u64>,
}
