//! Are the keys of a coupon there and whole? Of which coupons somebody doubts it, and which shards
//! have a stream since this process made it.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use ::redis::{Value, pipe};
use tokio::sync::watch;

use super::{Error, Redis, Result, text};
use crate::domain::coupon::{CouponId, Shard};
use crate::domain::limits::SUSPECTS_MAX;

/// Fields of a coupon's hash that scripts count with.
const NUMBERS: [&str; 11] = [
    "epoch",
    "version",
    "stock_version",
    "total",
    "remaining",
    "held",
    "held_until_ms",
    "last_serial",
    "issued",
    "per_user_limit",
    "act_no",
];
/// The others that issuing needs.
const WORDS: [&str; 6] = ["id", "state", "key_id", "opens_at_ms", "closes_at_ms", "valid_for_ms"];

/// Coupons that a script did not find although their rows say that they were preloaded; cheap to
/// clone. Whoever sweeps takes them.
#[derive(Debug, Clone, Default)]
pub struct Suspects(Arc<Mutex<BTreeSet<CouponId>>>);

impl Suspects {
    /// Tells that this coupon was not found. At the bound it is left to the sweep.
    pub fn add(&self, id: &CouponId) {
        let mut suspects = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if suspects.len() < SUSPECTS_MAX {
            suspects.insert(id.clone());
        }
    }

    /// Takes all of them.
    pub fn take(&self) -> BTreeSet<CouponId> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Shards of which this process preloaded a coupon, a bit each; cheap to clone.
#[derive(Debug, Clone)]
pub struct Preloaded(Arc<watch::Sender<u16>>);

impl Default for Preloaded {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(0)))
    }
}

impl Preloaded {
    /// Tells that this shard has its stream.
    pub fn add(&self, shard: Shard) {
        let bit = 1 << shard.number();
        self.0.send_if_modified(|shards| {
            let is_new = *shards & bit == 0;
            *shards |= bit;
            is_new
        });
    }

    /// Hears of every shard that is new from now on; of one that was told before, never again.
    pub fn new_ones(&self) -> watch::Receiver<u16> {
        self.0.subscribe()
    }
}

/// Those of these coupons of which a key is gone or damaged, so that nothing is issued: the
/// hash, the holders, or the stream or the count of their shard. Writes nothing; one trip for
/// all of them.
///
/// # Errors
/// Those of any call.
pub async fn without_their_keys(redis: &Redis, ids: &[CouponId]) -> Result<Vec<CouponId>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let shards: BTreeSet<Shard> = ids.iter().map(CouponId::shard).collect();
    let mut questions = pipe();
    for shard in &shards {
        questions.cmd("EXISTS").arg(redis.keys().records(*shard));
        questions.cmd("XLEN").arg(redis.keys().records(*shard));
        questions.cmd("GET").arg(redis.keys().unpersisted(*shard));
    }
    for id in ids {
        let [coupon, holders, ..] = redis.keys().of_coupon(id);
        questions.cmd("HMGET").arg(coupon).arg(&NUMBERS).arg(&WORDS);
        questions.cmd("HEXISTS").arg(holders).arg("");
    }
    let mut connection = redis.pooled().await?;
    let replies = questions.ignore_errors().query_async(&mut connection).await;
    let replies: Vec<Value> = replies.map_err(Error::of_call)?;
    let mut replies = replies.iter();
    let mut whole = BTreeSet::new();
    for shard in shards {
        if are(&mut replies, &[is_one, is_number, is_number])? {
            whole.insert(shard);
        }
    }
    let mut missing = Vec::new();
    for id in ids {
        if !are(&mut replies, &[is_coupon, is_one])? || !whole.contains(&id.shard()) {
            missing.push(id.clone());
        }
    }
    Ok(missing)
}

/// Whether the next replies are all as they are to be. A key of another type is not.
fn are(replies: &mut std::slice::Iter<'_, Value>, to_be: &[fn(&Value) -> bool]) -> Result<bool> {
    let mut are_all = true;
    for is_whole in to_be {
        are_all &= match replies.next() {
            None => return Err(Error::Malformed("page of coupons")),
            Some(Value::ServerError(error)) if error.code() == "WRONGTYPE" => false,
            Some(Value::ServerError(error)) => return Err(Error::of_call(error.clone().into())),
            Some(reply) => is_whole(reply),
        };
    }
    Ok(are_all)
}

fn is_one(reply: &Value) -> bool {
    *reply == Value::Int(1)
}

fn is_number(reply: &Value) -> bool {
    matches!(reply, Value::Int(_)) || text(reply).is_some_and(|text| text.parse::<i64>().is_ok())
}

fn is_coupon(reply: &Value) -> bool {
    let Value::Array(fields) = reply else { return false };
    let (numbers, words) = fields.split_at(NUMBERS.len().min(fields.len()));
    numbers.iter().all(is_number) && words.iter().all(|word| *word != Value::Nil)
}
