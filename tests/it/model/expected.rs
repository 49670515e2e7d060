//! The model of a coupon: what its scripts should store, in the simplest form that determines every
//! answer.

use std::collections::{BTreeMap, VecDeque};

use firstcome::domain::act::Change;
use firstcome::domain::limits::TOTAL_MAX;
use firstcome::domain::user::{Claim, holder_field};

use super::steps::{BACKLOG_MAX_TICKETS, FUTURE_MS, Numbered, PAST_MS, Step};

/// What Redis should have after a step, and what the scripts should have replied.
#[derive(Debug, Clone, Default)]
pub struct Coupon {
    /// Empty while Redis does not have it.
    pub state: &'static str,
    pub total: i64,
    pub remaining: i64,
    pub embargoed: i64,
    pub issued: i64,
    pub returned: i64,
    pub version: i64,
    pub stock_version: i64,
    pub per_user_limit: u8,
    pub opens_at_ms: Option<i64>,
    pub closes_at_ms: Option<i64>,
    pub act_no: u64,
    pub act_result: String,
    /// What the last act changed; none before the first and after the preload.
    pub last: Option<Change>,
    /// The pause and the close that were applied before their rows, and have none yet.
    pub unwritten: Vec<Change>,
    /// Serial and whether it is cancelled, by the field of the holders hash.
    pub tickets: BTreeMap<String, (i64, bool)>,
    /// Tickets of each record that nobody has acknowledged.
    pub records: VecDeque<i64>,
    pub unpersisted: i64,
    /// The answers to the last step's users, each with its serial.
    pub answers: Vec<(&'static str, i64)>,
    /// The reply to the last act.
    pub reply: String,
}

impl Coupon {
    pub fn apply(&mut self, step: &Step) {
        match step {
            Step::Preload { .. } | Step::Act(..) => self.reply = self.act(step),
            Step::Issue(group) => {
                let before = self.issued;
                let ask = |(user, claim): &(_, _)| self.answer(holder_field(user, *claim), *claim);
                self.answers = group.iter().map(ask).collect();
                self.records.extend((self.issued > before).then(|| self.issued - before));
            }
            Step::EmbargoEnds => self.remaining += std::mem::take(&mut self.embargoed),
            Step::Acknowledge(count) => {
                let count = self.records.len().min(*count);
                self.unpersisted -= self.records.drain(..count).sum::<i64>();
            }
        }
    }

