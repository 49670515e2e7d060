//! How an act is carried out: intended, applied, recorded. Repeating any step is harmless, so
//! after a lost reply or a crash any process can finish the act (I8, P9 steps 1-3).

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use super::diverged::Diverged;
use super::refusal::Refusal;
use super::request::Request;
use super::restored::ticket_of;
use crate::domain::act::{Act, ActResult, Applied, Change, NewAct};
use crate::domain::coupon::{Coupon, CouponId};
use crate::domain::limits::GIVE_WAY;
use crate::domain::time::UnixMs;
use crate::lua::state::{StateChange, change_state};
use crate::lua::{self, ActArgs, ActReply};
use crate::redis::Redis;
use crate::redis::generation::Accepted;
use crate::store::{Intended, Store};
use crate::telemetry::health::Health;

/// Carries out acts; cheap to clone.
#[derive(Clone)]
pub(super) struct Acts {
    pub(super) redis: Redis,
    pub(super) store: Arc<dyn Store>,
    pub(super) now: fn() -> UnixMs,
    pub(super) diverged: Diverged,
    /// Set at the start, whenever the database was away, and when an act went to Redis first.
    pub(super) redis_may_be_ahead: Arc<AtomicBool>,
}

impl Acts {
    pub(super) fn new(redis: Redis, store: Arc<dyn Store>, now: fn() -> UnixMs) -> Self {
        let diverged = Diverged::new(redis.clone(), store.clone());
        let redis_may_be_ahead = Arc::new(AtomicBool::new(true));
        Self { redis, store, now, diverged, redis_may_be_ahead }
    }

    /// Reports diverged coupons to this register.
    pub(super) fn reporting_to(self, health: Health) -> Self {
        Self { diverged: self.diverged.told_to(health), ..self }
    }

    pub(super) async fn coupon(&self, id: &CouponId) -> Result<Coupon, Refusal> {
        self.store.find_coupon(id).await?.ok_or(Refusal::CouponNotFound)
    }

    /// Intends an act and carries it out.
    pub(super) async fn act(
        &self,
        id: &CouponId,
        change: Change,
        request: &Request,
    ) -> Result<Applied, Refusal> {
        let new = self.new_act(id, change, request);
        let since = Instant::now();
        while since.elapsed() < GIVE_WAY {
            match self.store.intend_act(&new).await? {
                Intended::New(act) => return self.carry_out(&act).await,
                Intended::Repeated(act) | Intended::AlreadyPreloaded(act) => {
                    return match &act.result {
                        Some(result) => told(result),
                        None => self.carry_out(&act).await,
                    };
                }
                Intended::Busy(other) => self.give_way(&other).await?,
                Intended::KeyReused => return Err(Refusal::KeyReused),
                Intended::Unknown => return Err(Refusal::CouponNotFound),
                Intended::Archived => return Err(Refusal::Archived),
                Intended::VersionConflict(current) => {
                    let seen = request.if_version.unwrap_or_default();
                    return Err(Refusal::VersionConflict { seen, current });
                }
            }
        }
        Err(Refusal::ActInProgress)
    }

    fn new_act(&self, id: &CouponId, change: Change, request: &Request) -> NewAct {
        NewAct {
            coupon_id: id.clone(),
            change,
            idempotency_key: request.idempotency_key.clone(),
            if_version: request.if_version,
            who: request.who,
            at: (self.now)(),
        }
    }

    /// Finishes an act of another caller, who gets its result.
    pub(super) async fn give_way(&self, other: &Act) -> Result<(), Refusal> {
        match self.carry_out(other).await {
            Ok(_) | Err(Refusal::BelowIssued { .. } | Refusal::TotalTooLarge { .. }) => Ok(()),
            Err(Refusal::NotRestored) => Ok(()),
            // `ActInProgress`: other processes finished it and went on.
            Err(Refusal::AlreadyClosed | Refusal::Superseded | Refusal::ActInProgress) => Ok(()),
            Err(refusal) => Err(refusal),
        }
    }

