//! What users and admins were told, and whether it was kept.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Mutex, MutexGuard};

use reqwest::StatusCode;
use serde_json::Value;

use crate::support::eventually::eventually_holds;
use crate::support::exact::winners;
use crate::support::server::{Answer, Server};

/// What happened, from everybody's point of view.
#[derive(Default)]
pub struct History(Mutex<Told>);

#[derive(Default)]
struct Told {
    /// The ticket of every winner, by user.
    tickets: HashMap<String, Value>,
    /// Users of whom it is known that they asked, in the sequence of their first question.
    users: Vec<String>,
    /// Tickets that admins gave back, told as done.
    cancelled: HashSet<String>,
    /// Tickets whose cancelling may have been done.
    maybe_cancelled: HashSet<String>,
    /// Answers by code; a ticket is `ticket`.
    answers: BTreeMap<String, u64>,
    /// What must never happen, in words.
    broken: Vec<String>,
}

impl History {
    fn told(&self) -> MutexGuard<'_, Told> {
        self.0.lock().unwrap()
    }

    /// A new user; told with its ticket when it has one.
    pub fn new_user(&self) -> String {
        let mut told = self.told();
        let user = format!("u{}", told.users.len());
        told.users.push(user.clone());
        user
    }

    /// One who asked before, chosen by any number.
    pub fn user_again(&self, number: u64) -> Option<String> {
        let told = self.told();
        let place = number.checked_rem(told.users.len() as u64)?;
        told.users.get(place as usize).cloned()
    }

    /// Whether the user was told a ticket by now.
    pub fn is_winner(&self, user: &str) -> bool {
        self.told().tickets.contains_key(user)
    }

    /// The id of some ticket that was told, chosen by any number.
    pub fn some_ticket(&self, number: u64) -> Option<String> {
        let told = self.told();
        let place = number.checked_rem(told.users.len() as u64)?;
        let ticket = told.tickets.get(&told.users[place as usize])?;
        ticket["id"].as_str().map(str::to_owned)
    }

    /// An admin asks for a ticket to be cancelled.
    pub fn cancelling(&self, ticket: &str) {
        self.told().maybe_cancelled.insert(ticket.to_owned());
    }

    /// An admin was told that a ticket is cancelled.
    pub fn cancelled(&self, ticket: &str) {
        self.told().cancelled.insert(ticket.to_owned());
    }

    /// A user's answer; `was_winner` says whether the user was told a ticket before it asked.
    pub fn answered(&self, user: &str, was_winner: bool, answer: &Answer) {
        let mut told = self.told();
        if answer.status == StatusCode::OK {
            *told.answers.entry("ticket".to_owned()).or_default() += 1;
            let ticket = answer.json()["ticket"].clone();
            match told.tickets.get(user) {
                Some(before) if *before != ticket => {
                    let sentence = format!("{user} was told {before}, then {ticket} (I10)");
                    told.broken.push(sentence);
                }
                Some(_) => {}
                None => drop(told.tickets.insert(user.to_owned(), ticket)),
            }
            return;
        }
        let code = answer.code();
        *told.answers.entry(code.clone()).or_default() += 1;
        // A server that stood still meanwhile may say 408: it did not read who asks.
        let may_refuse_a_winner =
            [StatusCode::SERVICE_UNAVAILABLE, StatusCode::REQUEST_TIMEOUT].contains(&answer.status);
        let is_cancelled = code == "ticket_cancelled"
            && told
                .tickets
                .get(user)
                .and_then(|ticket| ticket["id"].as_str())
                .is_some_and(|ticket| told.maybe_cancelled.contains(ticket));
        if was_winner && !may_refuse_a_winner && !is_cancelled {
            told.broken.push(format!("{user} holds a ticket and was told {code} (I10)"));
        }
        if answer.status == StatusCode::NOT_FOUND {
            told.broken.push(format!("{user} was told {code}"));
        }
    }

    /// What was counted, in one line.
    pub fn summary(&self) -> String {
        let told = self.told();
        format!(
            "{} users, {} tickets told, {} cancelled; answers {:?}",
            told.users.len(),
            told.tickets.len(),
            told.cancelled.len(),
            told.answers
        )
    }

    /// Everything that was told is a row, once, without holes, and the balance is right.
    pub async fn assert_kept(&self, server: &Server, coupon: &str) {
        eventually_holds("every record is persisted", async || {
            let stats = server.stats(coupon).await;
            stats["backlog"] == 0 && stats["shard_records"] == 0
        })
        .await;
        let stats = server.stats(coupon).await;
        assert_eq!(stats["ok"], true, "{stats}");
        assert_eq!(stats["contested"], 0, "{stats} (I9)");
        let number = |name: &str| stats[name].as_u64().unwrap();
        assert!(number("issued") - number("returned") <= number("total"), "{stats} (I1)");
        let rows = winners(server, coupon).await;
        assert_eq!(rows.len() as u64, number("issued"), "{stats} (I3)");
        let told = self.told();
        assert!(told.broken.is_empty(), "{:#?}", told.broken);
        let mut users = HashSet::new();
        for (row, serial) in rows.iter().zip(1_u64..) {
            assert_eq!(row["serial"], serial, "a hole, or a serial that was given twice (I5)");
            assert!(users.insert(row["user_id"].as_str().unwrap()), "two rows: {row} (I2)");
            let id = row["id"].as_str().unwrap();
            let is_cancelled = row["status"] == "cancelled";
            assert!(is_cancelled || !told.cancelled.contains(id), "not cancelled: {row}");
            assert!(!is_cancelled || told.maybe_cancelled.contains(id), "nobody cancelled {row}");
        }
        let rows: HashMap<&str, &Value> =
            rows.iter().map(|row| (row["user_id"].as_str().unwrap(), row)).collect();
        for (user, ticket) in &told.tickets {
            let row = rows.get(user.as_str()).unwrap_or_else(|| panic!("{user} lost it (I3)"));
            let mut row = (*row).clone();
            row.as_object_mut().unwrap().remove("status");
            assert_eq!(row, *ticket, "the ticket told is the row (I10)");
        }
        assert!(!told.tickets.is_empty(), "nobody won anything");
    }
}
