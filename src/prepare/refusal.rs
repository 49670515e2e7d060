//! Why a change was not made, by what the caller can do about it.

use std::sync::Arc;

use crate::domain::act_refusal::ActRefusal;
use crate::domain::doubt::Doubt;
use crate::domain::limits::TOTAL_MAX;
use crate::{redis, store};

/// A change that was not made. Unless the variant says otherwise, nothing was changed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Refusal {
    /// Fields are out of bounds: (JSON pointer, detail).
    #[error("{}", sentence(_0))]
    Invalid(Vec<(&'static str, String)>),
    /// The id is taken.
    #[error("a coupon with this id exists")]
    Exists,
    /// There is no such coupon, or it is a draft and the change is for live coupons.
    #[error("there is no such coupon")]
    CouponNotFound,
    /// There is no such ticket.
    #[error("there is no such ticket")]
    TicketNotFound,
    /// The ticket's row is not there yet.
    #[error("the ticket is not in the database yet")]
    InProgress,
    /// Only a draft can be deleted.
    #[error("only a draft can be deleted")]
    NotDraft,
    /// A live coupon's total changes by restock, and its validity not at all.
    #[error(
        "total and valid_for change in a draft only; change the total of a live coupon by restock"
    )]
    UseRestock,
    /// The idempotency key was used for another change.
    #[error("this Idempotency-Key was used for another change of this coupon")]
    KeyReused,
    /// The coupon changed since the caller looked.
    #[error("the coupon is at version {current}, not {seen}")]
    VersionConflict {
        /// What the caller saw.
        seen: u64,
        /// What it is.
        current: u64,
    },
    /// Stock can only go down to what is out.
    #[error("the total cannot go below {}", lowest(*out))]
    BelowIssued {
        /// Tickets that are out.
        out: u64,
    },
    /// The total would pass its bound.
    #[error("the total would be {total}; it can be at most {TOTAL_MAX}")]
    TotalTooLarge {
        /// What it would be.
        total: u64,
    },
    /// Closed is for good.
    #[error("the coupon is closed, which cannot be undone")]
    AlreadyClosed,
    /// A pause came before its row, and may be younger than this resume: it stays in force.
    #[error("the coupon was paused meanwhile; resume it again if you still want that")]
    Superseded,
    /// Redis has acts of the coupon that the database lost. It can be paused and closed only. The
    /// act may stand as intended.
    #[error("Redis has changes of this coupon that the database lost; pause and close still work")]
    Diverged,
    /// Other acts of the coupon kept coming; ask again.
    #[error("another change of this coupon is in progress")]
    ActInProgress,
    /// Redis is not proven to have its data. The act may stand as intended; it is then applied as
    /// soon as Redis is proven.
    #[error("Redis is not proven to have its data: {0}")]
    Unproven(Doubt),
    /// Redis is not proven to have all that belongs to this coupon. The act may stand as intended.
    #[error("Redis is not proven to have its data: {0}")]
    Recovering(&'static str),
    /// The database did not answer. The act may stand as intended; it is then applied by the relay.
    #[error(transparent)]
    Store(Arc<store::Error>),
    /// Redis did not answer. The act stands as intended and is applied by the relay.
    #[error(transparent)]
    Redis(Arc<redis::Error>),
}

/// What a total can go down to.
fn lowest(out: u64) -> String {
    match out {
        0 => "1".to_owned(),
        1 => "1: a user has a ticket".to_owned(),
        out => format!("{out}: users have that many tickets"),
    }
}

/// The fields by their names, with what is wrong with each.
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
    /// Whether whoever carries out acts of many coupons would meet the same with the next one. What
    /// a damaged coupon brings forth is that coupon's.
    pub(super) fn concerns_all(&self) -> bool {
        match self {
            Self::Store(error) => error.is_away(),
            Self::Redis(error) => error.doubts_connection(),
            _ => false,
        }
    }

    /// Whether a pause or close is refused for good reason, and not only held up on its way.
    pub(super) fn is_final(&self) -> bool {
        matches!(
            self,
            Self::Invalid(_) | Self::KeyReused | Self::VersionConflict { .. } | Self::AlreadyClosed
        )
    }
}
