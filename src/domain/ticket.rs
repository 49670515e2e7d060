//! One coupon given to one user.

use std::fmt;

use serde::{Serialize, Serializer};
use strum::{EnumString, IntoStaticStr};

use super::coupon::CouponId;
use super::limits::TOTAL_MAX;
use super::time::{UnixMs, ValidFor};
use super::user::{Claim, UserId};

/// The number of a ticket in its coupon, in the order of issue: 1, 2, 3 … A new epoch goes on
/// behind a gap (I5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Serial(pub u64);

impl Serial {
    /// Reads plain decimal digits without a leading zero, so that each ticket has exactly one id.
    /// Serials may exceed `total` (after returns, restocks and recoveries), so their bound is the
    /// 40 bits of a code.
    pub fn parse(text: &str) -> Option<Self> {
        let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
        let number: u64 = plain.then(|| text.parse().ok()).flatten()?;
        (number < 1 << 40).then_some(Self(number))
    }
}

impl fmt::Display for Serial {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", self.0)
    }
}

const _: () = assert!(TOTAL_MAX < 1 << 40);

/// `<coupon_id>.<serial>`, the name of a ticket.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TicketId {
    pub coupon_id: CouponId,
    pub serial: Serial,
}

impl TicketId {
    /// `None` when the text does not have this form; a coupon id contains no dot.
    pub fn parse(text: &str) -> Option<Self> {
        let (coupon_id, serial) = text.split_once('.')?;
        Some(Self { coupon_id: CouponId::parse(coupon_id)?, serial: Serial::parse(serial)? })
    }
}

impl fmt::Display for TicketId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}.{}", self.coupon_id, self.serial)
    }
}

impl Serialize for TicketId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The status of a ticket (I7). `expired` is never stored, but derived when the ticket is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, EnumString, IntoStaticStr)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Status {
    /// It is in Redis, and has no row yet.
    InProgress,
    /// It has a row.
    Accepted,
    /// Its stock is returned; its claim cannot be used again.
    Cancelled,
    /// Accepted, but no longer valid.
    Expired,
}

impl Status {
    /// The word in rows, bodies and exports.
    pub fn word(self) -> &'static str {
        self.into()
    }

    /// The status of a word in a row: accepted or cancelled, because the row exists.
    pub fn stored(word: &str) -> Option<Self> {
        word.parse().ok().filter(|status| matches!(status, Self::Accepted | Self::Cancelled))
    }
}

/// A ticket as it was issued: the same in the answer to the user, in the record and in the row
/// (I10). Code and receipt are derived from it and are not stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ticket {
    pub coupon_id: CouponId,
    pub epoch: u32,
    pub serial: Serial,
    pub user_id: UserId,
    /// Which of the holder's tickets it is.
    pub claim: Claim,
    /// The time of Redis when it was issued.
    pub issued_at: UnixMs,
}

impl Ticket {
    /// The id of the ticket.
    pub fn id(&self) -> TicketId {
        TicketId { coupon_id: self.coupon_id.clone(), serial: self.serial }
    }

    /// When it stops being valid.
    pub fn expires_at(&self, valid_for: Option<ValidFor>) -> Option<UnixMs> {
        valid_for.map(|duration| self.issued_at.plus_ms(duration.as_ms()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_has_one_id_only() {
        let id = TicketId::parse("summer.4812").unwrap();
        assert_eq!(id.to_string(), "summer.4812");
        for text in ["summer", "summer.", "summer.04812", "summer.0", "summer.-1", "summer.+1"] {
            assert_eq!(TicketId::parse(text), None, "{text}");
        }
        for text in ["summer.1e3", "summer.0x10", ".1", "a.b.1", "summer.1099511627776"] {
            assert_eq!(TicketId::parse(text), None, "{text}");
        }
    }
}
