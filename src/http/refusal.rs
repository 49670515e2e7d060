//! The refusals of the verbs, as problems.

use super::problem::{Code, Problem};
use crate::domain::blame::Blame;
use crate::domain::outcome::OutcomeWord;
use crate::{observe, prepare, settle};

impl From<prepare::Refusal> for Problem {
    fn from(refusal: prepare::Refusal) -> Self {
        use prepare::Refusal;
        let detail = refusal.to_string();
        let code = match &refusal {
            Refusal::Invalid(_) => Code::ValidationFailed,
            Refusal::Exists => Code::CouponExists,
            Refusal::CouponNotFound => Code::Outcome(OutcomeWord::CouponNotFound),
            Refusal::TicketNotFound => Code::TicketNotFound,
            Refusal::DeadLetterNotFound => Code::DeadLetterNotFound,
            Refusal::AlreadyDecided(_) => Code::AlreadyDecided,
            Refusal::StillRefused(_) => Code::StillRefused,
            Refusal::InProgress => Code::InProgress,
            Refusal::NotDraft => Code::NotDraft,
            Refusal::UseRestock => Code::UseRestock,
            Refusal::KeyReused => Code::IdempotencyKeyReused,
            Refusal::VersionConflict { .. } => Code::VersionConflict,
            Refusal::BelowIssued { .. } => Code::BelowIssued,
            Refusal::TotalTooLarge { .. } => Code::TotalTooLarge,
            Refusal::AlreadyClosed => Code::AlreadyClosed,
            Refusal::Archived => Code::Archived,
            Refusal::NotRestored => Code::NotRestored,
            Refusal::Superseded => Code::Superseded,
            Refusal::Diverged => Code::Diverged,
            Refusal::ActInProgress => Code::ActInProgress,
            Refusal::Unproven(_) | Refusal::Recovering(_) => Code::Outcome(OutcomeWord::Recovering),
            Refusal::Store(error) => return of_the_store(error.blame(), detail),
            Refusal::Redis(_) => return unavailable(Code::RedisUnavailable, &detail),
        };
        let problem = Self::new(code, detail);
        match refusal {
            Refusal::Invalid(faults) => problem.with_faults(faults),
            _ => problem,
        }
    }
}

impl From<observe::Error> for Problem {
    fn from(error: observe::Error) -> Self {
        Self::from(&error)
    }
}

/// For an error that many callers share.
impl From<&observe::Error> for Problem {
    fn from(error: &observe::Error) -> Self {
        let detail = error.to_string();
        match error {
            observe::Error::CouponNotFound => {
                Self::new(Code::Outcome(OutcomeWord::CouponNotFound), detail)
            }
            observe::Error::Recovering => Self::new(Code::Outcome(OutcomeWord::Recovering), detail),
            observe::Error::Store(error) => of_the_store(error.blame(), detail),
            observe::Error::Redis(_) => unavailable(Code::RedisUnavailable, &detail),
        }
    }
}

impl From<settle::Error> for Problem {
    fn from(error: settle::Error) -> Self {
        let detail = error.to_string();
        match error {
            settle::Error::NotFound => Self::new(Code::TicketNotFound, detail),
            settle::Error::Recovering => Self::new(Code::Outcome(OutcomeWord::Recovering), detail),
            settle::Error::MissingKey(_) => {
                tracing::error!(%detail, "a ticket cannot be shown");
                Self::new(
                    Code::Outcome(OutcomeWord::Recovering),
                    "This server lacks the coupon's code key.",
                )
            }
            settle::Error::Busy => Self::new(Code::Outcome(OutcomeWord::Overloaded), detail),
            settle::Error::Export(_) => Self::new(Code::Internal, detail),
            settle::Error::Store(error) => of_the_store(error.blame(), detail),
            settle::Error::Redis(_) => unavailable(Code::RedisUnavailable, &detail),
        }
    }
}

/// A value that the database can never store, or a row that cannot be read, is no outage: a retry
/// would not help.
fn of_the_store(blame: Blame, detail: String) -> Problem {
    match blame {
        Blame::Value => Problem::new(Code::ValidationFailed, detail),
        Blame::Row => {
            tracing::error!(%detail, "a row cannot be read");
            Problem::new(Code::Internal, detail)
        }
        Blame::Outage => unavailable(Code::DatabaseUnavailable, &detail),
    }
}

/// The log gets the cause; a stranger learns only that the request was not at fault.
fn unavailable(code: Code, cause: &str) -> Problem {
    tracing::warn!(code = code.word(), cause, "a request could not be served");
    Problem::new(code, "The service cannot do this right now. Nothing was lost; retry later.")
}
