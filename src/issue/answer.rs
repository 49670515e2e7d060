//! Turns the script's answer to one user into the outcome of the request.

use crate::domain::code::CodeKey;
use crate::domain::coupon::CouponId;
use crate::domain::generation::Durability;
use crate::domain::issued_ticket::IssuedTicket;
use crate::domain::outcome::Outcome;
use crate::domain::ticket::Ticket;
use crate::domain::user::{Claim, UserId};
use crate::lua::issue::{Answer, Answered};
use crate::redis::holders::HeldTicket;

/// The script's answer to one user as an outcome. Code and receipt are computed here, before the
/// user gets the answer, from the same fields that the record has (I10, P3 step 2).
pub(super) fn of_answer(
    answer: Answer,
    answered: &Answered,
    key: &CodeKey,
    coupon_id: &CouponId,
    (user_id, claim): (UserId, Claim),
    durability: Durability,
) -> Outcome {
    let told = |held: HeldTicket| {
        let ticket = Ticket {
            coupon_id: coupon_id.clone(),
            epoch: held.epoch,
            serial: held.serial,
            user_id,
            claim,
            issued_at: held.issued_at,
        };
        let code_and_receipt = key.code_and_receipt(&ticket);
        let expires_at = ticket.expires_at(answered.valid_for);
        Box::new(IssuedTicket { ticket, code_and_receipt, expires_at, status: None })
    };
    match answer {
        Answer::Issued(held) => Outcome::Issued { ticket: told(held), durability },
        Answer::Replayed(held) => Outcome::Replayed { ticket: told(held), durability },
        Answer::Cancelled(_) => Outcome::TicketCancelled,
        Answer::SoldOut => Outcome::SoldOut { total: answered.total },
        Answer::NotOpen => {
            let (opens_at, opens_in_ms) = answered.opening();
            Outcome::NotOpen { opens_at, opens_in_ms }
        }
        Answer::Closed => Outcome::Closed,
        Answer::Paused => Outcome::Paused,
        Answer::Limit => Outcome::UserLimitReached { per_user_limit: answered.per_user_limit },
        Answer::BacklogFull => Outcome::BacklogFull,
    }
}
