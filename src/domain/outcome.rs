//! How a request for a ticket ends: the closed set of outcomes. A refusal is an answer, not an
//! error.

use strum::{EnumDiscriminants, VariantArray};

use super::generation::Durability;
use super::issued_ticket::IssuedTicket;
use super::time::UnixMs;

/// How a request ends, with the data of its answer.
#[derive(Debug, Clone, PartialEq, Eq, EnumDiscriminants)]
#[strum_discriminants(
    name(OutcomeWord),
    derive(VariantArray),
    doc = "How a request ends: a label of the metrics, and the error code of a refusal."
)]
pub enum Outcome {
    /// The user gets a new ticket.
    Issued {
        ticket: Box<IssuedTicket>,
        /// The durability level in force: which crashes this answer survives.
        durability: Durability,
    },
    /// The user got this ticket before.
    Replayed {
        ticket: Box<IssuedTicket>,
        /// As for a new ticket.
        durability: Durability,
    },
    /// The user's ticket was cancelled; its claim cannot be used again.
    TicketCancelled,
    /// All tickets are taken.
    SoldOut {
        total: u64,
    },
    /// The window is not open yet.
    NotOpen {
        opens_at: UnixMs,
        /// How long until then by the clock of Redis, in milliseconds.
        opens_in_ms: u64,
    },
    /// The window is over, or the coupon was closed.
    Closed,
    Paused,
    /// The claim is above the limit per user.
    UserLimitReached {
        per_user_limit: u8,
    },
    CouponNotFound,
    /// The ticket may have been issued; asking again gives the exact answer.
    OutcomeUnknown,
    /// Nothing happened: too many requests wait.
    Overloaded,
    /// Nothing happened: Redis may lack data, or this server lacks the coupon's code key.
    Recovering,
    /// Nothing happened: too many tickets wait for the database.
    BacklogFull,
}

impl OutcomeWord {
    /// The word, the HTTP status, a title, and after how many seconds asking again may help.
    pub fn row(self) -> (&'static str, u16, &'static str, Option<u64>) {
        match self {
            Self::Issued => ("issued", 200, "Issued", None),
            Self::Replayed => ("replayed", 200, "Issued before", None),
            Self::TicketCancelled => ("ticket_cancelled", 409, "Ticket cancelled", None),
            Self::SoldOut => ("sold_out", 409, "Sold out", None),
            Self::NotOpen => ("not_open", 409, "Not open yet", Some(1)),
            Self::Closed => ("closed", 409, "Closed", None),
            Self::Paused => ("paused", 409, "Paused", Some(5)),
            Self::UserLimitReached => ("user_limit_reached", 409, "Limit per user reached", None),
            Self::CouponNotFound => ("coupon_not_found", 404, "No such coupon", None),
            Self::OutcomeUnknown => ("outcome_unknown", 503, "Outcome unknown", Some(1)),
            Self::Overloaded => ("overloaded", 503, "Overloaded", Some(1)),
            Self::Recovering => ("recovering", 503, "Recovering", Some(2)),
            Self::BacklogFull => ("backlog_full", 503, "Backlog full", Some(5)),
        }
    }

    /// The word alone.
    pub fn word(self) -> &'static str {
        self.row().0
    }
}
