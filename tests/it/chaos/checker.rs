//! Holds a history against both stores. It is sound: a call without an answer may have happened at
//! any time after it was sent, or never, and is never the reason for an alarm.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use reqwest::StatusCode;
use serde_json::Value;

use super::history::{Asked, Call, Told};
use super::kept::Kept;

/// Stock that returns becomes available this long after the act at the latest.
const EMBARGO_MAX: Duration = Duration::from_millis(150);

/// A promise that was broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broken {
    /// A ticket that was told is no row, or is another row (I3 I10).
    Lost,
    /// A ticket that was told is not held in Redis, or is another one there (I10).
    Forgotten,
    /// A user has two rows (I2).
    Doubled,
    /// A serial stands twice, or one was skipped (I5).
    Serials,
    /// More tickets are out than the coupon has, or had at that time (I1).
    OverIssued,
    /// A row, or an issued ticket, of which nobody asked anything.
    Invented,
    /// A user was told two different tickets (I10).
    Changed,
    /// A user with a ticket was refused (I10).
    Refused,
    /// Somebody won though it was sold out, and no stock came back (I8).
    AfterSoldOut,
    /// Somebody won though it was told that issuing stopped (I8).
    WhileStopped,
    /// A ticket was told cancelled and is not, or is cancelled though nobody asked for that.
    Cancelled,
}

/// Everything that the history and the stores show as broken, with a sentence for each.
pub fn broken(calls: &[Call], kept: &Kept) -> Vec<(Broken, String)> {
    let checker = Checker::of(calls, kept);
    let mut found = Vec::new();
    checker.rows(&mut found);
    checker.answers(&mut found);
    checker.amounts(&mut found);
    checker.refusals(&mut found);
    found
}

type Found = Vec<(Broken, String)>;

struct Checker<'a> {
    calls: &'a [Call],
    kept: &'a Kept,
    /// The calls of each user, in the order in which they were sent.
    by_user: HashMap<&'a str, Vec<&'a Call>>,
    /// The first answer with a ticket, by user.
    tickets: HashMap<&'a str, (&'a Call, &'a Value)>,
}

impl<'a> Checker<'a> {
    fn of(calls: &'a [Call], kept: &'a Kept) -> Self {
        let mut by_user: HashMap<&str, Vec<&Call>> = HashMap::new();
        for call in calls {
            if let Asked::Issue { user } = &call.asked {
                by_user.entry(user).or_default().push(call);
            }
        }
        let mut tickets = HashMap::new();
        for (user, own) in &mut by_user {
            own.sort_by_key(|call| call.sent);
            let told = own.iter().filter_map(|call| Some((*call, ticket_of(call)?)));
            if let Some(first) = told.min_by_key(|(call, _)| call.answered) {
                tickets.insert(*user, first);
            }
        }
        Self { calls, kept, by_user, tickets }
    }

    /// What the rows say by themselves, and of whom.
    fn rows(&self, found: &mut Found) {
        let mut users = HashSet::new();
        let mut cancels: HashMap<&str, bool> = HashMap::new();
        for call in self.calls {
            if let Asked::Cancel { ticket_id } = &call.asked {
                *cancels.entry(ticket_id).or_default() |= call.told == Told::Done;
            }
        }
        let mut last = 0;
        for row in &self.kept.rows {
            let (id, user) = (text(row, "id"), text(row, "user_id"));
            let serial = row["serial"].as_u64().unwrap_or(0);
            if serial <= last || (serial != last + 1 && !self.kept.may_have_gaps) {
                found.push((Broken::Serials, format!("after {last} comes {row}")));
            }
            last = serial;
            if !users.insert(user) {
                found.push((Broken::Doubled, format!("a second row: {row}")));
            }
            if !self.by_user.contains_key(user) {
                found.push((Broken::Invented, format!("nobody asked for {row}")));
            }
            let is_cancelled = row["status"] == "cancelled";
            let cancel = cancels.get(id);
            if is_cancelled && cancel.is_none() {
                found.push((Broken::Cancelled, format!("nobody cancelled {row}")));
            }
            if !is_cancelled && cancel == Some(&true) {
                found.push((Broken::Cancelled, format!("told as cancelled: {row}")));
            }
        }
    }

    /// What each user was told, against the other answers and both stores.
    fn answers(&self, found: &mut Found) {
        let rows: HashMap<&str, &Value> =
            self.kept.rows.iter().map(|row| (text(row, "user_id"), row)).collect();
        for (user, (first, ticket)) in &self.tickets {
            let mut row = rows.get(user).map_or(Value::Null, |row| (*row).clone());
            if let Some(fields) = row.as_object_mut() {
                fields.remove("status");
            }
            if row != **ticket {
                found.push((Broken::Lost, format!("{user} was told {ticket}, the row is {row}")));
            }
            let held = self.kept.held.get(*user);
            let is_same = |(serial, issued_at): &(u64, String)| {
                ticket["serial"] == *serial && ticket["issued_at"] == **issued_at
            };
            if !held.is_some_and(is_same) {
                let sentence = format!("{user} was told {ticket}, Redis has {held:?}");
                found.push((Broken::Forgotten, sentence));
            }
            for call in &self.by_user[user] {
                match &call.told {
                    Told::Ticket(other) if other != *ticket => {
                        let sentence = format!("{user} was told {ticket}, and {other}");
                        found.push((Broken::Changed, sentence));
                    }
                    Told::Refused(status, code)
                        if call.sent > first.answered
                            && !self.may_refuse(*status, code, ticket) =>
                    {
                        let sentence = format!("{user} has {ticket} and was told {code}");
                        found.push((Broken::Refused, sentence));
                    }
                    _ => {}
                }
            }
        }
    }

