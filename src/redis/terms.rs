//! A coupon in Redis: its terms, which only an act changes, and its stock. Each is one field, in
//! the form of `lua/parts/terms.lua` and `lua/parts/stock.lua`.

use std::fmt;

use crate::domain::ticket::Serial;
use crate::domain::time::UnixMs;

/// Everything about a coupon that only acts change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms<'a> {
    /// `open`, `paused`, `closed` or `recovering`.
    pub state: &'a str,
    pub epoch: u32,
    /// The key that codes and receipts are made with.
    pub key_id: &'a str,
    /// First instant of issuing.
    pub opens_at: Option<UnixMs>,
    /// First instant at which issuing is over.
    pub closes_at: Option<UnixMs>,
    pub per_user_limit: u8,
    pub coupon_id: &'a str,
    /// Raised by every act that changes something.
    pub version: u64,
    /// Raised by every act that adds stock, and by a restock that takes stock away.
    pub stock_version: u64,
    pub total: u64,
    pub valid_for_ms: Option<u64>,
}

impl<'a> Terms<'a> {
    /// Reads the field `terms` of a coupon's hash; `None` when it is damaged.
    pub fn parse(text: &'a str) -> Option<Self> {
        let mut words = text.split(' ');
        let mut next = || words.next();
        let terms = Self {
            state: next()?,
            epoch: next()?.parse().ok()?,
            key_id: next()?,
            opens_at: optional(next()?)?.map(UnixMs),
            closes_at: optional(next()?)?.map(UnixMs),
            per_user_limit: next()?.parse().ok()?,
            coupon_id: next()?,
            version: next()?.parse().ok()?,
            stock_version: next()?.parse().ok()?,
            total: next()?.parse().ok()?,
            valid_for_ms: optional(next()?)?,
        };
        let is_whole = ![terms.state, terms.key_id, terms.coupon_id].contains(&"");
        (is_whole && next().is_none()).then_some(terms)
    }
}

impl fmt::Display for Terms<'_> {
    /// The field `terms`, in the form of `lua/parts/terms.lua`.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = |ms: Option<i64>| ms.map(|ms| ms.to_string()).unwrap_or_default();
        let valid_for_ms = self.valid_for_ms.map(|ms| ms.to_string()).unwrap_or_default();
        write!(
            out,
            "{} {} {} {} {} {} {} {} {} {} {valid_for_ms}",
            self.state,
            self.epoch,
            self.key_id,
            number(self.opens_at.map(|at| at.0)),
            number(self.closes_at.map(|at| at.0)),
            self.per_user_limit,
            self.coupon_id,
            self.version,
            self.stock_version,
            self.total,
        )
    }
}

/// The stock: what was issued and what is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stock {
    /// Tickets that can be issued.
    pub remaining: u64,
    /// The serial of the last ticket; 0 before the first.
    pub last_serial: Serial,
    /// Tickets ever issued.
    pub issued: u64,
    /// Tickets whose stock was returned.
    pub returned: u64,
    /// Stock under an embargo: it was returned or added, and nobody can get it yet.
    pub embargoed: u64,
    /// When the embargo ends.
    pub embargo_until: UnixMs,
}

impl Stock {
    /// Reads the empty field of a holders hash; `None` when it is damaged.
    pub fn parse(text: &str) -> Option<Self> {
        let mut words = text.trim_end().split(' ');
        let mut next = || words.next()?.parse::<u64>().ok();
        let stock = Self {
            remaining: next()?,
            last_serial: Serial(next()?),
            issued: next()?,
            returned: next()?,
            embargoed: next()?,
            embargo_until: UnixMs(i64::try_from(next()?).ok()?),
        };
        words.next().is_none().then_some(stock)
    }
}

/// A number, or an empty text, which means that there is none.
fn optional<T: std::str::FromStr>(text: &str) -> Option<Option<T>> {
    match text {
        "" => Some(None),
        number => number.parse().ok().map(Some),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_are_read_whole_or_not_at_all() {
        let text = "open 1 k1 1764558000000  3 summer 5 1764557000000 100 604800000";
        let terms = Terms::parse(text).unwrap();
        assert_eq!((terms.state, terms.epoch, terms.key_id), ("open", 1, "k1"));
        assert_eq!((terms.opens_at, terms.closes_at), (Some(UnixMs(1_764_558_000_000)), None));
        assert_eq!((terms.coupon_id, terms.version, terms.total), ("summer", 5, 100));
        assert_eq!((terms.per_user_limit, terms.valid_for_ms), (3, Some(604_800_000)));
        assert_eq!(terms.to_string(), text);
        let cut = text.rsplit_once(' ').unwrap().0;
        for damaged in ["", cut, &format!("{text} "), &text.replace("100", "x"), &text[4..]] {
            assert_eq!(Terms::parse(damaged), None, "{damaged:?}");
        }
    }

    #[test]
    fn stock_is_read_whole_or_not_at_all() {
        let stock = Stock::parse("0 41 41 2 2 1764558000150      ").unwrap();
        assert_eq!((stock.remaining, stock.last_serial, stock.issued), (0, Serial(41), 41));
        assert_eq!((stock.returned, stock.embargoed), (2, 2));
        assert_eq!(stock.embargo_until, UnixMs(1_764_558_000_150));
        for damaged in ["", "0 41 41 2 2", "0 41 41 2 2 7 8", "0 41 41 2 2 x", "-1 0 0 0 0 0"] {
            assert_eq!(Stock::parse(damaged), None, "{damaged:?}");
        }
    }
}
