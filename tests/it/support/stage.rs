//! One coupon in a private Redis, for tests of the scripts.

use firstcome::domain::coupon::{CouponId, Definition, Kind, Supply};
use firstcome::domain::limits::BACKLOG_MAX_TICKETS;
use firstcome::domain::record::SOURCE_ISSUE;
use firstcome::domain::user::{Claim, UserId};
use firstcome::lua::audit::{Balance, Reply as AuditReply, audit};
use firstcome::lua::issue::{Answer, Answered, Args, Reply, issue};
use firstcome::lua::preload::preload;
use firstcome::lua::{ActArgs, ActReply, preload as preload_script};
use firstcome::redis::generation::Accepted;
use firstcome::redis::{Redis, Result};
use redis::cmd;

use super::packed::Place;
use super::redis::PrivateRedis;

/// Longer than any test: one hour.
pub const LONG_MS: i64 = 3_600_000;
/// The token of every act of a stage.
pub const TOKEN: &str = "0123456789abcdef";

/// Sets the end of the embargo in the same step in which it reads the time.
pub const RENEW: &str = "
    local time = redis.call('TIME')
    local until_ms = time[1] * 1000 + math.floor(time[2] / 1000) + 150
    local stock = string.gsub(redis.call('HGET', KEYS[1], ''), '%d+( *)$',
      string.format('%.0f', until_ms) .. '%1')
    redis.call('HSET', KEYS[1], '', stock)
    return until_ms";

/// The Redis, the coupon, and the arguments that every call of a script has.
pub struct Stage {
    /// The Redis.
    pub private: PrivateRedis,
    /// The generation and the epoch of every call.
    pub accepted: Accepted,
    /// The coupon, by default `summer`.
    pub coupon_id: CouponId,
    /// No ticket is issued beyond this many unpersisted tickets.
    pub backlog_max_tickets: u64,
}

impl Stage {
    /// An empty Redis.
    pub async fn empty() -> Self {
        let private = PrivateRedis::start().await;
        let accepted = private.accepted().await;
        let coupon_id = CouponId::parse("summer").unwrap();
        Self { private, accepted, coupon_id, backlog_max_tickets: BACKLOG_MAX_TICKETS }
    }

    /// A coupon of this many tickets, one per user, open without end.
    pub async fn with(total: u64) -> Self {
        Self::with_definition(|definition| definition.total = total).await
    }

    /// A coupon of 10 tickets with these changes.
    pub async fn with_definition(change: impl FnOnce(&mut Definition)) -> Self {
        let stage = Self::empty().await;
        let mut definition = stage.definition();
        change(&mut definition);
        let total = definition.total;
        let reply = stage.preload(&definition).await.unwrap();
        assert_eq!(words(&reply), format!("applied 1 {total} {total}"));
        stage
    }

    /// The handle to Redis.
    pub fn redis(&self) -> &Redis {
        &self.private.redis
    }

    /// The default coupon: 10 tickets, one per user, open.
    pub fn definition(&self) -> Definition {
        Definition {
            id: self.coupon_id.clone(),
            name: "Summer".to_owned(),
            total: 10,
            per_user_limit: 1,
            opens_at: None,
            closes_at: None,
            valid_for: None,
            kind: Kind::FirstCome,
            supply: Supply::Counter,
        }
    }

    /// Runs the script `preload`.
    pub async fn preload(&self, definition: &Definition) -> Result<ActReply> {
        self.preload_as(definition, TOKEN).await
    }

    /// As [`Stage::preload`], as the act of this token.
    pub async fn preload_as(&self, definition: &Definition, token: &str) -> Result<ActReply> {
        let accepted = &self.accepted;
        let (key_id, version, stock_version) = ("k1", 1, 1);
        let args =
            preload_script::Args { accepted, definition, key_id, version, token, stock_version };
        preload(self.redis(), &args).await
    }

