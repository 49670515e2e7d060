//! A record: one stream entry with the tickets of one script call.
//!
//! `issue.lua` appends it in the same call that takes the stock. An entry has only one field,
//! because each further field would cost Redis about as much as a further ticket. Its lines are
//!
//! 1. separated by spaces: the version of the format, the coupon, the epoch, the serial of the
//!    first ticket, the time of Redis in milliseconds, and the source;
//! 2. the claims, separated by commas; empty when all are 1;
//! 3. and all further lines: the users, one per line.

use super::coupon::CouponId;
use super::ticket::Serial;
use super::time::UnixMs;
use super::user::{Claim, UserId};

/// The version of the format.
pub const VERSION: &str = "1";
/// The `source` of tickets that came through the issue path.
pub const SOURCE_ISSUE: &str = "issue";
/// The only field of an entry.
pub const FIELD: &str = "tickets";

/// The tickets of one script call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    pub coupon_id: CouponId,
    pub epoch: u32,
    /// The serial of the first ticket; each of the others is one greater than the one before.
    pub first_serial: Serial,
    /// The time of Redis at the call.
    pub issued_at: UnixMs,
    /// Where they came from: [`SOURCE_ISSUE`], later a distribution.
    pub source: String,
    /// Who got them, in the order of the serials.
    pub holders: Vec<(UserId, Claim)>,
}

/// The part of an entry that cannot be decoded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the record's `{0}` is missing or malformed")]
pub struct Malformed(pub &'static str);

/// An entry that cannot be decoded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{malformed}")]
pub struct Undecodable {
    /// Its id and its shard, as words of a sentence.
    pub place: String,
    /// The value of [`FIELD`]; of an entry with other fields all names and values, one per line.
    pub raw: Vec<u8>,
    pub malformed: Malformed,
}

impl Record {
    /// The value of [`FIELD`] as `issue.lua` writes it.
    pub fn encode(&self) -> String {
        let Self { coupon_id, epoch, first_serial, issued_at, source, .. } = self;
        let is_first = |(_, claim): &(UserId, Claim)| *claim == Claim::FIRST;
        let claims: Vec<String> = match self.holders.iter().all(is_first) {
            true => Vec::new(),
            false => self.holders.iter().map(|(_, claim)| claim.number().to_string()).collect(),
        };
        let users: Vec<&str> = self.holders.iter().map(|(user, _)| user.as_str()).collect();
        format!(
            "{VERSION} {coupon_id} {epoch} {first_serial} {} {source}\n{}\n{}",
            issued_at.0,
            claims.join(","),
            users.join("\n")
        )
    }

    /// Decodes the value of [`FIELD`] strictly (P5 step 2).
    ///
    /// # Errors
    /// The part that is missing or malformed.
    pub fn decode(text: &str) -> Result<Self, Malformed> {
        let mut lines = text.split('\n');
        let mut words = lines.next().unwrap_or_default().split(' ');
        let mut next = |name| words.next().ok_or(Malformed(name));
        if next("version")? != VERSION {
            return Err(Malformed("version"));
        }
        let coupon_id = next("coupon_id")?;
        let epoch = next("epoch")?;
        let first_serial = next("first_serial")?;
        let issued_at_ms = next("issued_at_ms")?;
        let source = next("source")?;
        if source.is_empty() || words.next().is_some() {
            return Err(Malformed("source"));
        }
        let claims = lines.next().ok_or(Malformed("claims"))?;
        let users = lines.map(UserId::parse).collect::<Option<Vec<_>>>();
        let users = users.filter(|users| !users.is_empty()).ok_or(Malformed("user_ids"))?;
        let claims = match claims {
            "" => vec![Claim::FIRST; users.len()],
            text => text
                .split(',')
                .map(Claim::parse)
                .collect::<Option<Vec<_>>>()
                .ok_or(Malformed("claims"))?,
        };
        if claims.len() != users.len() {
            return Err(Malformed("claims"));
        }
        Ok(Self {
            coupon_id: CouponId::parse(coupon_id).ok_or(Malformed("coupon_id"))?,
            epoch: epoch.parse().map_err(|_| Malformed("epoch"))?,
            first_serial: Serial::parse(first_serial).ok_or(Malformed("first_serial"))?,
            issued_at: UnixMs(issued_at_ms.parse().map_err(|_| Malformed("issued_at_ms"))?),
            source: source.to_owned(),
            holders: users.into_iter().zip(claims).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "1 summer 1 7 1764558001482 issue\n1,2\nu1\nu2";

    #[test]
    fn a_record_is_its_holders_in_the_order_of_their_serials() {
        let record = Record::decode(GOOD).unwrap();
        assert_eq!((record.coupon_id.as_str(), record.first_serial), ("summer", Serial(7)));
        let holder = |user, claim| (UserId::parse(user).unwrap(), Claim::new(claim).unwrap());
        assert_eq!(record.holders, [holder("u1", 1), holder("u2", 2)]);
        assert_eq!(record.encode(), GOOD);
        let firsts = GOOD.replace("1,2", "");
        assert_eq!(Record::decode(&firsts).unwrap().encode(), firsts);
    }

    #[test]
    fn a_record_with_anything_malformed_is_refused_as_a_whole() {
        for (from, to, name) in [
            (GOOD, "", "version"),
            ("1 summer", "2 summer", "version"),
            ("summer", "sum.mer", "coupon_id"),
            ("summer 1", "summer -1", "epoch"),
            (" 7 ", " 0 ", "first_serial"),
            ("1764558001482", "soon", "issued_at_ms"),
            (" issue", "", "source"),
            (" issue", " ", "source"),
            (" issue", " issue more", "source"),
            ("\n1,2\nu1\nu2", "", "claims"),
            ("1,2", "1", "claims"),
            ("1,2", "1,x", "claims"),
            ("\nu1\nu2", "", "user_ids"),
            ("u2", "", "user_ids"),
        ] {
            let text = GOOD.replacen(from, to, 1);
            assert_eq!(Record::decode(&text), Err(Malformed(name)), "{text:?}");
        }
    }
}
