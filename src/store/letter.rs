//! A dead letter that should be written, and its id.

use sha2::{Digest as _, Sha256};

use super::batch::NewTicket;
use super::error::Error;
use crate::domain::limits::REASON_MAX_CHARS;
use crate::domain::record::{Record, Undecodable};

/// A dead letter that should be written.
#[derive(Debug)]
pub(super) struct NewLetter<'a> {
    pub(super) id: String,
    /// `None` for a whole record.
    pub(super) ticket: Option<NewTicket<'a>>,
    pub(super) raw: Vec<u8>,
    pub(super) class: String,
    pub(super) reason: String,
}

impl<'a> NewLetter<'a> {
    /// A whole record that cannot be decoded. Each entry of a stream is one of its own.
    pub(super) fn undecodable(one: &Undecodable) -> Self {
        let reason = format!("{}: {}", one.place, one.malformed);
        Self::new(&one.place, None, one.raw.clone(), "undecodable", &reason)
    }

    /// A whole record with a number that no column can hold.
    pub(super) fn unfit(record: &Record) -> Self {
        Self::new("", None, record.encode().into_bytes(), "unfit", "a number fits no column")
    }

    /// A ticket that the database refuses. If it is so wrong that no record can have it, it has no
    /// ticket either: it can never become one again.
    pub(super) fn refused(ticket: NewTicket<'a>, error: &Error) -> Self {
        Self::of_ticket(ticket, &error.class(), &error.to_string())
    }

    /// A ticket of a record that persisters did not survive.
    pub(super) fn deadly(ticket: NewTicket<'a>) -> Self {
        Self::of_ticket(ticket, "deadly", "each persister that wrote its record died")
    }

    fn of_ticket(ticket: NewTicket<'a>, class: &str, reason: &str) -> Self {
        let raw = ticket.record().encode();
        let is_whole = Record::decode(&raw).is_ok();
        let ticket = is_whole.then_some(ticket);
        Self::new("", ticket, raw.into_bytes(), class, reason)
    }

    fn new(
        place: &str,
        ticket: Option<NewTicket<'a>>,
        raw: Vec<u8>,
        class: &str,
        reason: &str,
    ) -> Self {
        let mut hash = Sha256::new();
        hash.update(place);
        hash.update([0]);
        hash.update(&raw);
        let id = data_encoding::HEXLOWER.encode(&hash.finalize()[..16]);
        // PostgreSQL stores no null character.
        let reason = reason.replace('\0', " ").chars().take(REASON_MAX_CHARS).collect();
        Self { id, ticket, raw, class: class.to_owned(), reason }
    }
}
