//! The recovery of one coupon: everything becomes rows, the rows become held tickets, and it is
//! reopened (P2 steps 9 and 10).

use std::collections::BTreeSet;

use super::error::{Error, Result};
use super::lease::Lease;
use super::plan::{Known, plan};
use super::union::{drain, save_holders};
use crate::domain::act::Act;
use crate::domain::coupon::{CouponId, Shard};
use crate::domain::limits::PAGE_MAX_ROWS;
use crate::domain::ticket::{Serial, Status};
use crate::domain::time::UnixMs;
use crate::domain::user::holder_field;
use crate::lua::recover::Stopped;
use crate::lua::refill::{self, refill};
use crate::lua::reopen::{self, reopen};
use crate::redis::Redis;
use crate::redis::generation::Accepted;
use crate::redis::holders::HeldTicket;
use crate::store::{Counts, Store, TicketRow};

/// What a recoverer needs for the coupons of one recovery.
pub(super) struct Refill<'a> {
    pub(super) redis: &'a Redis,
    pub(super) store: &'a dyn Store,
    pub(super) lease: &'a Lease,
    pub(super) accepted: &'a Accepted,
    pub(super) now: UnixMs,
}

impl Refill<'_> {
    /// Recovers a stopped coupon. One that another recoverer has, or that is open already, is left
    /// as it is.
    pub(super) async fn recover(
        &self,
        drained: &mut BTreeSet<Shard>,
        id: &CouponId,
        stopped: &Stopped,
    ) -> Result<()> {
        if !drained.contains(&id.shard()) {
            drain(self.redis, self.store, self.accepted, id.shard()).await?;
            drained.insert(id.shard());
        }
        save_holders(self.redis, self.store, self.accepted, id).await?;
        let Some(held) = self.refill(id).await? else { return Ok(()) };
        let coupon = self.store.find_coupon(id).await?.ok_or(Error::LacksAct)?;
        let acts = self.acts_of(id).await?;
        let start = self.store.last_epoch(id).await?;
        // After the acts: a ticket that is cancelled from now on is returned by a later act.
        let counts = self.store.counts(id).await?;
        if (counts.rows, counts.cancelled) != (held.rows, held.cancelled) {
            return Err(Error::Moved);
        }
        let known = Known { coupon, acts, start, counts, stopped, now: self.now };
        let plan = plan(known, self.accepted.epoch).ok_or(Error::LacksAct)?;
        self.lease.renew().await?;
        self.store.begin_epoch(id, &plan.start).await?;
        let args = reopen::Args {
            replid: &self.accepted.replid,
            epoch: self.accepted.epoch,
            coupon_id: id,
            terms: &plan.terms,
            held: counts.rows,
            remaining: plan.start.stock,
            last_serial: Serial(plan.start.first_serial.0 - 1),
            issued: counts.rows + counts.contested,
            returned: counts.cancelled,
            act_no: plan.start.act_no,
            act_token: &plan.token,
            act_result: &plan.result,
        };
        match reopen(self.redis, &args).await? {
            reopen::Reply::Reopened | reopen::Reply::Fenced => Ok(()),
            reopen::Reply::Differs(_) => Err(Error::Moved),
            reopen::Reply::OtherGeneration => Err(crate::redis::Error::OtherGeneration.into()),
        }
    }

    /// Puts all rows into Redis as held tickets, and counts them; `None` when the coupon is not in
    /// this recovery.
    async fn refill(&self, id: &CouponId) -> Result<Option<Counts>> {
        let mut counts = Counts::default();
        loop {
            let after = Serial(counts.last_serial);
            let rows = self.store.tickets_of_coupon(id, after, PAGE_MAX_ROWS).await?;
            let page: Vec<_> = rows.iter().map(held_of).collect();
            let args = refill::Args {
                replid: &self.accepted.replid,
                epoch: self.accepted.epoch,
                coupon_id: id,
                is_first: counts.rows == 0,
                page: &page,
            };
            match refill(self.redis, &args).await? {
                refill::Reply::Refilled => {}
                refill::Reply::Fenced => return Ok(None),
                refill::Reply::OtherGeneration => {
                    return Err(crate::redis::Error::OtherGeneration.into());
                }
            }
            let cancelled = rows.iter().filter(|row| row.status == Status::Cancelled).count();
            counts.rows += rows.len() as u64;
            counts.cancelled += cancelled as u64;
            match rows.last() {
                Some(last) => counts.last_serial = last.ticket.serial.0,
                None => return Ok(Some(counts)),
            }
            if rows.len() < PAGE_MAX_ROWS as usize {
                return Ok(Some(counts));
            }
            self.lease.renew().await?;
        }
    }

    async fn acts_of(&self, id: &CouponId) -> Result<Vec<Act>> {
        let mut acts: Vec<Act> = Vec::new();
        loop {
            let after = acts.last().map_or(0, |act| act.act_no);
            let page = self.store.list_acts(id, after, PAGE_MAX_ROWS).await?;
            let is_last = page.len() < PAGE_MAX_ROWS as usize;
            acts.extend(page.into_iter().map(|logged| logged.act));
            if is_last {
                return Ok(acts);
            }
        }
    }
}

fn held_of(row: &TicketRow) -> (String, String) {
    let ticket = &row.ticket;
    let held = HeldTicket {
        serial: ticket.serial,
        issued_at: ticket.issued_at,
        epoch: ticket.epoch,
        is_cancelled: row.status == Status::Cancelled,
    };
    (holder_field(&ticket.user_id, ticket.claim), held.to_string())
}
