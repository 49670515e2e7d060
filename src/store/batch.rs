//! What the persister writes at once, and the comparison when not all of it is inserted (I9).

use std::collections::HashMap;

use super::error::Result;
use super::rows::{StoredTicket, stored};
use crate::domain::coupon::CouponId;
use crate::domain::record::Record;
use crate::domain::ticket::{Serial, TicketId};
use crate::domain::time::UnixMs;
use crate::domain::user::{Claim, UserId};

/// What one transaction of the persister did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Persisted {
    pub inserted: u64,
    /// Tickets whose row existed before, equal in every field (I9).
    pub replayed: u64,
    /// Tickets that conflict with a different row; they are listed in `contested` now.
    pub contested: Vec<TicketId>,
    /// The ids of the dead letters that were written, or were there before.
    pub parked: Vec<String>,
}

/// A ticket that should become a row. The order of the fields is the order of the rows: all
/// writers insert by epoch and key, so that two with the same batch wait for each other instead of
/// a deadlock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct NewTicket<'a> {
    pub(super) epoch: i32,
    pub(super) coupon_id: &'a CouponId,
    pub(super) serial: i64,
    pub(super) user_id: &'a UserId,
    pub(super) claim: i16,
    pub(super) issued_at_ms: i64,
    pub(super) source: &'a str,
}

impl NewTicket<'_> {
    /// A record of this ticket alone.
    pub(super) fn record(&self) -> Record {
        Record {
            coupon_id: self.coupon_id.clone(),
            epoch: self.epoch.unsigned_abs(),
            first_serial: Serial(self.serial.unsigned_abs()),
            issued_at: UnixMs(self.issued_at_ms),
            source: self.source.to_owned(),
            holders: u8::try_from(self.claim)
                .ok()
                .and_then(Claim::new)
                .map(|claim| (self.user_id.clone(), claim))
                .into_iter()
                .collect(),
        }
    }

    fn id(&self) -> TicketId {
        TicketId { coupon_id: self.coupon_id.clone(), serial: Serial(self.serial.unsigned_abs()) }
    }

    fn has_holder(&self, row: &StoredTicket) -> bool {
        self.user_id.as_str() == row.user_id && i64::from(self.claim) == row.claim
    }

    /// Whether the row has exactly this ticket, cancelled or not.
    fn equals(&self, row: &StoredTicket) -> bool {
        self.coupon_id.as_str() == row.coupon_id
            && self.serial == row.serial
            && i64::from(self.epoch) == row.epoch
            && self.has_holder(row)
            && self.issued_at_ms == row.issued_at_ms
            && self.source == row.source
    }
}

/// A ticket that conflicts with a different row, and the word for the reason.
#[derive(Debug, Clone, Copy)]
pub(super) struct Contested<'a> {
    pub(super) ticket: NewTicket<'a>,
    pub(super) reason: &'static str,
}

/// The distinct tickets of these records in the order of epoch and key. The stream may deliver a
/// ticket twice in one batch; the list has it once.
///
/// # Errors
/// [`super::Error::Data`] for a number that does not fit its column.
pub(super) fn tickets_of(records: &[Record]) -> Result<Vec<NewTicket<'_>>> {
    let mut tickets = Vec::with_capacity(records.iter().map(|record| record.holders.len()).sum());
    for record in records {
        let epoch = stored(record.epoch)?;
        let first_serial: i64 = stored(record.first_serial.0)?;
        for (position, (user_id, claim)) in (0_i64..).zip(&record.holders) {
            tickets.push(NewTicket {
                epoch,
                coupon_id: &record.coupon_id,
                // A serial that saturates is too large for its column, which refuses it.
                serial: first_serial.saturating_add(position),
                user_id,
                claim: i16::from(claim.number()),
                issued_at_ms: record.issued_at.0,
                source: &record.source,
            });
        }
    }
    tickets.sort_unstable();
    tickets.dedup();
    Ok(tickets)
}

/// Whether the numbers of a record fit the columns of its tickets.
pub(super) fn fits(record: &Record) -> bool {
    i32::try_from(record.epoch).is_ok() && i64::try_from(record.first_serial.0).is_ok()
}

/// Compares tickets with the rows that have their keys. Returns those that conflict with a
/// different row, and those whose key has no row: these conflict with a row of the same (user,
/// coupon, claim).
pub(super) fn compare_by_key<'a>(
    tickets: &[NewTicket<'a>],
    rows: &[StoredTicket],
) -> (Vec<Contested<'a>>, Vec<NewTicket<'a>>) {
    let rows: HashMap<_, _> =
        rows.iter().map(|row| ((row.coupon_id.as_str(), row.serial), row)).collect();
    let mut contested = Vec::new();
    let mut without_row = Vec::new();
    for ticket in tickets {
        match rows.get(&(ticket.coupon_id.as_str(), ticket.serial)) {
            None => without_row.push(*ticket),
            Some(row) if ticket.equals(row) => {}
            Some(row) => {
                let reason = if ticket.has_holder(row) { "fields_differ" } else { "serial_taken" };
                contested.push(Contested { ticket: *ticket, reason });
            }
        }
    }
    (contested, without_row)
}

/// The result of a committed batch.
pub(super) fn account(records: &[Record], inserted: i64, contested: &[Contested<'_>]) -> Persisted {
    let came: usize = records.iter().map(|record| record.holders.len()).sum();
    let inserted = inserted.unsigned_abs();
    let contested: Vec<_> = contested.iter().map(|one| one.ticket.id()).collect();
    let replayed = (came as u64).saturating_sub(inserted + contested.len() as u64);
    Persisted { inserted, replayed, contested, parked: Vec::new() }
}
