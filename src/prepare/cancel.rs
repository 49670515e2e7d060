//! Cancels are gathered: while an act of a coupon is under way, further cancels wait, and the next
//! act carries all of them, up to 500 (P9 steps 1 and 4). There is no timer: when nothing is under
//! way, a cancel goes at once and alone.

use std::collections::HashSet;
use std::time::Instant;

use tokio::sync::oneshot::error::TryRecvError;

use super::act::Acts;
use super::gathering::Gatherings;
use super::refusal::Refusal;
use crate::domain::coupon::CouponId;
use crate::domain::limits::GIVE_WAY;
use crate::domain::ticket::{Serial, TicketId};
use crate::domain::who::Who;
use crate::redis::{holders, presence};
use crate::store::Cancelled;

/// Cancels tickets; cheap to clone.
#[derive(Clone)]
pub(super) struct Cancels {
    acts: Acts,
    /// The gatherings that have waiting callers.
    gatherings: Gatherings,
}

impl Cancels {
    pub(super) fn new(acts: &Acts) -> Self {
        Self { acts: acts.clone(), gatherings: Gatherings::default() }
    }

    /// Cancels a ticket: its row changes and the return of its stock is intended in one
    /// transaction (P9 step 4). Cancelling a cancelled ticket changes nothing.
    ///
    /// # Errors
    /// [`Refusal::TicketNotFound`], [`Refusal::InProgress`] while there is no row yet, and those
    /// of an act.
    pub(super) async fn cancel(&self, id: &TicketId, who: Who) -> Result<(), Refusal> {
        let gathering = self.gatherings.of(&id.coupon_id, who);
        let mut told = gathering.join(id.serial)?;
        let _turn = gathering.turn.lock().await;
        loop {
            match told.try_recv() {
                Ok(Ok(true)) => return Ok(()),
                Ok(Ok(false)) => return Err(self.why_no_row(id).await),
                Ok(Err(refusal)) => return Err(refusal),
                // Nobody has carried it out yet.
                Err(TryRecvError::Empty) => {}
                // The caller that was carrying it out was dropped in the middle. Repeating is
                // harmless.
                Err(TryRecvError::Closed) => told = gathering.join(id.serial)?,
            }
            let together = gathering.take();
            let serials: Vec<Serial> = together.iter().map(|one| one.serial).collect();
            let done = self.cancel_all(&id.coupon_id, &serials, who).await;
            for one in together {
                let answer = match &done {
                    Ok(unknown) => Ok(!unknown.contains(&one.serial)),
                    Err(refusal) => Err(refusal.clone()),
                };
                // A caller that has left needs no answer.
                let _ = one.tell.send(answer);
            }
        }
    }

    /// Cancels tickets of one coupon by one act. Returns the serials that have no row.
    async fn cancel_all(
        &self,
        id: &CouponId,
        serials: &[Serial],
        who: Who,
    ) -> Result<HashSet<Serial>, Refusal> {
        // Before any row says `cancelled`, because Redis could not apply the return of a diverged
        // coupon.
        self.acts.diverged.check(id).await?;
        let since = Instant::now();
        while since.elapsed() < GIVE_WAY {
            match self.acts.store.cancel_tickets(id, serials, who, (self.acts.now)()).await? {
                Cancelled::Done { act, unknown } => {
                    if let Some(act) = act {
                        self.acts.carry_out(&act).await?;
                    }
                    return Ok(unknown.into_iter().collect());
                }
                Cancelled::Busy(other) => self.acts.give_way(&other).await?,
                Cancelled::Archived => return Err(Refusal::Archived),
            }
        }
        Err(Refusal::ActInProgress)
    }

    /// A serial that Redis gave in this epoch will have a row soon, and so may any serial while
    /// Redis lacks tickets; any other serial has no ticket.
    async fn why_no_row(&self, id: &TicketId) -> Refusal {
        match self.has_ticket(id).await {
            Ok(true) => Refusal::InProgress,
            Ok(false) => Refusal::TicketNotFound,
            Err(refusal) => refusal,
        }
    }

    async fn has_ticket(&self, id: &TicketId) -> Result<bool, Refusal> {
        let Acts { redis, store, .. } = &self.acts;
        if holders::last_serial(redis, &id.coupon_id).await?.is_some_and(|last| id.serial <= last) {
            // What was issued before this epoch became rows when it began.
            let epoch = store.last_epoch(&id.coupon_id).await?;
            if epoch.is_none_or(|epoch| id.serial >= epoch.first_serial) {
                return Ok(true);
            }
        }
        let coupon = store.find_coupon(&id.coupon_id).await?;
        let is_preloaded = coupon.is_some_and(|coupon| coupon.state.is_in_redis());
        if is_preloaded && presence::may_lack_tickets(redis, &id.coupon_id).await? {
            return Err(Refusal::Recovering("the coupon waits for its recovery"));
        }
        // A recovery may have ended since the row was looked for.
        Ok(store.find_ticket(id).await?.is_some())
    }
}
