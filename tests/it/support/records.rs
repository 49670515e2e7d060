//! Decodes a record of the stream.

use firstcome::domain::record::Record;
use firstcome::domain::ticket::{Serial, Ticket};

/// The tickets of a record, in the order of their serials.
pub fn tickets_of(record: &Record) -> impl Iterator<Item = Ticket> + '_ {
    (record.first_serial.0..).zip(&record.holders).map(|(serial, (user_id, claim))| Ticket {
        coupon_id: record.coupon_id.clone(),
        epoch: record.epoch,
        serial: Serial(serial),
        user_id: user_id.clone(),
        claim: *claim,
        issued_at: record.issued_at,
    })
}
