//! A coupon: what is offered, and its definition.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use strum::{EnumString, IntoStaticStr};

use super::limits::{COUPON_ID_MAX_BYTES, NAME_MAX_BYTES, PER_USER_LIMIT_MAX, SHARDS, TOTAL_MAX};
use super::time::{UnixMs, ValidFor};

/// The name of a coupon in paths and keys: `[A-Za-z0-9_-]{1,64}`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CouponId(Arc<str>);

impl CouponId {
    /// `None` for anything outside the character set, so that no id can change the hash tag of a
    /// Redis key or contain a `/`.
    pub fn parse(text: &str) -> Option<Self> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        let fits = (1..=COUPON_ID_MAX_BYTES).contains(&text.len());
        (fits && text.bytes().all(allowed)).then(|| Self(text.into()))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part of the key space that has this coupon: FNV-1a of the id, modulo [`SHARDS`]. It
    /// depends only on the id, so that the issue path needs no look-up; the coupon's row stores it
    /// too.
    pub fn shard(&self) -> Shard {
        let hash = self.0.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        Shard((hash % u64::from(SHARDS)) as u8)
    }
}

impl fmt::Display for CouponId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl Serialize for CouponId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for CouponId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| de::Error::custom("must match [A-Za-z0-9_-]{1,64}"))
    }
}

/// A fixed part of the key space: 0..[`SHARDS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Shard(u8);

impl Shard {
    /// Every shard in order.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..SHARDS).map(Self)
    }

    /// `None` outside 0..[`SHARDS`].
    pub fn new(number: u8) -> Option<Self> {
        (number < SHARDS).then_some(Self(number))
    }

    /// The number of the shard.
    pub fn number(self) -> u8 {
        self.0
    }
}

/// Who gets the tickets. Later also `granted`: only a distribution gives them.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, EnumString, IntoStaticStr,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Kind {
    /// The users who ask first.
    #[default]
    FirstCome,
}

impl Kind {
    /// The word in the row and in bodies.
    pub fn word(self) -> &'static str {
        self.into()
    }
}

/// What a ticket is taken from. Later also `codes`, a pool of unique codes.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, EnumString, IntoStaticStr,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Supply {
    /// A number that goes down.
    #[default]
    Counter,
}

impl Supply {
    /// The word in the row and in bodies.
    pub fn word(self) -> &'static str {
        self.into()
    }
}

/// opens_at..closes_at, compared only with the clock of Redis. Without `opens_at` the coupon is
/// open from its preload on; without `closes_at` until an admin closes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Window {
    /// The first instant at which a ticket may be issued.
    pub opens_at: Option<UnixMs>,
    /// The first instant at which no ticket may be issued any more.
    pub closes_at: Option<UnixMs>,
}

impl Window {
    /// Whether it opens before it closes.
    pub fn is_ordered(&self) -> bool {
        !matches!((self.opens_at, self.closes_at), (Some(open), Some(close)) if open >= close)
    }
}

/// What an admin defines when creating a coupon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Definition {
    /// Its name in paths and keys; never changes.
    pub id: CouponId,
    /// Its name for people, 1..=200 bytes without control characters.
    pub name: String,
    /// Number of tickets, 1..=10^9.
    pub total: u64,
    /// Tickets that one user may hold, 1..=100.
    #[serde(default = "one")]
    pub per_user_limit: u8,
    /// The first instant of issuing.
    #[serde(default)]
    pub opens_at: Option<UnixMs>,
    /// The first instant at which issuing is over.
    #[serde(default)]
    pub closes_at: Option<UnixMs>,
    /// How long a ticket is valid after it was issued; without a limit when absent.
    #[serde(default)]
    pub valid_for: Option<ValidFor>,
    #[serde(default)]
    pub kind: Kind,
    #[serde(default)]
    pub supply: Supply,
}

fn one() -> u8 {
    1
}

impl Definition {
    /// The window of the definition.
    pub fn window(&self) -> Window {
        Window { opens_at: self.opens_at, closes_at: self.closes_at }
    }

    /// The fields that are out of bounds, as (JSON pointer, detail); empty when there are none.
    pub fn faults(&self) -> Vec<(&'static str, String)> {
        let mut faults = Vec::new();
        let name_fits = (1..=NAME_MAX_BYTES).contains(&self.name.len());
        if !name_fits || self.name.chars().any(char::is_control) {
            let detail = format!("must be 1..={NAME_MAX_BYTES} bytes without control characters");
            faults.push(("/name", detail));
        }
        if !(1..=TOTAL_MAX).contains(&self.total) {
            faults.push(("/total", format!("must be 1..={TOTAL_MAX}")));
        }
        if !(1..=PER_USER_LIMIT_MAX).contains(&self.per_user_limit) {
            faults.push(("/per_user_limit", format!("must be 1..={PER_USER_LIMIT_MAX}")));
        }
        if !self.window().is_ordered() {
            faults.push(("/closes_at", "must be later than opens_at".to_owned()));
        }
        faults
    }
}

/// The state of a coupon as its row stores it. The states `scheduled`, `sold_out` and `recovering`
/// are not stored: they are derived from the clock, from the stock and from what is known of Redis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum State {
    /// Created, and not visible to users.
    Draft,
    /// Preloaded: issuing within its window.
    Open,
    /// Issuing is interrupted.
    Paused,
    /// Issuing is over; this cannot be undone.
    Closed,
    /// Closed, and only in the database: nothing changes any more (P2 step 14).
    Archived,
}

impl State {
    /// Whether Redis must have the coupon.
    pub fn is_in_redis(self) -> bool {
        matches!(self, Self::Open | Self::Paused | Self::Closed)
    }

    /// The word in the row and in Redis.
    pub fn word(self) -> &'static str {
        self.into()
    }
}

/// A coupon as its row stores it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coupon {
    /// What the admin defined, changed by the acts that were applied since.
    pub definition: Definition,
    pub state: State,
    pub shard: Shard,
    /// The key that its codes and receipts are made with (P3 step 1).
    pub key_id: String,
    /// Grows with every change of a coupon except an issue; `ETag` and `If-Match` of the admin API.
    pub version: u64,
    pub act_no: u64,
    /// Tickets that are rows in the database.
    pub persisted: u64,
    pub created_at: UnixMs,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_coupon_id_cannot_leave_its_path_or_its_hash_tag() {
        for text in ["", "a b", "a{b}", "a:b", "*", "..", "a/b", "%2F", "é", "a.b", "a\n"] {
            assert!(CouponId::parse(text).is_none(), "{text:?}");
        }
        assert!(CouponId::parse(&"x".repeat(64)).is_some());
        assert!(CouponId::parse(&"x".repeat(65)).is_none());
    }

    #[test]
    fn the_shard_of_an_id_never_changes() {
        // Rows and keys contain the shard: if the function changed, every coupon would be lost.
        let shard = |id: &str| CouponId::parse(id).unwrap().shard().number();
        assert_eq!([shard("welcome"), shard("summer"), shard("a")], [3, 4, 12]);
    }

    #[test]
    fn an_empty_window_is_a_fault() {
        let window = |open, close| Window { opens_at: open, closes_at: close };
        assert!(!window(Some(UnixMs(2)), Some(UnixMs(2))).is_ordered());
        assert!(window(Some(UnixMs(1)), Some(UnixMs(2))).is_ordered());
        assert!(window(None, Some(UnixMs(2))).is_ordered());
    }
}
