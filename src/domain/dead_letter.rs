//! Dead letters: tickets that the database refused, and records that cannot be decoded.

use serde::Serialize;
use strum::{EnumString, IntoStaticStr};

use super::record::Record;
use super::ticket::{Ticket, TicketId};
use super::time::UnixMs;
use super::who::Who;

/// What was decided about a dead letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, EnumString, IntoStaticStr)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Verdict {
    /// Its ticket was inserted again, and became a row.
    Replayed,
    /// Its ticket is a cancelled row, and its stock was returned.
    Dropped,
}

impl Verdict {
    /// The word in rows and bodies.
    pub fn word(self) -> &'static str {
        self.into()
    }
}

/// What was decided, why, by whom and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Decision {
    pub decision: Verdict,
    /// The reason of whoever dropped it.
    pub because: Option<String>,
    pub who: Who,
    pub decided_at: UnixMs,
}

/// A ticket that the database refused, or a record that cannot be decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// 32 hex digits, made from its content: what is parked twice is one dead letter.
    pub id: String,
    /// The id of its ticket; `None` for a whole record.
    pub ticket_id: Option<TicketId>,
    /// A record of one ticket, or whatever the entry of the stream had.
    pub raw: Vec<u8>,
    /// The SQL state or the code of the database's error, or `undecodable`, `unfit` or `corrupt`.
    pub class: String,
    pub reason: String,
    pub parked_at: UnixMs,
    pub decision: Option<Decision>,
}

impl DeadLetter {
    /// The record of its only ticket; `None` for a whole record.
    pub fn record(&self) -> Option<Record> {
        self.ticket_id.as_ref()?;
        Record::decode(std::str::from_utf8(&self.raw).ok()?).ok()
    }

    /// Its ticket; `None` for a whole record.
    pub fn ticket(&self) -> Option<Ticket> {
        let record = self.record()?;
        let (user_id, claim) = record.holders.into_iter().next()?;
        Some(Ticket {
            coupon_id: record.coupon_id,
            epoch: record.epoch,
            serial: record.first_serial,
            user_id,
            claim,
            issued_at: record.issued_at,
        })
    }
}
