//! Verdicts: refusals that a process repeats from memory for a moment (P1 steps 5 to 7 and 12).
//!
//! With its answers Redis gives a lease: the time for which a refusal stays true, whatever happens
//! to the coupon. It counts from before the call was sent. Until it ends, every request that the
//! verdict refuses is answered here; only one request per 50 ms still goes to Redis, and renews the
//! lease. Without a lease in force, all requests go to Redis. There is no lease for an unknown id:
//! right after a preload, a user who won at another server would hear that there is no such coupon.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use tokio::sync::Notify;

use super::holders_filter::{HoldersFilter, Room};
use crate::auth::Caller;
use crate::domain::coupon::CouponId;
use crate::domain::limits::{LEASE_MAX_MS, VERDICTS_MAX};
use crate::domain::outcome::Outcome;
use crate::domain::time::UnixMs;
use crate::domain::user::Claim;
use crate::lookups::Moment;
use crate::lua::issue::{Answer, Answered};
use crate::telemetry::metrics;

/// A lease is renewed from this long before its end. If the renewing request gets no answer,
/// another one follows after this time.
const RENEW_MS: u64 = LEASE_MAX_MS / 2;
/// A verdict and its filter are kept at least this long after the last lease, and longer if no
/// other coupon needs the room, so that a paused coupon can use its filter again.
const KEPT_MS: u64 = 1_000;
/// Verdicts that are removed during one lock.
const FORGOTTEN_AT_ONCE: usize = 64;

/// The state of a coupon that a verdict is about. Only a greater one replaces it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Standing {
    pub epoch: u32,
    /// If Redis and the database were emptied, an earlier coupon with this id had lower stock
    /// versions, but may have had a greater version.
    pub stock_version: u64,
    pub version: u64,
}

/// The stock of a coupon that a filter is about. As long as it is the same, the coupon gets no new
/// holders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stock {
    pub epoch: u32,
    /// Its stock version.
    pub version: u64,
}

/// Why all requests without a ticket are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    /// No stock. Holders get their tickets, and claims above the limit another answer.
    SoldOut { total: u64, per_user_limit: u8 },
    /// Before the window, and no ticket is issued yet. The window opens at the moment `opens`.
    NotOpen { opens_at: UnixMs, opens: Moment },
}

struct Verdict {
    standing: Standing,
    stock: Stock,
    reason: Reason,
    until: Moment,
    /// From this time on the next request goes to Redis.
    renew_from: AtomicU64,
    /// The holders at exactly this stock. A pause does not end it, because it adds no holders.
    holders: Option<HoldersFilter>,
}

/// The verdicts of a process; shared by its workers.
#[derive(Default)]
pub struct Verdicts {
    known: RwLock<HashMap<CouponId, Verdict>>,
    unfiltered: Notify,
    room: Arc<Room>,
    /// Whether a verdict or a filter did not fit since [`Verdicts::forget`] last ran.
    is_short: AtomicBool,
}

impl Verdicts {
    /// The refusal of a request by a verdict in force; `None` when the request must go to Redis.
    pub(super) fn refusal(
        &self,
        now: Moment,
        coupon_id: &CouponId,
        caller: &Caller,
        claim: Claim,
    ) -> Option<Outcome> {
        let known = self.read();
        let verdict = known.get(coupon_id)?;
        if now >= verdict.until {
            return None;
        }
        let refusal = match verdict.reason {
            Reason::SoldOut { total, per_user_limit } => {
                let is_stranger =
                    caller.is_new || !verdict.holders.as_ref()?.may_have(&caller.user_id, claim);
                if !is_stranger || claim.number() > per_user_limit {
                    return None;
                }
                Outcome::SoldOut { total }
            }
            Reason::NotOpen { opens_at, opens } => {
                Outcome::NotOpen { opens_at, opens_in_ms: (opens - now).as_millis() as u64 }
            }
        };
        // Only a refusal renews a lease, so only a request that would be refused is sent for it.
        (!verdict.is_renewed_by_this(now)).then_some(refusal)
    }

    /// Learns from the answer of Redis to a call that was sent at `sent`.
    pub(super) fn learn(&self, coupon_id: &CouponId, sent: Moment, answered: &Answered) {
        let has = |wanted: Answer| answered.answers.contains(&wanted);
        let Answered { epoch, version, stock_version, .. } = *answered;
        let standing = Standing { epoch, stock_version, version };
        let stock = Stock { epoch, version: stock_version };
        let lease_ms = answered.lease_ms.min(LEASE_MAX_MS);
        let verdict = |reason, lease_ms| Verdict::new(standing, stock, reason, sent, lease_ms);
        if has(Answer::SoldOut) {
            let (total, per_user_limit) = (answered.total, answered.per_user_limit);
            let reason = Reason::SoldOut { total, per_user_limit };
            self.put(coupon_id, verdict(reason, lease_ms));
        } else if has(Answer::NotOpen) && answered.is_untouched {
            let (opens_at, opens_in_ms) = answered.opening();
            let reason = Reason::NotOpen { opens_at, opens: sent.plus_ms(opens_in_ms) };
            // Redis gives whole milliseconds: the window may open up to 1 ms before the difference.
            let lease_ms = lease_ms.min(opens_in_ms.saturating_sub(1));
            self.put(coupon_id, verdict(reason, lease_ms));
        }
    }

