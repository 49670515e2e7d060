//! Why a script refused an act.

use std::fmt;

/// The reason, with the number that the caller could not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActRefusal {
    /// The stock would go below what is out, or the total below 1.
    BelowIssued {
        /// Tickets that are out.
        out: u64,
    },
    /// The total would pass its bound.
    TotalTooLarge {
        /// What it would be.
        total: u64,
    },
    /// The coupon is closed for good.
    AlreadyClosed,
    /// A pause came before its row.
    Superseded,
}

impl ActRefusal {
    /// Reads the words that a script stored.
    pub fn parse(words: &[&str]) -> Option<Self> {
        Some(match words {
            ["below_issued", out] => Self::BelowIssued { out: out.parse().ok()? },
            ["total_too_large", total] => Self::TotalTooLarge { total: total.parse().ok()? },
            ["already_closed"] => Self::AlreadyClosed,
            ["superseded"] => Self::Superseded,
            _ => return None,
        })
    }

    /// The first of these words, which is also the code of the error that the caller was told.
    pub fn code(&self) -> &'static str {
        match self {
            Self::BelowIssued { .. } => "below_issued",
            Self::TotalTooLarge { .. } => "total_too_large",
            Self::AlreadyClosed => "already_closed",
            Self::Superseded => "superseded",
        }
    }
}

impl fmt::Display for ActRefusal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BelowIssued { out: number } | Self::TotalTooLarge { total: number } => {
                write!(out, "{} {number}", self.code())
            }
            Self::AlreadyClosed | Self::Superseded => out.write_str(self.code()),
        }
    }
}
