//! The states of coupons, from Redis and from the rows.

use super::error::Error;
use crate::domain::coupon::{Coupon, CouponId, State};
use crate::domain::time::UnixMs;
use crate::lua::audit::{self, Balance};
use crate::redis::Redis;
use crate::store::{Archive, Store};

/// The state and the stock of a coupon right now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CouponState {
    /// Its state as admins see it.
    pub state: &'static str,
    /// Tickets ever issued; `None` if Redis does not have the coupon or does not answer.
    pub issued: Option<u64>,
    /// Stock that nobody has; `None` as above.
    pub remaining: Option<u64>,
}

/// The state of each coupon as admins see it.
pub(super) async fn of_all(redis: &Redis, coupons: &[Coupon]) -> Vec<CouponState> {
    let preloaded = coupons.iter().filter(|coupon| coupon.state.is_in_redis());
    let ids: Vec<&CouponId> = preloaded.map(|coupon| &coupon.definition.id).collect();
    let replies = match ids.as_slice() {
        [] => Vec::new(),
        ids => audit::audit_all(redis, ids).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "the states of coupons are unknown");
            Vec::new()
        }),
    };
    let mut replies = replies.into_iter();
    let without_stock = |state| CouponState { state, issued: None, remaining: None };
    let state = |coupon: &Coupon| match coupon.state {
        State::Draft => without_stock("draft"),
        State::Archived => {
            CouponState { issued: Some(coupon.persisted), ..without_stock("archived") }
        }
        _ => match replies.next() {
            Some(Ok(audit::Reply::Balance(balance))) => CouponState {
                state: at(&balance, balance.now),
                issued: Some(balance.issued),
                remaining: Some(balance.remaining),
            },
            Some(Ok(audit::Reply::Unknown)) => without_stock("recovering"),
            Some(Err(error)) => {
                tracing::warn!(%error, coupon.id = %coupon.definition.id, "state unknown");
                without_stock("unknown")
            }
            None => without_stock("unknown"),
        },
    };
    coupons.iter().map(state).collect()
}

/// The balance of a coupon by its row: of an archived one as it was when it left Redis.
pub(super) async fn balance_of(
    redis: &Redis,
    store: &dyn Store,
    coupon: &Coupon,
) -> Result<Box<Balance>, Error> {
    let id = &coupon.definition.id;
    let archive = match coupon.state {
        State::Archived => store.find_archive(id).await?.ok_or(Error::CouponNotFound)?,
        _ => match balance(redis, id).await {
            // It may have been archived since its row was read.
            Err(Error::Recovering) => store.find_archive(id).await?.ok_or(Error::Recovering)?,
            balance => return balance,
        },
    };
    let epoch = store.last_epoch(id).await?.map_or(1, |start| start.epoch);
    Ok(Box::new(archived(coupon, &archive, epoch, redis.time().await?)))
}

fn archived(coupon: &Coupon, archive: &Archive, epoch: u32, now: UnixMs) -> Balance {
    let definition = &coupon.definition;
    let out = archive.tickets.saturating_sub(archive.cancelled);
    let remaining = definition.total.saturating_sub(out);
    Balance {
        now,
        state: "closed".to_owned(),
        epoch,
        version: coupon.version,
        total: definition.total,
        available: remaining,
        remaining,
        embargoed: 0,
        withheld: 0,
        issued: archive.tickets,
        returned: archive.cancelled,
        last_serial: archive.last_serial.0,
        holders: archive.tickets,
        per_user_limit: definition.per_user_limit,
        opens_at: definition.opens_at,
        closes_at: definition.closes_at,
        act_no: coupon.act_no,
        act_token: String::new(),
        unwritten: None,
        shard_records: 0,
        shard_pending: 0,
        shard_unpersisted: 0,
    }
}

/// The balance of a coupon that Redis has.
pub(super) async fn balance(redis: &Redis, id: &CouponId) -> Result<Box<Balance>, Error> {
    match audit::audit(redis, id).await? {
        audit::Reply::Balance(balance) => Ok(balance),
        audit::Reply::Unknown => Err(Error::Recovering),
    }
}

/// The row of a coupon that was preloaded.
pub(super) async fn preloaded(store: &dyn Store, id: &CouponId) -> Result<Coupon, Error> {
    let coupon = store.find_coupon(id).await?;
    coupon.filter(|coupon| coupon.state != State::Draft).ok_or(Error::CouponNotFound)
}

/// The public state of a coupon at this time of Redis, in the same order of checks as in
/// `issue.lua`.
pub(super) fn at(balance: &Balance, now: UnixMs) -> &'static str {
    let is_over = balance.closes_at.is_some_and(|at| at <= now);
    let is_early = balance.opens_at.is_some_and(|at| now < at);
    match balance.state.as_str() {
        "recovering" => "recovering",
        "closed" => "closed",
        _ if is_over => "closed",
        _ if is_early => "scheduled",
        "paused" => "paused",
        _ if balance.available == 0 => "sold_out",
        _ => "open",
    }
}