    fn put(&self, coupon_id: &CouponId, mut new: Verdict) {
        // A large filter is freed after the lock is released.
        let mut over = None;
        let mut known = self.write();
        let is_full = known.len() >= VERDICTS_MAX;
        let is_left_out = is_full && !known.contains_key(coupon_id);
        let is_news = match known.get_mut(coupon_id) {
            Some(old) if old.standing > new.standing => false,
            Some(old) if old.standing == new.standing && old.until >= new.until => false,
            Some(old) => {
                match old.stock == new.stock {
                    true => new.holders = old.holders.take(),
                    false => over = old.holders.take(),
                }
                let is_news =
                    new.holders.is_none() && (old.standing != new.standing || !old.is_sold_out());
                *old = new;
                is_news
            }
            None if is_left_out => false,
            None => {
                known.insert(coupon_id.clone(), new);
                true
            }
        };
        drop(known);
        drop(over);
        if is_left_out {
            self.is_short.store(true, Ordering::Relaxed);
            metrics::verdict_left_out("verdicts");
        }
        if is_news {
            self.unfiltered.notify_one();
        }
    }

    /// Waits until a coupon may need a filter.
    pub async fn unfiltered(&self) {
        self.unfiltered.notified().await;
    }

    /// Sold-out coupons that are being requested and have no filter.
    pub(super) fn without_filter(&self, now: Moment) -> Vec<(CouponId, Stock)> {
        let known = self.read();
        let wanted = known.iter().filter(|(_, verdict)| verdict.wants_filter(now));
        wanted.map(|(coupon_id, verdict)| (coupon_id.clone(), verdict.stock)).collect()
    }

    /// Whether a coupon is being requested, has this stock, and has no filter.
    pub(super) fn wants(&self, now: Moment, coupon_id: &CouponId, stock: Stock) -> bool {
        let known = self.read();
        let verdict = known.get(coupon_id);
        verdict.is_some_and(|verdict| verdict.stock == stock && verdict.wants_filter(now))
    }

    /// An empty filter for this many holders; `None` if there is no room for it now.
    pub(super) fn filter_for(&self, holders: usize) -> Option<HoldersFilter> {
        let filter = HoldersFilter::for_holders(holders, &self.room);
        if filter.is_none() {
            self.is_short.store(true, Ordering::Relaxed);
            metrics::verdict_left_out("filters");
        }
        filter
    }

    /// Gives a verdict the holders of its coupon at exactly this stock; a filter that comes too
    /// late is dropped.
    pub(super) fn attach(&self, coupon_id: &CouponId, stock: Stock, holders: HoldersFilter) {
        if let Some(verdict) = self.write().get_mut(coupon_id)
            && verdict.stock == stock
        {
            verdict.holders = Some(holders);
        }
    }

    /// Removes verdicts, with their filters, that no request needs any more, if others need the
    /// room. It collects them without delaying requests, and removes a few at a time.
    pub(super) fn forget(&self, now: Moment) {
        if !self.is_short.swap(false, Ordering::Relaxed) {
            return;
        }
        let is_over = |verdict: &Verdict| verdict.until.plus_ms(KEPT_MS) < now;
        let known = self.read();
        let over = known.iter().filter(|(_, verdict)| is_over(verdict));
        let over: Vec<CouponId> = over.map(|(coupon_id, _)| coupon_id.clone()).collect();
        drop(known);
        for some in over.chunks(FORGOTTEN_AT_ONCE) {
            let mut known = self.write();
            let mut forgotten = Vec::with_capacity(some.len());
            for coupon_id in some {
                // It may have been requested again meanwhile.
                if known.get(coupon_id).is_some_and(is_over) {
                    forgotten.push(known.remove(coupon_id));
                }
            }
            // Large filters are freed after the lock is released.
            drop(known);
            drop(forgotten);
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, HashMap<CouponId, Verdict>> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, HashMap<CouponId, Verdict>> {
        self.known.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Verdict {
    /// A verdict that is in force for `lease_ms` from the moment at which its call was sent.
    fn new(standing: Standing, stock: Stock, reason: Reason, sent: Moment, lease_ms: u64) -> Self {
        let until = sent.plus_ms(lease_ms);
        let renew_from = AtomicU64::new(until.minus_ms(RENEW_MS).0);
        Self { standing, stock, reason, until, renew_from, holders: None }
    }

    fn is_sold_out(&self) -> bool {
        matches!(self.reason, Reason::SoldOut { .. })
    }

    fn wants_filter(&self, now: Moment) -> bool {
        self.is_sold_out() && self.holders.is_none() && self.until > now
    }

    /// Whether this request is the one that goes to Redis for all others. If its answer is lost,
    /// another one goes after [`RENEW_MS`].
    fn is_renewed_by_this(&self, now: Moment) -> bool {
        let due = self.renew_from.load(Ordering::Relaxed);
        let next = now.plus_ms(RENEW_MS).0;
        let taken = |from| {
            self.renew_from.compare_exchange(from, next, Ordering::Relaxed, Ordering::Relaxed)
        };
        now.0 >= due && taken(due).is_ok()
    }
}

#[cfg(test)]
mod chance;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
