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
    /// The word of the reason, which is the code of its error, too.
    pub fn word(self) -> &'static str {
        match self {
            Self::BelowIssued { .. } => "below_issued",
            Self::TotalTooLarge { .. } => "total_too_large",
            Self::AlreadyClosed => "already_closed",
            Self::Superseded => "superseded",
        }
    }

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
}

impl fmt::Display for ActRefusal {
    /// The words that [`ActRefusal::parse`] reads.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.word())?;
        match self {
            Self::BelowIssued { out: number } | Self::TotalTooLarge { total: number } => {
                write!(out, " {number}")
            }
            Self::AlreadyClosed | Self::Superseded => Ok(()),
        }
    }
}
