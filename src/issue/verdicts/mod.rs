//! Refusals that need not be asked again for a moment (P1 steps 5 to 7 and 12).
//!
//! With its answers Redis tells a lease: how long a refusal cannot become untrue, whatever happens
//! to the coupon. Until it ends, counted from before the question was sent, every request that is
//! refused by it is answered here. One request in fifty milliseconds still asks, and renews it.
//! When no lease is in force, everybody asks. An id that nobody knows has no lease: whoever won at
//! another server, right after the preload, would be told that there is no such coupon.

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

/// A lease is renewed from this long before its end, and asked for again this long after a question
/// that found no answer.
const RENEW_MS: u64 = LEASE_MAX_MS / 2;
/// A verdict and its filter are kept at least this long after the last lease, and longer while
/// nobody else needs the place: a paused coupon goes on with its filter.
const KEPT_MS: u64 = 1_000;
/// Verdicts that are forgotten under one lock.
const FORGOTTEN_AT_ONCE: usize = 64;

/// Which state of a coupon a verdict is about. Only a greater one replaces it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Standing {
    pub epoch: u32,
    /// Its stock version: an earlier coupon that had this id, before Redis and the database were
    /// emptied, had lower ones, whatever its version was.
    pub stock_version: u64,
    pub version: u64,
}

/// Which stock of a coupon a filter is about. Whoever can join its holders does so at another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stock {
    pub epoch: u32,
    /// Its stock version.
    pub version: u64,
}

/// Why everybody is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    /// No stock. Holders are told their tickets, and claims above the limit another word.
    SoldOut { total: u64, per_user_limit: u8 },
    /// Before the window, and nobody has a ticket yet. It opens at the moment `opens`.
    NotOpen { opens_at: UnixMs, opens: Moment },
}

struct Verdict {
    standing: Standing,
    stock: Stock,
    reason: Reason,
    until: Moment,
    /// From when on the next request asks Redis.
    renew_from: AtomicU64,
    /// The holders at exactly this stock. It outlives a pause: nobody joins them by that.
    holders: Option<HoldersFilter>,
}

/// The verdicts of a process; shared by its workers.
#[derive(Default)]
pub struct Verdicts {
    known: RwLock<HashMap<CouponId, Verdict>>,
    unfiltered: Notify,
    room: Arc<Room>,
    /// Whether somebody found no place or no room since the last look for what may go.
    is_short: AtomicBool,
}

impl Verdicts {
    /// The refusal of a request by a verdict in force; `None` when Redis is to be asked.
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
                    caller.is_new || !verdict.holders.as_ref()?.may_hold(&caller.user_id, claim);
                if !is_stranger || claim.number() > per_user_limit {
                    return None;
                }
                Outcome::SoldOut { total }
            }
            Reason::NotOpen { opens_at, opens } => {
                Outcome::NotOpen { opens_at, opens_in_ms: (opens - now).as_millis() as u64 }
            }
        };
        // Only a refusal renews a lease, so only who would be refused is sent for one.
        (!verdict.is_renewed_by_this(now)).then_some(refusal)
    }

    /// Learns from what Redis answered to a question that was sent at `sent`.
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
            // Redis tells whole milliseconds: it may open up to one earlier than the difference.
            let lease_ms = lease_ms.min(opens_in_ms.saturating_sub(1));
            self.put(coupon_id, verdict(reason, lease_ms));
        }
    }

    fn put(&self, coupon_id: &CouponId, mut new: Verdict) {
        // A large filter goes back to the system when nobody waits for the lock.
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

    /// Sold-out coupons that are asked for right now and have no filter.
    pub(super) fn without_filter(&self, now: Moment) -> Vec<(CouponId, Stock)> {
        let known = self.read();
        let wanted = known.iter().filter(|(_, verdict)| verdict.wants_filter(now));
        wanted.map(|(coupon_id, verdict)| (coupon_id.clone(), verdict.stock)).collect()
    }

    /// Whether a coupon is asked for right now, at this stock, and has no filter.
    pub(super) fn wants(&self, now: Moment, coupon_id: &CouponId, stock: Stock) -> bool {
        let known = self.read();
        let verdict = known.get(coupon_id);
        verdict.is_some_and(|verdict| verdict.stock == stock && verdict.wants_filter(now))
    }

    /// An empty filter for this many holders; `None` when there is no room for it now.
    pub(super) fn filter_for(&self, holders: usize) -> Option<HoldersFilter> {
        let filter = HoldersFilter::for_holders(holders, &self.room);
        if filter.is_none() {
            self.is_short.store(true, Ordering::Relaxed);
            metrics::verdict_left_out("filters");
        }
        filter
    }

    /// Gives a verdict the holders of its coupon at exactly this stock; one that comes too late
    /// is dropped.
    pub(super) fn attach(&self, coupon_id: &CouponId, stock: Stock, holders: HoldersFilter) {
        if let Some(verdict) = self.write().get_mut(coupon_id)
            && verdict.stock == stock
        {
            verdict.holders = Some(holders);
        }
    }

    /// Forgets what nobody asks for any more, with its filters, if somebody needs the place. It is
    /// looked for beside the requests, and taken out few by few: no request waits for it.
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
                // It may have been asked for again meanwhile.
                if known.get(coupon_id).is_some_and(is_over) {
                    forgotten.push(known.remove(coupon_id));
                }
            }
            // Large filters go back to the system when nobody waits for the lock.
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
    /// In force for this long from the moment at which its question was sent.
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

    /// Whether this request is the one that asks for all others. When its answer gets lost, another
    /// one is due after [`RENEW_MS`].
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
