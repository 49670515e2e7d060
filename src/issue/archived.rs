//! Requests for a coupon that is archived: its tickets are in the database only (P2 step 14).

use super::queue::Group;
use crate::domain::code::CodeKeys;
use crate::domain::coupon::Coupon;
use crate::domain::generation::Durability;
use crate::domain::issued_ticket::IssuedTicket;
use crate::domain::outcome::Outcome;
use crate::domain::ticket::Status;
use crate::domain::user::{Claim, UserId};
use crate::store::Store;

/// Answers each request as a closed coupon does: a holder gets the same ticket again (I10), nobody
/// else gets one.
pub(super) async fn answer(
    group: Group,
    coupon: &Coupon,
    store: &dyn Store,
    keys: &CodeKeys,
    durability: Durability,
) {
    for ((user_id, claim), waiting) in group.holders.into_iter().zip(group.waiting) {
        waiting.answer(outcome(coupon, store, keys, durability, (user_id, claim)).await);
    }
}

async fn outcome(
    coupon: &Coupon,
    store: &dyn Store,
    keys: &CodeKeys,
    durability: Durability,
    (user_id, claim): (UserId, Claim),
) -> Outcome {
    let row = match store.ticket_of(&coupon.definition.id, &user_id, claim).await {
        Ok(Some(row)) => row,
        Ok(None) => return Outcome::Closed,
        Err(error) => {
            tracing::warn!(%error, "a ticket of an archived coupon cannot be looked up");
            return Outcome::Recovering;
        }
    };
    if row.status == Status::Cancelled {
        return Outcome::TicketCancelled;
    }
    let Some(key) = keys.find(&coupon.key_id) else {
        tracing::error!(coupon.id = %coupon.definition.id, key.id = %coupon.key_id, "no such key");
        return Outcome::Recovering;
    };
    let code_and_receipt = key.code_and_receipt(&row.ticket);
    let expires_at = row.ticket.expires_at(coupon.definition.valid_for);
    let ticket = IssuedTicket { ticket: row.ticket, code_and_receipt, expires_at, status: None };
    Outcome::Replayed { ticket: Box::new(ticket), durability }
}
