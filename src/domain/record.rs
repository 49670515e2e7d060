//! A record: one stream entry, the tickets of one script call, packed.
//!
//! One packed record is the push of all its tickets: `issue.lua` appends it in the same call that
//! takes the stock. Its fields are always all of them, always in this order, because Redis then
//! stores their names once: `v coupon_id epoch first_serial issued_at_ms source user_ids claims
//! codes`. Users are separated by a line feed, which no user id holds; `claims` is empty when all
//! are 1, else separated by commas; `codes` is empty until pools of codes exist.

use super::coupon::CouponId;
use super::ticket::Serial;
use super::time::UnixMs;
use super::user::{Claim, UserId};

/// The version of the format.
pub const VERSION: &str = "1";
/// The `source` of tickets that came through the issue path.
pub const SOURCE_ISSUE: &str = "issue";
/// The fields of an entry, in their order.
pub const FIELDS: [&str; 9] = [
    "v",
    "coupon_id",
    "epoch",
    "first_serial",
    "issued_at_ms",
    "source",
    "user_ids",
    "claims",
    "codes",
];

/// The tickets of one script call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The coupon of all its tickets.
    pub coupon_id: CouponId,
    /// The epoch in which they were issued.
    pub epoch: u32,
    /// The serial of the first; the others follow by one.
    pub first_serial: Serial,
    /// The time of Redis at the call.
    pub issued_at: UnixMs,
    /// Where they came from: [`SOURCE_ISSUE`], later a distribution.
    pub source: String,
    /// Who got them, in the order of the serials.
    pub holders: Vec<(UserId, Claim)>,
}

/// What is wrong with an entry that cannot be decoded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the record's field `{0}` is missing or malformed")]
pub struct Malformed(pub &'static str);

impl Record {
    /// Decodes strictly the values of [`FIELDS`] in their order (P5 step 2).
    pub fn decode(values: [&str; 9]) -> Result<Self, Malformed> {
        let [v, coupon_id, epoch, first_serial, issued_at_ms, source, user_ids, claims, codes] =
            values;
        if v != VERSION {
            return Err(Malformed("v"));
        }
        if !codes.is_empty() {
            return Err(Malformed("codes"));
        }
        if source.is_empty() {
            return Err(Malformed("source"));
        }
        let users = user_ids.split('\n').map(UserId::parse).collect::<Option<Vec<_>>>();
        let users = users.ok_or(Malformed("user_ids"))?;
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

    const GOOD: [&str; 9] =
        ["1", "summer", "1", "7", "1764558001482", "issue", "u1\nu2", "1,2", ""];

    #[test]
    fn a_record_is_its_holders_in_the_order_of_their_serials() {
        let record = Record::decode(GOOD).unwrap();
        assert_eq!((record.coupon_id.as_str(), record.first_serial), ("summer", Serial(7)));
        let holder = |user, claim| (UserId::parse(user).unwrap(), Claim::new(claim).unwrap());
        assert_eq!(record.holders, [holder("u1", 1), holder("u2", 2)]);
    }

    #[test]
    fn a_record_with_any_malformed_field_is_refused_as_a_whole() {
        let wrong = ["2", "sum mer", "-1", "0", "soon", "", "u1\n", "1", "X"];
        for (position, value) in wrong.into_iter().enumerate() {
            let mut values = GOOD;
            values[position] = value;
            assert_eq!(Record::decode(values), Err(Malformed(FIELDS[position])));
        }
    }
}
