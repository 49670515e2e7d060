//! Why a script refused an act.

use std::fmt;

/// The reason, with the number that explains it to the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActRefusal {
    /// Stock would be less than zero, because the tickets are out, or the total would be below 1.
    BelowIssued { out: u64 },
    /// The total would exceed its bound.
    TotalTooLarge {
        /// The total that would result.
        total: u64,
    },
    /// The coupon is closed, which cannot be undone.
    AlreadyClosed,
    /// No stock is withheld, or the user has another ticket of this claim.
    NotRestored,
    /// A pause or close was applied in Redis before its row was written, and is not recorded yet.
    Superseded,
}

impl ActRefusal {
    /// The word of the reason, which is also the error code.
    pub fn word(self) -> &'static str {
        match self {
            Self::BelowIssued { .. } => "below_issued",
            Self::TotalTooLarge { .. } => "total_too_large",
            Self::AlreadyClosed => "already_closed",
            Self::NotRestored => "not_restored",
            Self::Superseded => "superseded",
        }
    }

    /// Reads the words that a script stored.
    pub fn parse(words: &[&str]) -> Option<Self> {
        Some(match words {
            ["below_issued", out] => Self::BelowIssued { out: out.parse().ok()? },
            ["total_too_large", total] => Self::TotalTooLarge { total: total.parse().ok()? },
            ["already_closed"] => Self::AlreadyClosed,
            ["not_restored"] => Self::NotRestored,
            ["superseded"] => Self::Superseded,
            _ => return None,
        })
    }
}

impl fmt::Display for ActRefusal {
    /// The words that [`ActRefusal::parse`] reads.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.word())?;
        match self {
            Self::BelowIssued { out: number } | Self::TotalTooLarge { total: number } => {
                write!(out, " {number}")
            }
            Self::AlreadyClosed | Self::NotRestored | Self::Superseded => Ok(()),
        }
    }
}
