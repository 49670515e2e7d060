//! A ticket with everything that users see of it: at the issue, in a look-up, in an export (I10).

use serde::Serialize;

use super::code::CodeAndReceipt;
use super::coupon::CouponId;
use super::ticket::{Serial, Status, Ticket, TicketId};
use super::time::UnixMs;

/// A ticket with everything that is derived from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuedTicket {
    pub ticket: Ticket,
    pub code_and_receipt: CodeAndReceipt,
    pub expires_at: Option<UnixMs>,
    /// `None` at the issue: the answer there must be the same for ever, and a status changes.
    pub status: Option<Status>,
}

impl IssuedTicket {
    /// Its JSON form.
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

/// The fields of a ticket in JSON.
#[derive(Debug, Serialize)]
pub struct TicketBody<'a> {
    /// `<coupon_id>.<serial>`.
    pub id: TicketId,
    pub coupon_id: &'a CouponId,
    pub user_id: &'a str,
    pub serial: Serial,
    /// Which of the holder's tickets it is.
    pub claim: u8,
    /// The code that redeems it.
    pub code: &'a str,
    /// Proof that this ticket was issued.
    pub receipt: &'a str,
    pub issued_at: UnixMs,
    pub expires_at: Option<UnixMs>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
}
