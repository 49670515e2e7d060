//! A ticket as it is shown and exported: the fields that its user was told, and where it stands
//! (I10).

use serde::Serialize;

use super::code::Proof;
use super::coupon::CouponId;
use super::ticket::{Serial, Status, Ticket, TicketId};
use super::time::UnixMs;

/// The fields of a ticket on the wire.
#[derive(Debug, Serialize)]
pub struct Told<'a> {
    /// `<coupon_id>.<serial>`.
    pub id: TicketId,
    /// Its coupon.
    pub coupon_id: &'a CouponId,
    /// Who holds it.
    pub user_id: &'a str,
    /// Its order number.
    pub serial: Serial,
    /// Which of the holder's tickets it is.
    pub claim: u8,
    /// What it is redeemed with.
    pub code: &'a str,
    /// What proves that it was told.
    pub receipt: &'a str,
    /// When it was issued.
    pub issued_at: UnixMs,
    /// When it stops being valid.
    pub expires_at: Option<UnixMs>,
    /// Where it stands. An issue does not tell it: what a user is told never changes, and a status
    /// does.
    pub status: Status,
}

impl<'a> Told<'a> {
    /// The fields of this ticket.
    pub fn of(
        ticket: &'a Ticket,
        proof: &'a Proof,
        expires_at: Option<UnixMs>,
        status: Status,
    ) -> Self {
        Self {
            id: ticket.id(),
            coupon_id: &ticket.coupon_id,
            user_id: ticket.user_id.as_str(),
            serial: ticket.serial,
            claim: ticket.claim.number(),
            code: &proof.code,
            receipt: &proof.receipt,
            issued_at: ticket.issued_at,
            expires_at,
            status,
        }
    }
}
