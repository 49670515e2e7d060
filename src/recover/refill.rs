//! The recovery of one coupon: everything becomes rows, the rows become held tickets, and it is
//! reopened (P2 steps 9 and 10).

use std::collections::BTreeSet;

use super::error::{Error, Result};
use super::plan::{Known, Told, plan};
use super::union::Left;
use crate::domain::act::{Act, Change};
use crate::domain::coupon::{CouponId, Shard};
use crate::domain::dead_letter::DeadLetter;
use crate::domain::limits::PAGE_MAX_ROWS;
use crate::domain::ticket::{Serial, Status, Ticket, TicketId};
use crate::domain::time::UnixMs;
use crate::domain::user::holder_field;
use crate::lua::recover::Stopped;
use crate::lua::refill::{self, refill};
use crate::lua::reopen::{self, reopen};
use crate::redis::generation::Accepted;
use crate::redis::holders::HeldTicket;
use crate::store::{Counts, TicketRow};

/// The log tells of a large coupon each time that so many of its tickets are in Redis.
const TOLD_EVERY_TICKETS: u64 = 100_000;

/// What a recoverer needs for the coupons of one recovery.
pub(super) struct Refill<'a> {
    pub(super) left: Left<'a>,
    pub(super) now: UnixMs,
    /// Whether the level allows no loss of what was told.
    pub(super) must_keep: bool,
    /// Whether a process is gone that may have told what is in no row.
    pub(super) is_unknown: bool,
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
            self.left.drain(id.shard()).await?;
            drained.insert(id.shard());
        }
        self.left.save_holders(id).await?;
        let start = self.left.store.last_epoch(id).await?;
        let first = start.map_or(Serial(1), |start| start.first_serial);
        let Some((held, of_epoch)) = self.refill(id, first).await? else { return Ok(()) };
        let coupon = self.left.store.find_coupon(id).await?.ok_or(Error::LacksAct)?;
        if !coupon.state.is_in_redis() {
            return Ok(());
        }
        let acts = self.acts_of(id).await?;
        // After the acts: a ticket that is cancelled from now on is returned by a later act.
        let counts = self.left.store.counts(id).await?;
        let is_same = |of: fn(&Counts) -> u64| of(&counts) == of(&held);
        if !(is_same(|of| of.rows) && is_same(|of| of.cancelled) && is_same(|of| of.parked)) {
            return Err(Error::Moved);
        }
        let told = Told {
            is_restored: self.is_restored(id, acts.last()).await?,
            ..self.told(id, first, of_epoch).await?
        };
        let known = Known { coupon, acts, start, counts, told, stopped, now: self.now };
        let plan = plan(known, self.left.accepted.epoch).ok_or(Error::LacksAct)?;
        self.left.lease.renew().await?;
        self.left.store.begin_epoch(id, &plan.start).await?;
        let args = reopen::Args {
            replid: &self.left.accepted.replid,
            epoch: self.left.accepted.epoch,
            coupon_id: id,
            terms: &plan.terms,
            held: counts.rows + counts.parked,
            remaining: plan.start.stock,
            last_serial: Serial(plan.start.first_serial.0 - 1),
            issued: counts.issued(),
            returned: counts.cancelled,
            act_no: plan.start.act_no,
            act_token: &plan.token,
            act_result: &plan.result,
            withheld: plan.start.withheld,
        };
        match reopen(self.left.redis, &args).await? {
            reopen::Reply::Reopened | reopen::Reply::Fenced => Ok(()),
            reopen::Reply::Differs(_) => Err(Error::Moved),
            reopen::Reply::OtherGeneration => Err(crate::redis::Error::OtherGeneration.into()),
        }
    }

    /// What was told and is in no row. All serials up to one that was told were issued.
    async fn told(&self, id: &CouponId, first: Serial, rows: u64) -> Result<Told> {
        if !self.must_keep {
            return Ok(Told::default());
        }
        let mark = self.left.store.greatest_mark(id).await?;
        let issued = mark.map_or(0, |last| (last.0 + 1).saturating_sub(first.0));
        let lost = issued.saturating_sub(rows);
        Ok(Told { is_unknown: self.is_unknown, lost, ..Told::default() })
    }

    /// Whether the ticket of this act, if it is a restore, is a row.
    async fn is_restored(&self, id: &CouponId, last: Option<&Act>) -> Result<bool> {
        let Some(Change::Restore { serial, user_id, .. }) = last.map(|act| &act.change) else {
            return Ok(false);
        };
        let ticket_id = TicketId { coupon_id: id.clone(), serial: Serial(*serial) };
        let row = self.left.store.find_ticket(&ticket_id).await?;
        Ok(row.is_some_and(|row| row.ticket.user_id.as_str() == user_id))
    }

    /// Puts all rows and parked tickets into Redis as held tickets, and counts them, and those from
    /// this serial on; `None` when the coupon is not in this recovery. The next page of rows is
    /// read while Redis takes the last one.
    async fn refill(&self, id: &CouponId, first: Serial) -> Result<Option<(Counts, u64)>> {
        let store = self.left.store;
        let (mut counts, mut of_epoch) = (Counts::default(), 0);
        let mut rows = store.tickets_of_coupon(id, Serial(0), PAGE_MAX_ROWS).await?;
        loop {
            let page: Vec<_> = rows.iter().map(held_of_row).collect();
            let is_first = counts.rows == 0;
            let cancelled = rows.iter().filter(|row| row.status == Status::Cancelled).count();
            counts.rows += rows.len() as u64;
            of_epoch += rows.iter().filter(|row| row.ticket.serial >= first).count() as u64;
            counts.cancelled += cancelled as u64;
            counts.last_serial = rows.last().map_or(counts.last_serial, |row| row.ticket.serial.0);
            let after = Serial(counts.last_serial);
            let (refilled, next) = tokio::join!(
                self.put(id, is_first, &page),
                store.tickets_of_coupon(id, after, PAGE_MAX_ROWS),
            );
            if !refilled? {
                return Ok(None);
            }
            rows = next?;
            if rows.is_empty() {
                break;
            }
            if counts.rows % TOLD_EVERY_TICKETS == 0 {
                tracing::info!(coupon.id = %id, tickets = counts.rows, "being recovered");
            }
        }
        let mut after = String::new();
        loop {
            let letters = store.parked_tickets(id, &after, PAGE_MAX_ROWS).await?;
            let Some(last) = letters.last() else { return Ok(Some((counts, of_epoch))) };
            after.clone_from(&last.id);
            let tickets: Vec<Ticket> = letters.iter().filter_map(DeadLetter::ticket).collect();
            counts.parked += tickets.len() as u64;
            of_epoch += tickets.iter().filter(|ticket| ticket.serial >= first).count() as u64;
            let page: Vec<_> = tickets.iter().map(|ticket| held_of(ticket, false)).collect();
            if !self.put(id, false, &page).await? {
                return Ok(None);
            }
        }
    }

    /// Puts a page of held tickets into Redis; false when the coupon is not in this recovery.
    async fn put(
        &self,
        coupon_id: &CouponId,
        is_first: bool,
        page: &[(String, String)],
    ) -> Result<bool> {
        self.left.lease.keep().await?;
        let Accepted { replid, epoch, .. } = self.left.accepted;
        let args = refill::Args { replid, epoch: *epoch, coupon_id, is_first, page };
        match refill(self.left.redis, &args).await? {
            refill::Reply::Refilled => Ok(true),
            refill::Reply::Fenced => Ok(false),
            refill::Reply::OtherGeneration => Err(crate::redis::Error::OtherGeneration.into()),
        }
    }

    async fn acts_of(&self, id: &CouponId) -> Result<Vec<Act>> {
        let mut acts: Vec<Act> = Vec::new();
        loop {
            let after = acts.last().map_or(0, |act| act.act_no);
            let page = self.left.store.list_acts(id, after, PAGE_MAX_ROWS).await?;
            let is_last = page.len() < PAGE_MAX_ROWS as usize;
            acts.extend(page.into_iter().map(|logged| logged.act));
            if is_last {
                return Ok(acts);
            }
        }
    }
}

fn held_of_row(row: &TicketRow) -> (String, String) {
    held_of(&row.ticket, row.status == Status::Cancelled)
}

fn held_of(ticket: &Ticket, is_cancelled: bool) -> (String, String) {
    let held = HeldTicket {
        serial: ticket.serial,
        issued_at: ticket.issued_at,
        epoch: ticket.epoch,
        is_cancelled,
    };
    (holder_field(&ticket.user_id, ticket.claim), held.to_string())
}
