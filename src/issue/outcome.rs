//! How a request of the issue path ends. A refusal is an answer, not an error.

use crate::domain::code::{CodeKey, Proof};
use crate::domain::coupon::CouponId;
use crate::domain::generation::Durability;
use crate::domain::ticket::Ticket;
use crate::domain::time::UnixMs;
use crate::domain::user::{Claim, UserId};
use crate::lua::issue::{Answer, Answered};
use crate::redis::holders::Holding;
use crate::telemetry::metrics::IssueOutcome;

/// A ticket as it is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issued {
    /// What was issued.
    pub ticket: Ticket,
    /// Its code and receipt.
    pub proof: Proof,
    /// When it stops being valid.
    pub expires_at: Option<UnixMs>,
    /// Whether the user held it already.
    pub is_replay: bool,
    /// What this answer survives: the durability level in force.
    pub durability: Durability,
}

/// How a request ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The user has this ticket.
    Issued(Box<Issued>),
    /// The user's ticket was cancelled, and its claim is spent.
    TicketCancelled,
    /// All tickets are taken.
    SoldOut {
        /// Tickets in all.
        total: u64,
    },
    /// The window is not open yet.
    NotOpen {
        /// When it opens.
        opens_at: UnixMs,
        /// How long until then by the clock of Redis, in milliseconds.
        opens_in_ms: u64,
    },
    /// The window is over, or the coupon was closed.
    Closed,
    /// Issuing is interrupted.
    Paused,
    /// The claim lies above the limit per user.
    UserLimitReached,
    /// There is no such coupon.
    CouponNotFound,
    /// It may have been issued; asking again tells, exactly.
    OutcomeUnknown,
    /// Nothing happened: too many requests wait.
    Overloaded,
    /// Nothing happened: Redis is not proven to have its data, or the coupon's key is not here.
    Recovering,
    /// Nothing happened: too many tickets wait for the database.
    BacklogFull,
}

impl Outcome {
    /// The label under which it is counted.
    pub fn counted(&self) -> IssueOutcome {
        match self {
            Self::Issued(issued) if issued.is_replay => IssueOutcome::Replayed,
            Self::Issued(_) => IssueOutcome::Issued,
            Self::TicketCancelled => IssueOutcome::TicketCancelled,
            Self::SoldOut { .. } => IssueOutcome::SoldOut,
            Self::NotOpen { .. } => IssueOutcome::NotOpen,
            Self::Closed => IssueOutcome::Closed,
            Self::Paused => IssueOutcome::Paused,
            Self::UserLimitReached => IssueOutcome::UserLimitReached,
            Self::CouponNotFound => IssueOutcome::CouponNotFound,
            Self::OutcomeUnknown => IssueOutcome::OutcomeUnknown,
            Self::Overloaded => IssueOutcome::Overloaded,
            Self::Recovering => IssueOutcome::Recovering,
            Self::BacklogFull => IssueOutcome::BacklogFull,
        }
    }
}

/// The script's answer to one user as an outcome. Code and receipt are made here, before the user
/// is told, from the fields that the record carries too (I10, P3 step 2).
pub(super) fn of_answer(
    answer: Answer,
    answered: &Answered,
    key: &CodeKey,
    coupon_id: &CouponId,
    (user_id, claim): (UserId, Claim),
    durability: Durability,
) -> Outcome {
    let told = |holding: Holding, is_replay: bool| {
        let ticket = Ticket {
            coupon_id: coupon_id.clone(),
            epoch: holding.epoch,
            serial: holding.serial,
            user_id,
            claim,
            issued_at: holding.issued_at,
        };
        let proof = key.proof(&ticket);
        let expires_at = ticket.expires_at(answered.valid_for);
        Outcome::Issued(Box::new(Issued { ticket, proof, expires_at, is_replay, durability }))
    };
    match answer {
        Answer::Issued(holding) => told(holding, false),
        Answer::Replayed(holding) => told(holding, true),
        Answer::Cancelled(_) => Outcome::TicketCancelled,
        Answer::SoldOut => Outcome::SoldOut { total: answered.total },
        Answer::NotOpen => {
            let (opens_at, opens_in_ms) = answered.opening();
            Outcome::NotOpen { opens_at, opens_in_ms }
        }
        Answer::Closed => Outcome::Closed,
        Answer::Paused => Outcome::Paused,
        Answer::Limit => Outcome::UserLimitReached,
        Answer::BacklogFull => Outcome::BacklogFull,
    }
}