    fn answer(&mut self, field: String, claim: Claim) -> (&'static str, i64) {
        if let Some((serial, is_cancelled)) = self.tickets.get(&field) {
            return (if *is_cancelled { "cancelled" } else { "replayed" }, *serial);
        }
        let refusal = match self.state {
            "" => "unknown",
            state if state == "closed" || self.closes_at_ms == Some(PAST_MS) => "closed",
            _ if self.opens_at_ms == Some(FUTURE_MS) => "not_open",
            "paused" => "paused",
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

    fn act(&mut self, step: &Step) -> String {
        match (step, self.act_no) {
            (Step::Preload { total, per_user_limit }, 0) => {
                (self.state, self.per_user_limit) = ("open", *per_user_limit);
                (self.total, self.remaining) = (*total, *total);
                (self.version, self.stock_version, self.act_no) = (1, 1, 1);
                self.act_result = format!("applied 1 {total} {total}");
            }
            (_, 0) => return "unknown".to_owned(),
            (Step::Act(change, Numbered::Again), last) if self.last.as_ref() != Some(change) => {
                return format!("diverged {last}");
            }
            (Step::Preload { .. }, 1) | (Step::Act(_, Numbered::Again), _) => {}
            (Step::Preload { .. } | Step::Act(_, Numbered::TooFar), last) => {
                return format!("out_of_order {last}");
            }
            (Step::Act(change, Numbered::Not), _) if self.has_come_first(change) => {
                let stock = self.remaining + self.embargoed;
                return format!("applied {} {} {stock}", self.version, self.total);
            }
            (Step::Act(change, numbered), _) => {
                let is_left = *numbered != Numbered::Not && self.unwritten.contains(change);
                let is_done = *numbered != Numbered::Not && !is_left && self.is_already(change);
                let applied = self.change(change, is_left).map(|()| {
                    self.version += i64::from(!is_done);
                    let is_stock = matches!(change, Change::Restock { .. } | Change::Return { .. });
                    self.stock_version += i64::from(is_stock);
                    let stock = self.remaining + self.embargoed;
                    format!("applied {} {} {stock}", self.version, self.total)
                });
                let result = applied.unwrap_or_else(|reason| format!("refused {reason}"));
                let stops = [Change::Pause, Change::Close];
                if stops.contains(change) && result.starts_with("applied") {
                    self.unwritten.retain(|unwritten| unwritten != change);
                    self.unwritten.extend((*numbered == Numbered::Not).then(|| change.clone()));
                }
                if *numbered == Numbered::Not {
                    return result;
                }
                (self.act_no, self.act_result) = (self.act_no + 1, result);
                self.last = Some(change.clone());
            }
            _ => {}
        }
        self.act_result.clone()
    }

    /// The act that is written next, of those that came before their rows.
    pub fn first_unwritten(&self) -> Option<&Change> {
        self.unwritten.iter().min_by_key(|change| **change != Change::Pause)
    }

    /// Whether this stop, told before its row, is in force by one that was told like this.
    fn has_come_first(&self, change: &Change) -> bool {
        match self.state {
            "closed" => *change == Change::Close,
            _ => self.unwritten.contains(change),
        }
    }

    /// Whether the state is already what this change makes it.
    fn is_already(&self, change: &Change) -> bool {
        let state = match change {
            Change::Pause => "paused",
            Change::Resume => "open",
            Change::Close => "closed",
            // Nothing is withheld.
            Change::Release => return true,
            _ => return false,
        };
        self.state == state
    }

    /// `is_left` when it came first, and this is its own act.
    fn change(&mut self, change: &Change, is_left: bool) -> Result<(), String> {
        let out = self.total - self.remaining - self.embargoed;
        match change {
            Change::Pause if is_left && self.state == "closed" => {}
            Change::Close => self.state = "closed",
            Change::Pause | Change::Resume | Change::Window { .. } if self.state == "closed" => {
                return Err("already_closed".to_owned());
            }
            Change::Resume if !self.unwritten.is_empty() => return Err("superseded".to_owned()),
            Change::Pause => self.state = "paused",
            Change::Resume => self.state = "open",
            Change::Window { opens_at_ms, closes_at_ms, per_user_limit } => {
                (self.opens_at_ms, self.closes_at_ms) = (*opens_at_ms, *closes_at_ms);
                self.per_user_limit = *per_user_limit;
            }
            Change::Restock { delta } if self.remaining + self.embargoed + delta < 0 => {
                return Err(format!("below_issued {out}"));
            }
            Change::Restock { delta } if self.total + delta < 1 => {
                return Err(format!("below_issued {out}"));
            }
            Change::Restock { delta } if self.total + delta > TOTAL_MAX as i64 => {
                return Err(format!("total_too_large {}", self.total + delta));
            }
            Change::Restock { delta } => {
                self.total += delta;
                self.give(*delta);
            }
            Change::Return { returns } => {
                for one in returns {
                    let held = (one.serial as i64, false);
                    if self.tickets.get(&one.holder) == Some(&held) {
                        self.tickets.insert(one.holder.clone(), (held.0, true));
                        self.returned += 1;
                        self.give(1);
                    }
                }
            }
            Change::Preload | Change::Release => {}
            Change::Restore { .. } => return Err("not_restored".to_owned()),
        }
        Ok(())
    }

    /// Stock for a coupon without any is put under an embargo; taking stock away takes that stock
    /// last.
    fn give(&mut self, delta: i64) {
        let at_once = if self.remaining > 0 { delta.max(-self.remaining) } else { 0 };
        self.remaining += at_once;
        self.embargoed += delta - at_once;
    }
}
