//! What a coupon has after its recovery. Pure: what is known goes in, the values for Redis come
//! out.

use super::stop::terms_of;
use crate::domain::act::{Act, ActResult, Applied, Change};
use crate::domain::act_refusal::ActRefusal;
use crate::domain::coupon::{Coupon, State};
use crate::domain::epoch::EpochStart;
use crate::domain::limits::{CLOCK_SKEW_MAX, TOTAL_MAX};
use crate::domain::ticket::Serial;
use crate::domain::time::UnixMs;
use crate::lua::recover::Stopped;
use crate::redis::terms::Terms;
use crate::store::{self, Counts};

/// What is known of a coupon.
pub(super) struct Known<'a> {
    pub(super) coupon: Coupon,
    /// All of its acts, in their order.
    pub(super) acts: Vec<Act>,
    /// How its last epoch began; `None` when it was never recovered.
    pub(super) start: Option<EpochStart>,
    pub(super) counts: Counts,
    pub(super) told: Told,
    /// What Redis had.
    pub(super) stopped: &'a Stopped,
    pub(super) now: UnixMs,
}

/// What was told and is in no row.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Told {
    /// Whether a process is gone that may have told any number of tickets.
    pub(super) is_unknown: bool,
    /// How many tickets of the last epoch were told for certain.
    pub(super) lost: u64,
    /// Whether the ticket of the last act, a restore, is a row.
    pub(super) is_restored: bool,
}

/// What Redis gets.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) terms: String,
    /// Its stock is what remains.
    pub(super) start: EpochStart,
    pub(super) token: String,
    pub(super) result: ActResult,
}

/// Decides; `None` when the database lacks an act. An act that is only intended is decided here:
/// nobody knows whether Redis had it, so its effect is counted once, and the relay finds the result
/// when it repeats the act.
pub(super) fn plan(known: Known<'_>, epoch: u32) -> Option<Plan> {
    let Known { coupon, acts, start, counts, told, stopped, now } = known;
    let start = start.or_else(|| first_start(&coupon, acts.first()?))?;
    let ceiling = start.ceiling(&acts).max(Serial(counts.last_serial));
    let last = acts.last().filter(|act| act.act_no == coupon.act_no)?;
    let out = counts.out();
    let result = last
        .result
        .clone()
        .unwrap_or_else(|| decided(&coupon, last, out, (start.withheld, told), stopped));
    let coupon = match &result {
        ActResult::Applied(applied) if last.result.is_none() => {
            store::after(coupon, &last.change, applied)
        }
        _ => coupon,
    };
    // Tickets that are out are never given again (I1).
    let left = coupon.definition.total.saturating_sub(out);
    // What is recorded is in the row of the epoch already.
    let kept = match (&last.change, &last.result) {
        (Change::Release, _) => 0,
        (Change::Restore { .. }, None) if told.is_restored => start.withheld.saturating_sub(1),
        _ => start.withheld,
    };
    let withheld = match told.is_unknown && may_have_issued(&coupon, &counts, last, now) {
        true => left,
        false => left.min(kept + told.lost),
    };
    let known_versions = [now.0, last.intended_at.0].map(|ms| ms.max(0).unsigned_abs());
    let stock_version = known_versions.into_iter().fold(stopped.stock_version, u64::max);
    let terms = Terms {
        epoch,
        version: coupon.version.max(stopped.version),
        // Acts that were made since may have raised it by one each.
        stock_version: stock_version + last.act_no + 1,
        ..terms_of(&coupon, state(coupon.state, &stopped.unwritten))
    };
    Some(Plan {
        terms: terms.to_string(),
        start: EpochStart {
            epoch,
            first_serial: Serial(ceiling.0 + 1),
            stock: left - withheld,
            withheld,
            act_no: last.act_no,
        },
        token: last.token(),
        result,
    })
}

/// Whether a ticket of the coupon can have been told: it was open at some time.
fn may_have_issued(coupon: &Coupon, counts: &Counts, last: &Act, now: UnixMs) -> bool {
    let skew_ms = CLOCK_SKEW_MAX.as_millis() as i64;
    let opens_at = coupon.definition.opens_at.map_or(0, |at| at.0);
    // Another act may have moved the window.
    let is_early = last.change == Change::Preload && opens_at > now.0.saturating_add(skew_ms);
    !is_early || counts.issued() > 0
}

/// How the first epoch of a coupon began: with its preload.
fn first_start(coupon: &Coupon, preload: &Act) -> Option<EpochStart> {
    let stock = match (&preload.change, &preload.result) {
        (Change::Preload, Some(ActResult::Applied(applied))) => applied.total,
        (Change::Preload, None) => coupon.definition.total,
        _ => return None,
    };
    let act_no = preload.act_no;
    Some(EpochStart { epoch: 1, first_serial: Serial(1), stock, withheld: 0, act_no })
}

/// The state that it had. A pause or close that went to Redis first stays in force (P9 step 7).
fn state(row: State, unwritten: &str) -> &'static str {
    match row {
        _ if unwritten.contains("close") => State::Closed.word(),
        State::Open if unwritten.contains("pause") => State::Paused.word(),
        row => row.word(),
    }
}

/// The result of an intended act, as its script would decide.
fn decided(
    coupon: &Coupon,
    act: &Act,
    out: u64,
    (withheld, told): (u64, Told),
    stopped: &Stopped,
) -> ActResult {
    let is_closed = coupon.state == State::Closed;
    let (is_marked, target) = match &act.change {
        Change::Pause => (stopped.unwritten.contains("pause"), Some(State::Paused)),
        Change::Resume => (false, Some(State::Open)),
        Change::Close => (stopped.unwritten.contains("close"), Some(State::Closed)),
        _ => (false, None),
    };
    let (mut total, mut version) = (coupon.definition.total, coupon.version + 1);
    match &act.change {
        Change::Restock { delta } => {
            let changed = total.checked_add_signed(*delta).unwrap_or(0);
            if *delta < 0 && changed < out || changed < 1 {
                return ActResult::Refused(ActRefusal::BelowIssued { out });
            }
            if changed > TOTAL_MAX {
                return ActResult::Refused(ActRefusal::TotalTooLarge { total: changed });
            }
            total = changed;
        }
        Change::Pause | Change::Resume if is_closed && !is_marked => {
            return ActResult::Refused(ActRefusal::AlreadyClosed);
        }
        Change::Resume if !stopped.unwritten.is_empty() => {
            return ActResult::Refused(ActRefusal::Superseded);
        }
        Change::Restore { .. } if !told.is_restored => {
            return ActResult::Refused(ActRefusal::NotRestored);
        }
        Change::Release if withheld == 0 => version = coupon.version,
        _ if !is_marked && target == Some(coupon.state) => version = coupon.version,
        _ => {}
    }
    ActResult::Applied(Applied { version, total, remaining: total.saturating_sub(out) })
}

#[cfg(test)]
mod tests;