    /// The arguments of the script of this act; all acts have the same token.
    pub fn act(&self, act_no: u64) -> ActArgs<'_> {
        ActArgs { accepted: &self.accepted, coupon_id: &self.coupon_id, act_no, token: TOKEN }
    }

    /// These users ask in one call, with their claims.
    pub async fn ask(&self, group: &[(&str, u8)]) -> Result<Reply> {
        self.ask_over(self.redis(), group).await
    }

    /// As [`Stage::ask`], over another handle.
    pub async fn ask_over(&self, redis: &Redis, group: &[(&str, u8)]) -> Result<Reply> {
        let holder = |(user, claim): &(&str, u8)| {
            (UserId::parse(user).unwrap(), Claim::new(*claim).unwrap())
        };
        let group: Vec<_> = group.iter().map(holder).collect();
        let args = Args {
            accepted: &self.accepted,
            backlog_max_tickets: self.backlog_max_tickets,
            source: SOURCE_ISSUE,
            key_ids: "k0,k1",
            coupon_id: &self.coupon_id,
            group: &group,
        };
        issue(&mut redis.connect().await?, redis.keys(), &args).await
    }

    /// As [`Stage::ask`], if the call must not be refused as a whole.
    pub async fn answered(&self, group: &[(&str, u8)]) -> Answered {
        match self.ask(group).await.unwrap() {
            Reply::Answered(answered) => answered,
            refused => panic!("refused as a whole: {refused:?}"),
        }
    }

    /// One user asks for the first claim.
    pub async fn issue(&self, user: &str) -> Answer {
        self.answered(&[(user, 1)]).await.answers[0]
    }

    /// The reply of the script `audit`.
    pub async fn balance(&self) -> Balance {
        match audit(self.redis(), &self.coupon_id).await.unwrap() {
            AuditReply::Balance(balance) => *balance,
            AuditReply::Unknown => panic!("Redis does not have the coupon"),
        }
    }

    /// Everything in Redis.
    pub async fn world(&self) -> Vec<(String, Vec<u8>)> {
        self.private.world().await
    }

    /// The name of the coupon's hash.
    pub fn hash(&self) -> String {
        self.redis().keys().coupon(&self.coupon_id)
    }

    /// The names of the coupon's hash, holders, records and unpersisted.
    pub fn keys(&self) -> [String; 4] {
        self.redis().keys().of_coupon(&self.coupon_id)
    }

    /// The name of the coupon's holders hash.
    pub fn holders(&self) -> String {
        self.redis().keys().holders(&self.coupon_id)
    }

    /// A word of the coupon's terms or stock, or a field of its hash.
    pub async fn field(&self, name: &str) -> String {
        let place = Place::of(name);
        let (key, field) = self.packed_in(place, name);
        let text: String = self.private.ask(cmd("HGET").arg(key).arg(field)).await;
        place.map_or(text.clone(), |place| place.word(&text))
    }

    /// The hash and the field that contain a word.
    fn packed_in<'a>(&self, place: Option<Place>, name: &'a str) -> (String, &'a str) {
        match place {
            Some(Place::Terms(_)) => (self.hash(), "terms"),
            Some(Place::Stock(_)) => (self.holders(), ""),
            None => (self.hash(), name),
        }
    }

    /// The coupon's hash without some fields.
    pub async fn fields_but(&self, without: &[&str]) -> Vec<(String, String)> {
        let mut fields: Vec<(String, String)> =
            self.private.ask(cmd("HGETALL").arg(self.hash())).await;
        fields.retain(|(name, _)| !without.contains(&name.as_str()));
        fields.sort();
        fields
    }

    /// Overwrites a word of the coupon's terms or stock, or a field of its hash.
    pub async fn set_field(&self, name: &str, value: impl ToString) {
        let value = value.to_string();
        match Place::of(name) {
            Some(place) => self.edit(name, |text| place.replaced(text, &value)).await,
            None => self.edit(name, |_| value.clone()).await,
        }
    }

    /// Takes a word out of the coupon's terms or stock, or a field out of its hash.
    pub async fn lose_field(&self, name: &str) {
        match Place::of(name) {
            Some(place) => self.edit(name, |text| place.removed(text)).await,
            None => self.private.ask(cmd("HDEL").arg(self.hash()).arg(name)).await,
        }
    }

    async fn edit(&self, name: &str, change: impl Fn(&str) -> String) {
        let (key, field) = self.packed_in(Place::of(name), name);
        let old: Option<String> = self.private.ask(cmd("HGET").arg(&key).arg(field)).await;
        let mut set = cmd("HSET");
        set.arg(&key).arg(field).arg(change(&old.unwrap_or_default()));
        self.private.ask::<()>(&set).await;
    }

    /// Puts a list where a key of another type belongs.
    pub async fn spoil(&self, key: &str) {
        self.private.ask::<()>(cmd("DEL").arg(key)).await;
        self.private.ask::<()>(cmd("RPUSH").arg(key).arg("no such type")).await;
    }

    /// Deletes a key.
    pub async fn delete(&self, key: &str) {
        self.private.ask::<()>(cmd("DEL").arg(key)).await;
    }

    /// Forgets every script.
    pub async fn flush_scripts(&self) {
        self.private.ask::<()>(cmd("SCRIPT").arg("FLUSH").arg("SYNC")).await;
    }

    /// Changes our rights in Redis by an ACL rule such as `-xadd`.
    pub async fn allow(&self, rule: &str) {
        self.private.ask::<()>(cmd("ACL").arg("SETUSER").arg("default").arg(rule)).await;
    }

    /// Leaves no memory for any further write.
    pub async fn fill_memory(&self) {
        self.set_memory_bytes(1).await;
    }

    /// Removes the bound of memory again.
    pub async fn free_memory(&self) {
        self.set_memory_bytes(0).await;
    }

    async fn set_memory_bytes(&self, max: u8) {
        self.private.ask::<()>(cmd("CONFIG").arg("SET").arg("maxmemory").arg(max)).await;
    }
}

/// The words of an act's reply as its script said them.
pub fn words(reply: &ActReply) -> String {
    match reply {
        ActReply::Decided(result) => result.to_string(),
        ActReply::Diverged(act_no) => format!("diverged {act_no}"),
        ActReply::OutOfOrder(act_no) => format!("out_of_order {act_no}"),
        ActReply::Recovering => "recovering".to_owned(),
        ActReply::OtherGeneration => "other_generation".to_owned(),
        ActReply::StaleEpoch(epoch) => format!("stale_epoch {epoch}"),
        ActReply::Unknown => "unknown".to_owned(),
    }
}
