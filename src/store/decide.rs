//! What an act leads to: decided in one place for every dialect.

use std::collections::HashSet;

use super::error::{Error, Result};
use super::rows::{KeyedAct, TicketRow};
use crate::domain::act::{Act, Applied, Change, NewAct, Return};
use crate::domain::coupon::{Coupon, State};
use crate::domain::ticket::{Serial, Status};
use crate::domain::time::UnixMs;
use crate::domain::user::holder_field;

/// The result of handing an act to the database (P9 step 1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Intended {
    /// It was written as the coupon's only intended act.
    New(Act),
    /// The same idempotency key came with the same change before: that act, recorded or not.
    Repeated(Act),
    /// The same idempotency key was used for another change of this coupon.
    KeyReused,
    /// Another act of the coupon is intended; it must be recorded first.
    Busy(Act),
    /// The coupon is at this version, not at the one that the caller saw.
    VersionConflict(u64),
    /// There is no such coupon, or it is a draft (and the change is not its preload).
    Unknown,
    /// The coupon was preloaded before, by this act; only for a preload.
    AlreadyPreloaded(Act),
    /// The coupon is archived.
    Archived,
}

/// The result of a request to cancel tickets of a coupon (P9 step 4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cancelled {
    /// Every ticket that has a row is cancelled.
    Done {
        /// The return of the tickets that were not cancelled before, as the coupon's only intended
        /// act; `None` when all of them were.
        act: Option<Act>,
        /// Serials without a row.
        unknown: Vec<Serial>,
    },
    /// Another act of the coupon is intended; it must be recorded first. Nothing was written.
    Busy(Act),
    /// The coupon is archived, and no ticket of it changes any more.
    Archived,
}

/// The answer to a new act that may not be written. The caller has locked the row of `coupon`;
/// `acts` must contain the act with the same idempotency key, the intended act and act 1, as far
/// as they exist.
///
/// # Errors
/// [`Error::Corrupt`] when the coupon is preloaded and has no act for it.
pub(super) fn refusal(
    new: &NewAct,
    coupon: &Coupon,
    acts: Vec<KeyedAct>,
) -> Result<Option<Intended>> {
    let is_preload = new.change == Change::Preload;
    let mut first = None;
    let mut intended = None;
    for KeyedAct { act, idempotency_key, .. } in acts {
        let same_key = new.idempotency_key.as_ref().map(|key| key.as_str());
        if same_key.is_some() && same_key == idempotency_key.as_deref() {
            let repeated = act.change == new.change;
            let answer = if repeated { Intended::Repeated(act) } else { Intended::KeyReused };
            return Ok(Some(answer));
        }
        if act.result.is_none() {
            intended = Some(act.clone());
        }
        if act.act_no == 1 {
            first = Some(act);
        }
    }
    Ok(match (coupon.state, is_preload) {
        (State::Draft, false) => Some(Intended::Unknown),
        (State::Archived, _) => Some(Intended::Archived),
        (State::Open | State::Paused | State::Closed, true) => {
            let preload = first.ok_or(Error::Corrupt("coupon: no act preloaded it"))?;
            Some(Intended::AlreadyPreloaded(preload))
        }
        _ => intended
            .map(Intended::Busy)
            .or_else(|| version_conflict(new, coupon).map(Intended::VersionConflict)),
    })
}

fn version_conflict(new: &NewAct, coupon: &Coupon) -> Option<u64> {
    new.if_version.is_some_and(|seen| seen != coupon.version).then_some(coupon.version)
}

/// The act after the coupon's last one, and the coupon's state once it is written: a preload opens
/// the coupon before Redis hears of it (P9 step 6).
pub(super) fn next_act(new: &NewAct, coupon: &Coupon) -> (Act, State) {
    let act = Act {
        coupon_id: new.coupon_id.clone(),
        act_no: coupon.act_no + 1,
        change: new.change.clone(),
        who: new.who,
        intended_at: new.at,
        result: None,
    };
    let state = if new.change == Change::Preload { State::Open } else { coupon.state };
    (act, state)
}

/// The coupon after an applied act (I7: nothing reopens a closed coupon).
pub fn after(mut coupon: Coupon, change: &Change, applied: &Applied) -> Coupon {
    coupon.version = applied.version;
    coupon.definition.total = applied.total;
    match change {
        Change::Preload | Change::Restock { .. } | Change::Return { .. } => {}
        Change::Release | Change::Restore { .. } => {}
        Change::Window { opens_at_ms, closes_at_ms, per_user_limit } => {
            coupon.definition.opens_at = opens_at_ms.map(UnixMs);
            coupon.definition.closes_at = closes_at_ms.map(UnixMs);
            coupon.definition.per_user_limit = *per_user_limit;
        }
        Change::Pause if coupon.state != State::Closed => coupon.state = State::Paused,
        Change::Resume if coupon.state != State::Closed => coupon.state = State::Open,
        Change::Pause | Change::Resume => {}
        Change::Close => coupon.state = State::Closed,
    }
    coupon
}

/// The returns of those rows that are not cancelled.
pub(super) fn returns(rows: &[TicketRow]) -> Vec<Return> {
    let accepted = rows.iter().filter(|row| row.status != Status::Cancelled);
    let return_of = |TicketRow { ticket, .. }: &TicketRow| Return {
        serial: ticket.serial.0,
        holder: holder_field(&ticket.user_id, ticket.claim),
    };
    accepted.map(return_of).collect()
}

/// The serials that have no row.
pub(super) fn without_row(serials: &[Serial], rows: &[TicketRow]) -> Vec<Serial> {
    let there: HashSet<u64> = rows.iter().map(|row| row.ticket.serial.0).collect();
    serials.iter().copied().filter(|serial| !there.contains(&serial.0)).collect()
}
