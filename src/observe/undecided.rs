//! The sentences about tickets that have no rows and wait for a decision.

use crate::domain::ticket::TicketId;

/// A sentence about dead letters that nobody has decided, if there are any.
pub(super) fn of_dead_letters(letters: u64) -> Option<String> {
    let are = if letters == 1 { "dead letter waits" } else { "dead letters wait" };
    (letters > 0).then(|| {
        format!(
            "{letters} {are} for a decision: tickets or records that could not become rows, in the \
             table dead_letters"
        )
    })
}

/// A sentence about contested tickets. This must never happen: two users were told of the same
/// ticket (I2, I5).
pub(super) fn of_contested((tickets, first): &(u64, TicketId)) -> String {
    let are = if *tickets == 1 { "ticket is" } else { "tickets are" };
    format!(
        "{tickets} {are} contested: the row of another ticket exists instead; the first one is \
         {first}"
    )
}
