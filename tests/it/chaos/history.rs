//! What users and admins asked and were told: one line per call, in the order of the answers.

use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use reqwest::StatusCode;
use serde_json::Value;

use crate::support::server::Answer;

/// What was asked.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Asked {
    /// A user asks for the ticket.
    Issue {
        user: String,
    },
    /// An admin adds stock; repeated with the same key it is the same act.
    Restock {
        key: String,
        delta: u64,
    },
    /// An admin gives a ticket back.
    Cancel {
        ticket_id: String,
    },
    Pause,
    Resume,
    /// Issuing ends, and nothing begins it again.
    Close,
}

/// What came back.
#[derive(Debug, Clone, PartialEq)]
pub enum Told {
    /// The act was done.
    Done,
    Ticket(Value),
    /// An error status and its code.
    Refused(StatusCode, String),
    /// No answer: it may have happened, and it may happen later.
    Unknown,
}

/// One call. Instants are counted from the beginning of the history.
#[derive(Debug, Clone)]
pub struct Call {
    pub asked: Asked,
    pub sent: Duration,
    pub answered: Duration,
    pub told: Told,
}

impl Call {
    /// Whether it can have had an effect: a refusal below 500 changes nothing (I4).
    pub fn may_have_happened(&self) -> bool {
        !matches!(&self.told, Told::Refused(status, _) if status.is_client_error())
    }

    /// When it had its effect at the latest. An act with another answer than `done` may be recorded
    /// and happen at any later time.
    pub fn over(&self) -> Duration {
        if self.told == Told::Done { self.answered } else { Duration::MAX }
    }
}

/// All calls of a run.
pub struct History {
    began: Instant,
    lines: Mutex<Lines>,
}

#[derive(Default)]
struct Lines {
    calls: Vec<Call>,
    /// Users in the order of their first question.
    users: Vec<String>,
    /// The ids of the tickets that were told.
    ticket_ids: Vec<String>,
}

impl History {
    pub fn begin() -> Self {
        Self { began: Instant::now(), lines: Mutex::default() }
    }

    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap()
    }

    /// The time since the beginning.
    pub fn now(&self) -> Duration {
        self.began.elapsed()
    }

    /// A user who never asked before.
    pub fn new_user(&self) -> String {
        let mut lines = self.lines();
        let user = format!("u{}", lines.users.len());
        lines.users.push(user.clone());
        user
    }

    /// A user who asked before, chosen by any number.
    pub fn user_again(&self, number: u64) -> Option<String> {
        let lines = self.lines();
        let place = number.checked_rem(lines.users.len() as u64)?;
        lines.users.get(place as usize).cloned()
    }

    /// The id of a ticket that was told, chosen by any number.
    pub fn some_ticket(&self, number: u64) -> Option<String> {
        let lines = self.lines();
        let place = number.checked_rem(lines.ticket_ids.len() as u64)?;
        lines.ticket_ids.get(place as usize).cloned()
    }

    /// Writes a call down that was sent at this time and ended now.
    pub fn add(&self, asked: Asked, sent: Duration, answer: Option<&Answer>) {
        let told = answer.map_or(Told::Unknown, |answer| match (answer.status, &asked) {
            (StatusCode::OK, Asked::Issue { .. }) => Told::Ticket(answer.json()["ticket"].clone()),
            (StatusCode::OK, _) => Told::Done,
            (status, _) => Told::Refused(status, answer.code()),
        });
        let call = Call { asked, sent, answered: self.now(), told };
        let mut lines = self.lines();
        if let Told::Ticket(ticket) = &call.told
            && let Some(id) = ticket["id"].as_str()
        {
            lines.ticket_ids.push(id.to_owned());
        }
        lines.calls.push(call);
    }

    /// All calls that ended.
    pub fn calls(&self) -> Vec<Call> {
        self.lines().calls.clone()
    }
}
