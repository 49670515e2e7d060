//! A ticket with all that its user is told of it: at the issue, in a look-up, in an export (I10).

use serde::Serialize;

use super::code::CodeAndReceipt;
use super::coupon::CouponId;
use super::ticket::{Serial, Status, Ticket, TicketId};
use super::time::UnixMs;

/// A ticket with all that is derived from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuedTicket {
    /// What was issued.
    pub ticket: Ticket,
    /// Its code and receipt.
    pub code_and_receipt: CodeAndReceipt,
    /// When it stops being valid.
    pub expires_at: Option<UnixMs>,
    /// Where it stands. `None` at the issue: what a user is told there never changes, and a status
    /// does.
    pub status: Option<Status>,
}

impl IssuedTicket {
    /// Its form on the wire.
    pub fn body(&self) -> TicketBody<'_> {
        let Self { ticket, code_and_receipt, expires_at, status } = self;
        TicketBody {
            id: ticket.id(),
            coupon_id: &ticket.coupon_id,
            user_id: ticket.user_id.as_str(),
            serial: ticket.serial,
            claim: ticket.claim.number(),
            code: &code_and_receipt.code,
            receipt: &code_and_receipt.receipt,
            issued_at: ticket.issued_at,
            expires_at: *expires_at,
            status: *status,
        }
    }
}

/// The fields of a ticket on the wire.
#[derive(Debug, Serialize)]
pub struct TicketBody<'a> {
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
    /// Where it stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
}