    /// Whether one who has a ticket may be told this. A server that stood still may say 408: it did
    /// not read who asks.
    fn may_refuse(&self, status: StatusCode, code: &str, ticket: &Value) -> bool {
        let is_asked_for = || {
            let cancel = Asked::Cancel { ticket_id: text(ticket, "id").to_owned() };
            self.calls.iter().any(|call| call.asked == cancel)
        };
        [StatusCode::SERVICE_UNAVAILABLE, StatusCode::REQUEST_TIMEOUT].contains(&status)
            || (code == "ticket_cancelled" && is_asked_for())
    }

    /// Whether more was out than there was, at the end and at each answer.
    fn amounts(&self, found: &mut Found) {
        let Kept { total_at_first, total, issued, returned, .. } = *self.kept;
        if issued.saturating_sub(returned) > total {
            found.push((Broken::OverIssued, format!("{issued} - {returned} of {total} are out")));
        }
        if issued != self.kept.rows.len() as u64 {
            let sentence = format!("{issued} are issued, and {} rows", self.kept.rows.len());
            found.push((Broken::Invented, sentence));
        }
        // Each ticket that was told by an instant took one of what was there or asked for by then.
        // An act that was repeated is one act.
        let mut acts: HashMap<&Asked, Duration> = HashMap::new();
        for call in self.calls.iter().filter(|call| call.may_have_happened()) {
            let sent = acts.entry(&call.asked).or_insert(call.sent);
            *sent = call.sent.min(*sent);
        }
        let mut instants: Vec<(Duration, u64, u64)> = Vec::new();
        for (asked, sent) in acts {
            match asked {
                Asked::Restock { delta, .. } => instants.push((sent, *delta, 0)),
                Asked::Cancel { .. } => instants.push((sent, 1, 0)),
                _ => {}
            }
        }
        instants.extend(self.tickets.values().map(|(call, _)| (call.answered, 0, 1)));
        // At one instant, what was added comes first.
        instants.sort_by_key(|(at, _, taken)| (*at, *taken));
        let (mut room, mut told) = (total_at_first, 0);
        for (at, added, taken) in instants {
            (room, told) = (room + added, told + taken);
            if told > room {
                let sentence = format!("at {at:?} {told} were told, of {room} that there can be");
                found.push((Broken::OverIssued, sentence));
                return;
            }
        }
    }

    /// Wins that must not be: what gave the ticket came after a refusal that was still true.
    fn refusals(&self, found: &mut Found) {
        let sold_out = self.calls.iter().filter(|call| is_refusal(call, "sold_out"));
        let raises = |asked: &Asked| matches!(asked, Asked::Restock { .. } | Asked::Cancel { .. });
        self.wins_after(sold_out, Broken::AfterSoldOut, EMBARGO_MAX, raises, found);
        let is_stop = |call: &&Call| matches!(call.asked, Asked::Pause) && call.told == Told::Done;
        let stops = self.calls.iter().filter(is_stop);
        let resumes = |asked: &Asked| matches!(asked, Asked::Resume);
        self.wins_after(stops, Broken::WhileStopped, Duration::ZERO, resumes, found);
        let is_close = |call: &&Call| matches!(call.asked, Asked::Close) && call.told == Told::Done;
        let closes = self.calls.iter().filter(is_close);
        self.wins_after(closes, Broken::WhileStopped, Duration::ZERO, |_| false, found);
    }

    /// Reports each user who won, and whose first question that can have given the ticket was sent
    /// after one of these calls was answered, though no act that ends it can have had its effect
    /// between.
    fn wins_after(
        &self,
        ends: impl Iterator<Item = &'a Call>,
        broken: Broken,
        later: Duration,
        is_undone_by: impl Fn(&Asked) -> bool,
        found: &mut Found,
    ) {
        let may_undo = |call: &&Call| is_undone_by(&call.asked) && call.may_have_happened();
        let undone: Vec<&Call> = self.calls.iter().filter(may_undo).collect();
        let ends: Vec<&Call> = ends.collect();
        for (user, (won, _)) in &self.tickets {
            // A refusal gave nothing, so the ticket came with a later question.
            let mut questions = self.by_user[user].iter().filter(|call| call.may_have_happened());
            let asked = questions.next().map_or(won.sent, |call| call.sent);
            let is_undone = |end: &Call| {
                undone.iter().any(|call| {
                    call.sent <= won.answered && call.over().saturating_add(later) > end.sent
                })
            };
            if let Some(end) = ends.iter().find(|end| asked > end.answered && !is_undone(end)) {
                found.push((broken, format!("{user} won after {end:?}: {won:?}")));
            }
        }
    }
}

fn ticket_of(call: &Call) -> Option<&Value> {
    match &call.told {
        Told::Ticket(ticket) => Some(ticket),
        _ => None,
    }
}

fn is_refusal(call: &Call, word: &str) -> bool {
    matches!(&call.told, Told::Refused(_, code) if code == word)
}

fn text<'a>(row: &'a Value, name: &str) -> &'a str {
    row[name].as_str().unwrap_or("")
}
