//! Checks that the keys of coupons exist and are complete.

use std::collections::BTreeSet;

use ::redis::{Value, pipe};

use super::terms::{Stock, Terms};
use super::{Error, Redis, Result, text};
use crate::domain::coupon::{CouponId, Shard};

/// Returns those of these coupons that lack a key, or have a damaged one, so that nothing is
/// issued: the hash, the holders, or the stream or the count of their shard. A coupon that is being
/// recovered is one of them. Writes nothing; one
/// round trip for all of them.
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
        questions.cmd("HMGET").arg(coupon).arg("terms").arg("act_no");
        questions.cmd("HGET").arg(holders).arg("");
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
        if !are(&mut replies, &[is_coupon, is_stock])? || !whole.contains(&id.shard()) {
            missing.push(id.clone());
        }
    }
    Ok(missing)
}

/// Whether each of the next replies passes its check. A key of another type does not.
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
    let [terms, act_no] = fields.as_slice() else { return false };
    let is_whole = |terms: Terms<'_>| terms.state != "recovering";
    text(terms).and_then(Terms::parse).is_some_and(is_whole) && is_number(act_no)
}

fn is_stock(reply: &Value) -> bool {
    text(reply).and_then(Stock::parse).is_some()
}

/// Whether Redis may lack tickets of this preloaded coupon: its life is not proven, or the coupon
/// is being recovered.
///
/// # Errors
/// Those of any call.
pub async fn may_lack_tickets(redis: &Redis, id: &CouponId) -> Result<bool> {
    let is_proven = redis.generation().proven().is_ok();
    Ok(!is_proven || !without_their_keys(redis, std::slice::from_ref(id)).await?.is_empty())
}

/// Whether a recovery has stopped this coupon.
///
/// # Errors
/// Those of any call.
pub async fn is_being_recovered(redis: &Redis, id: &CouponId) -> Result<bool> {
    let mut connection = redis.pooled().await?;
    let mut question = ::redis::cmd("HMGET");
    question.arg(redis.keys().coupon(id)).arg("recovery");
    let found: Value = question.query_async(&mut connection).await.map_err(Error::of_call)?;
    Ok(matches!(found, Value::Array(fields) if fields.iter().all(is_number)))
}
