//! A coupon as its scripts should keep it, in the plainest form that tells every answer.

use std::collections::{BTreeMap, VecDeque};

use firstcome::domain::act::{ActResult, Applied, Change};
use firstcome::domain::coupon::State;
use firstcome::domain::limits::TOTAL_MAX;
use firstcome::domain::user::{Claim, holder_field};
use firstcome::lua::ActReply;

use super::steps::{BACKLOG_MAX_TICKETS, FUTURE_MS, Numbered, PAST_MS, Step};

/// What the scripts should know after a step, and what they should have said.
#[derive(Debug, Clone, Default)]
pub struct Coupon {
    /// None while Redis does not have it.
    pub state: Option<State>,
    pub total: u64,
    pub remaining: u64,
    pub held: u64,
    pub issued: u64,
    pub returned: u64,
    pub version: u64,
    pub per_user_limit: u8,
    pub opens_at_ms: Option<i64>,
    pub closes_at_ms: Option<i64>,
    pub act_no: u64,
    pub act_result: Option<ActResult>,
    /// Serial, and whether it was cancelled, by the field of the holders hash.
    pub tickets: BTreeMap<String, (u64, bool)>,
    /// Tickets of each record that nobody has acknowledged.
    pub records: VecDeque<u64>,
    pub unpersisted: u64,
    /// The answers to the last step's users, each with its serial.
    pub answers: Vec<(&'static str, u64)>,
    /// The reply to the last act.
    pub reply: Option<ActReply>,
}

impl Coupon {
    pub fn apply(&mut self, step: &Step) {
        match step {
            Step::Preload { .. } | Step::Act(..) if self.settle(step) => {}
            Step::Preload { total, per_user_limit } => {
                let result = Applied { version: 1, total: *total, remaining: *total };
                (self.state, self.per_user_limit) = (Some(State::Open), *per_user_limit);
                (self.total, self.remaining) = (*total, *total);
                (self.version, self.act_no) = (1, 1);
                self.act_result = Some(ActResult::Applied(result));
                self.reply = self.act_result.clone().map(ActReply::Settled);
            }
            Step::Act(change, numbered) => {
                let result = self.change(change).map_or_else(
                    |reason| ActResult::Refused { reason: reason.to_owned() },
                    |()| {
                        self.version += 1;
                        let (version, total) = (self.version, self.total);
                        let remaining = self.remaining + self.held;
                        ActResult::Applied(Applied { version, total, remaining })
                    },
                );
                if *numbered != Numbered::Not {
                    (self.act_no, self.act_result) = (self.act_no + 1, Some(result.clone()));
                }
                self.reply = Some(ActReply::Settled(result));
            }
            Step::Issue(group) => {
                let before = self.issued;
                let ask = |(user, claim): &(_, _)| self.answer(holder_field(user, *claim), *claim);
                self.answers = group.iter().map(ask).collect();
                self.records.extend((self.issued > before).then(|| self.issued - before));
            }
            Step::HoldEnds => self.remaining += std::mem::take(&mut self.held),
            Step::Acknowledge(count) => {
                let count = self.records.len().min(*count);
                self.unpersisted -= self.records.drain(..count).sum::<u64>();
            }
        }
    }

    /// Replies to an act that is not the next one, and says whether it did.
    fn settle(&mut self, step: &Step) -> bool {
        let again = || self.act_result.clone().map(ActReply::Settled);
        let reply = match step {
            Step::Preload { .. } if self.act_no > 1 => Some(ActReply::OutOfOrder(self.act_no)),
            Step::Preload { .. } => again(),
            _ if self.state.is_none() => Some(ActReply::Unknown),
            Step::Act(_, Numbered::Again) => again(),
            Step::Act(_, Numbered::TooFar) => Some(ActReply::OutOfOrder(self.act_no)),
            _ => None,
        };
        let is_settled = reply.is_some();
        self.reply = reply;
        is_settled
    }

    fn answer(&mut self, field: String, claim: Claim) -> (&'static str, u64) {
        if let Some((serial, is_cancelled)) = self.tickets.get(&field) {
            return (if *is_cancelled { "cancelled" } else { "replayed" }, *serial);
        }
        let refusal = match self.state {
            None => "unknown",
            _ if self.closes_at_ms == Some(PAST_MS) => "closed",
            Some(State::Closed) => "closed",
            _ if self.opens_at_ms == Some(FUTURE_MS) => "not_open",
            Some(State::Paused) => "paused",
            _ if claim.number() > self.per_user_limit => "limit",
            _ if self.remaining == 0 => "sold_out",
            _ if self.unpersisted == BACKLOG_MAX_TICKETS => "backlog_full",
            _ => {
                (self.remaining, self.issued) = (self.remaining - 1, self.issued + 1);
                self.unpersisted += 1;
                self.tickets.insert(field, (self.issued, false));
                return ("issued", self.issued);
            }
        };
        (refusal, 0)
    }

    fn change(&mut self, change: &Change) -> Result<(), &'static str> {
        let is_open_ended =
            matches!(change, Change::Pause | Change::Resume | Change::Window { .. });
        if is_open_ended && self.state == Some(State::Closed) {
            return Err("already_closed");
        }
        match change {
            Change::Preload => {}
            Change::Pause => self.state = Some(State::Paused),
            Change::Resume => self.state = Some(State::Open),
            Change::Close => self.state = Some(State::Closed),
            Change::Window { opens_at_ms, closes_at_ms, per_user_limit } => {
                (self.opens_at_ms, self.closes_at_ms) = (*opens_at_ms, *closes_at_ms);
                self.per_user_limit = *per_user_limit;
            }
            Change::Restock { delta } => {
                let total = self.total.checked_add_signed(*delta).filter(|total| *total > 0);
                let stock = (self.remaining + self.held).checked_add_signed(*delta);
                let (Some(total), Some(_)) = (total, stock) else { return Err("below_issued") };
                if total > TOTAL_MAX {
                    return Err("total_too_large");
                }
                self.total = total;
                match u64::try_from(*delta) {
                    Ok(gain) => self.give(gain),
                    Err(_) => {
                        let from_stock = self.remaining.min(delta.unsigned_abs());
                        self.remaining -= from_stock;
                        self.held -= delta.unsigned_abs() - from_stock;
                    }
                }
            }
            Change::Return { returns } => {
                let mut back = 0;
                for one in returns {
                    let ticket = self.tickets.get_mut(&one.holder);
                    if let Some(ticket) = ticket.filter(|held| **held == (one.serial, false)) {
                        (ticket.1, back) = (true, back + 1);
                    }
                }
                self.returned += back;
                self.give(back);
            }
        }
        Ok(())
    }

    /// Stock for a coupon without any is held.
    fn give(&mut self, stock: u64) {
        *(if self.remaining > 0 { &mut self.remaining } else { &mut self.held }) += stock;
    }
}
