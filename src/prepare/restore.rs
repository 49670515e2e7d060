//! A user shows a ticket that no store has. Its receipt proves that the user was told of it.

use std::sync::Arc;

use serde::Deserialize;

use super::act::Acts;
use super::refusal::Refusal;
use super::request::Request;
use crate::domain::act::Change;
use crate::domain::code::CodeKeys;
use crate::domain::coupon::CouponId;
use crate::domain::ticket::{Serial, Ticket, TicketId};
use crate::domain::time::UnixMs;
use crate::domain::user::{Claim, UserId};
use crate::domain::who::Who;

/// A ticket as its user got it; the fields that the others follow from are left out.
#[derive(Debug, Clone, Deserialize)]
pub struct ReceivedTicket {
    coupon_id: String,
    user_id: String,
    serial: u64,
    claim: u8,
    issued_at: UnixMs,
    receipt: String,
}

impl ReceivedTicket {
    /// The ticket without its epoch, which a user does not see; `None` when it cannot be one.
    fn ticket(&self) -> Option<Ticket> {
        Some(Ticket {
            coupon_id: CouponId::parse(&self.coupon_id)?,
            epoch: 1,
            serial: Serial::parse(&self.serial.to_string())?,
            user_id: UserId::parse(&self.user_id)?,
            claim: Claim::new(self.claim)?,
            issued_at: self.issued_at,
        })
    }
}

/// Gives the user this ticket again, from the withheld stock.
pub(super) async fn restore(
    acts: &Acts,
    keys: &Arc<CodeKeys>,
    received: &ReceivedTicket,
    who: Who,
) -> Result<TicketId, Refusal> {
    let ticket = received.ticket().ok_or(Refusal::TicketNotFound)?;
    let coupon = acts.coupon(&ticket.coupon_id).await?;
    let lacks_key = Refusal::Recovering("this server lacks the coupon's code key");
    let key = keys.find(&coupon.key_id).ok_or(lacks_key)?;
    let last = acts.store.last_generation().await?.map_or(1, |last| last.epoch);
    let is_proven =
        |ticket: &Ticket| key.code_and_receipt(ticket).receipt == received.receipt.to_lowercase();
    let of_epoch = |epoch| Ticket { epoch, ..ticket.clone() };
    let ticket = (1..=last).rev().map(of_epoch).find(is_proven).ok_or(Refusal::TicketNotFound)?;
    let change = Change::Restore {
        epoch: ticket.epoch,
        serial: ticket.serial.0,
        user_id: ticket.user_id.to_string(),
        claim: ticket.claim.number(),
        issued_at_ms: ticket.issued_at.0,
    };
    acts.act(&ticket.coupon_id, change, &Request::by(who)).await?;
    Ok(ticket.id())
}
