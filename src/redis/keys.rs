//! The name and the type of every key. All keys of a coupon have the hash tag of its shard, so that
//! they would be in one slot of a Redis Cluster.

use crate::domain::coupon::{CouponId, Shard};

/// The consumer group of every records stream.
pub const GROUP: &str = "persisters";

/// The names of all keys under one prefix.
#[derive(Debug, Clone)]
pub struct Keys {
    prefix: String,
}

impl Keys {
    /// Names with this prefix, `[A-Za-z0-9_-]{1,32}`.
    pub fn new(prefix: &str) -> Self {
        Self { prefix: prefix.to_owned() }
    }

    /// Hash: the terms of a coupon and its last act.
    pub fn coupon(&self, id: &CouponId) -> String {
        format!("{}:{{s{:02}}}:coupon:{id}", self.prefix, id.shard().number())
    }

    /// The pattern of all coupon hashes and of the other keys of coupons.
    pub fn any_coupon(&self) -> String {
        format!("{}:{{s[0-9][0-9]}}:coupon:*", self.prefix)
    }

    /// The coupon whose hash this key is.
    pub fn coupon_of(&self, key: &str) -> Option<CouponId> {
        let (_, id) = key.rsplit_once(':')?;
        CouponId::parse(id).filter(|id| self.coupon(id) == key)
    }

    /// Hash: (user, claim) → serial, time and epoch; the field with the empty name has the stock.
    pub fn holders(&self, id: &CouponId) -> String {
        format!("{}:holders", self.coupon(id))
    }

    /// Stream: the records of a shard that are not persisted yet.
    pub fn records(&self, shard: Shard) -> String {
        format!("{}:{{s{:02}}}:records", self.prefix, shard.number())
    }

    /// String: the number of tickets in the records of a shard.
    pub fn unpersisted(&self, shard: Shard) -> String {
        format!("{}:{{s{:02}}}:unpersisted", self.prefix, shard.number())
    }

    /// String: the number of heartbeats of this life of Redis.
    pub fn heartbeat(&self) -> String {
        format!("{}:heartbeat", self.prefix)
    }

    /// String: the id of the installation to which this Redis belongs.
    pub fn installation(&self) -> String {
        format!("{}:installation", self.prefix)
    }

    /// String: the servers that want to read the holders of sold-out coupons, in their order.
    pub fn readers(&self) -> String {
        format!("{}:readers", self.prefix)
    }

    /// The first part of every key.
    pub(crate) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The keys of the dry run of all scripts, which nothing else uses or finds: a coupon hash, its
    /// holders, a stream, its count, a heartbeat, readers and an installation.
    pub(crate) fn of_dry_run(&self) -> [String; 7] {
        let names =
            ["coupon", "holders", "records", "unpersisted", "heartbeat", "readers", "installation"];
        names.map(|name| format!("{}:{{s00}}:probe:{name}", self.prefix))
    }

    /// The two keys of every act except preload, in the order of the scripts' headers.
    pub fn of_act(&self, id: &CouponId) -> [String; 2] {
        [self.coupon(id), self.holders(id)]
    }

    /// The four keys of issue, preload and audit, in the order of the scripts' headers.
    pub fn of_coupon(&self, id: &CouponId) -> [String; 4] {
        let shard = id.shard();
        [self.coupon(id), self.holders(id), self.records(shard), self.unpersisted(shard)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_keys_of_a_coupon_share_one_hash_tag() {
        let id = CouponId::parse("summer").unwrap();
        let expected = [
            "fc:{s04}:coupon:summer",
            "fc:{s04}:coupon:summer:holders",
            "fc:{s04}:records",
            "fc:{s04}:unpersisted",
        ];
        assert_eq!(Keys::new("fc").of_coupon(&id), expected);
    }

    #[test]
    fn a_coupon_is_known_by_the_key_of_its_hash_only() {
        let keys = Keys::new("fc");
        let id = CouponId::parse("summer").unwrap();
        assert_eq!(keys.coupon_of(&keys.coupon(&id)), Some(id.clone()));
        let other = ["fc:{s05}:coupon:summer", "fd:{s04}:coupon:summer", "summer", ""];
        let own = keys.of_coupon(&id);
        for key in own[1..].iter().map(String::as_str).chain(other) {
            assert_eq!(keys.coupon_of(key), None, "{key}");
        }
    }
}
