//! Why a change was not made, by what the caller can do about it.

use std::sync::Arc;

use crate::domain::act_refusal::ActRefusal;
use crate::domain::dead_letter::Verdict;
use crate::domain::doubt::Doubt;
use crate::domain::limits::TOTAL_MAX;
use crate::{redis, store};

/// A change that was not made. Unless the variant says otherwise, nothing was changed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Refusal {
    /// Fields are out of bounds: (JSON pointer, detail).
    #[error("{}", sentence(_0))]
    Invalid(Vec<(&'static str, String)>),
    #[error("a coupon with this id exists")]
    Exists,
    /// There is no such coupon, or it is a draft and the change is for live coupons.
    #[error("there is no such coupon")]
    CouponNotFound,
    #[error("there is no such ticket")]
    TicketNotFound,
    #[error("there is no such dead letter")]
    DeadLetterNotFound,
    #[error("the dead letter was {} before", _0.word())]
    AlreadyDecided(Verdict),
    /// A dead letter whose ticket cannot be a row: the reason.
    #[error("it still cannot be a row: {0}")]
    StillRefused(String),
    #[error("the ticket is not in the database yet")]
    InProgress,
    #[error("only a draft can be deleted")]
    NotDraft,
    /// A live coupon's total changes only by restock, and its validity never.
    #[error(
        "total and valid_for change in a draft only; change the total of a live coupon by restock"
    )]
    UseRestock,
    #[error("this Idempotency-Key was used for another change of this coupon")]
    KeyReused,
    /// The coupon changed after the caller read it.
    #[error("the coupon is at version {current}, not {seen}")]
    VersionConflict {
        /// The version that the caller expected.
        seen: u64,
        /// The present version.
        current: u64,
    },
    /// The total cannot go below the tickets that are out.
    #[error("the total cannot go below {}", lowest(*out))]
    BelowIssued {
        /// Tickets that users have: issued and not returned.
        out: u64,
    },
    #[error("the total would be {total}; it can be at most {TOTAL_MAX}")]
    TotalTooLarge { total: u64 },
    #[error("the coupon is closed, which cannot be undone")]
    AlreadyClosed,
    #[error("the coupon is archived; nothing of it changes any more")]
    Archived,
    /// A ticket that a user shows cannot be given again.
    #[error("no stock of the coupon is withheld, or the user has a ticket of this claim")]
    NotRestored,
    /// A pause went to Redis before its row, and may be later than this resume: it stays in force.
    #[error("the coupon was paused meanwhile; resume it again if you still want that")]
    Superseded,
    /// Redis has acts of the coupon that the database lost. Only pause and close are possible. The
    /// act may stay intended.
    #[error("Redis has changes of this coupon that the database lost; pause and close still work")]
    Diverged,
    /// Other acts of the coupon kept coming; a retry may help.
    #[error("another change of this coupon is in progress")]
    ActInProgress,
    /// It is not proven that Redis has its data. The act may stay intended, and is applied once
    /// Redis is proven.
    #[error("Redis is not proven to have its data: {0}")]
    Unproven(Doubt),
    /// It is not proven that Redis has all data of this coupon. The act may stay intended.
    #[error("Redis is not proven to have its data: {0}")]
    Recovering(&'static str),
    /// The database did not answer. The act may stay intended; the relay then applies it.
    #[error(transparent)]
    Store(Arc<store::Error>),
    /// Redis did not answer. The act stays intended; the relay applies it.
    #[error(transparent)]
    Redis(Arc<redis::Error>),
}

/// The lowest possible total, with the reason.
fn lowest(out: u64) -> String {
    match out {
        0 => "1".to_owned(),
        1 => "1: a user has a ticket".to_owned(),
        out => format!("{out}: users have that many tickets"),
    }
}

/// The fields by their names, with the fault of each.
fn sentence(faults: &[(&'static str, String)]) -> String {
    let name = |pointer: &str| pointer.trim_start_matches('/').replace('/', ".");
    let faults = faults.iter().map(|(pointer, detail)| format!("{} {detail}", name(pointer)));
    faults.collect::<Vec<_>>().join("; ")
}

impl From<ActRefusal> for Refusal {
    fn from(refusal: ActRefusal) -> Self {
        match refusal {
            ActRefusal::BelowIssued { out } => Self::BelowIssued { out },
            ActRefusal::TotalTooLarge { total } => Self::TotalTooLarge { total },
            ActRefusal::AlreadyClosed => Self::AlreadyClosed,
            ActRefusal::NotRestored => Self::NotRestored,
            ActRefusal::Superseded => Self::Superseded,
        }
    }
}

impl From<store::Error> for Refusal {
    fn from(error: store::Error) -> Self {
        Self::Store(Arc::new(error))
    }
}

impl From<redis::Error> for Refusal {
    fn from(error: redis::Error) -> Self {
        Self::Redis(Arc::new(error))
    }
}

impl Refusal {
    /// Whether acts of other coupons would fail in the same way. A damaged coupon has faults of
    /// its own.
    pub(super) fn concerns_all(&self) -> bool {
        match self {
            Self::Store(error) => error.is_away(),
            Self::Redis(error) => error.doubts_connection(),
            _ => false,
        }
    }

    /// Whether a pause or close is refused for a reason that stays, not only delayed.
    pub(super) fn is_final(&self) -> bool {
        matches!(
            self,
            Self::Invalid(_)
                | Self::KeyReused
                | Self::VersionConflict { .. }
                | Self::AlreadyClosed
                | Self::Archived
        )
    }
}