    /// Applies an intended act in Redis and records the result in the database.
    pub(super) async fn carry_out(&self, act: &Act) -> Result<Applied, Refusal> {
        let accepted = self.redis.generation().proven().map_err(Refusal::Unproven)?;
        let recovering = |sentence| Err(Refusal::Recovering(sentence));
        match self.apply(&accepted, act).await? {
            ActReply::Decided(result) => {
                // Another process may have recorded it meanwhile: each act is logged once among
                // all processes.
                if self.store.record_act(act, &result).await? {
                    log(act, &result);
                }
                told(&result)
            }
            ActReply::Diverged(_) => Err(self.diverged.refusal_of(&act.coupon_id)),
            ActReply::OutOfOrder(last) if last > act.act_no => self.finished_by_others(act).await,
            ActReply::OutOfOrder(_) => recovering("Redis lacks acts that the database has"),
            ActReply::Recovering => recovering("the coupon waits for its recovery"),
            ActReply::Unknown => recovering("Redis lacks a coupon that was preloaded"),
            ActReply::StaleEpoch(_) => {
                self.redis.generation().outdated();
                recovering("the coupon was recovered; retry")
            }
            ActReply::OtherGeneration => {
                self.redis.generation().doubt();
                recovering("Redis changed; retry")
            }
        }
    }

    /// The result of an act that others finished before they went on to the next one. Redis went
    /// on, so the act is recorded by now; if it is not, the database lost the acts of Redis.
    async fn finished_by_others(&self, act: &Act) -> Result<Applied, Refusal> {
        let found = self.store.find_act(&act.coupon_id, act.act_no).await?;
        match found.filter(|found| found.token() == act.token()).and_then(|found| found.result) {
            Some(result) => told(&result),
            None => Err(self.diverged.refusal_of(&act.coupon_id)),
        }
    }

    async fn apply(&self, accepted: &Accepted, act: &Act) -> Result<ActReply, Refusal> {
        let (coupon_id, token) = (&act.coupon_id, &act.token());
        let args = ActArgs { accepted, coupon_id, act_no: act.act_no, token };
        let redis = &self.redis;
        Ok(match &act.change {
            Change::Preload => {
                let coupon = self.coupon(&act.coupon_id).await?;
                let args = lua::preload::Args {
                    accepted,
                    definition: &coupon.definition,
                    key_id: &coupon.key_id,
                    version: coupon.version + 1,
                    token,
                    // Greater than the stock version of every act of an earlier coupon with this
                    // id.
                    stock_version: act.intended_at.0.max(1).unsigned_abs(),
                };
                let reply = lua::preload::preload(redis, &args).await?;
                redis.preloaded().add(coupon.shard);
                reply
            }
            Change::Restock { delta } => {
                let args = lua::restock::Args { act: args, delta: *delta };
                lua::restock::restock(redis, &args).await?
            }
            Change::Window { opens_at_ms, closes_at_ms, per_user_limit } => {
                let args = lua::window::Args {
                    act: args,
                    opens_at_ms: *opens_at_ms,
                    closes_at_ms: *closes_at_ms,
                    per_user_limit: *per_user_limit,
                };
                lua::window::window(redis, &args).await?
            }
            Change::Pause => change_state(redis, args, StateChange::Pause).await?,
            Change::Resume => change_state(redis, args, StateChange::Resume).await?,
            Change::Close => change_state(redis, args, StateChange::Close).await?,
            Change::Release => lua::release::release(redis, args).await?,
            Change::Restore { .. } => {
                let ticket = ticket_of(&act.coupon_id, &act.change);
                let ticket = &ticket.ok_or(Refusal::TicketNotFound)?;
                let args = lua::restore::Args { act: args, ticket };
                lua::restore::restore(redis, &args).await?
            }
            Change::Return { returns } => {
                let args = lua::r#return::Args { act: args, returns };
                lua::r#return::return_tickets(redis, &args).await?
            }
        })
    }
}

/// One log line for each act of an admin. A request that finishes another caller's act logs it
/// under its own request id: `who` says who asked for the act.
fn log(act: &Act, result: &ActResult) {
    let (kind, delta, who) = (act.change.word(), act.change.delta(), act.who.word());
    let act_no = act.act_no;
    tracing::info!(coupon.id = %act.coupon_id, act_no, kind, delta, who, %result, "act");
}

/// What a script refused becomes a refusal to the caller.
pub(super) fn told(result: &ActResult) -> Result<Applied, Refusal> {
    match result {
        ActResult::Applied(applied) => Ok(*applied),
        ActResult::Refused(refusal) => Err((*refusal).into()),
    }
}
