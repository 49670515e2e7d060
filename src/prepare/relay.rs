//! The relay finishes what a crash or a lost reply left: acts that are intended and not recorded,
//! and pauses and closes that went to Redis first. Every server has one; several at once are
//! harmless.

use std::collections::HashSet;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::{Preparer, Refusal};
use crate::domain::coupon::{Coupon, CouponId, State};
use crate::domain::limits::PAGE_DEFAULT_ROWS;
use crate::lua::audit::{self, Balance};

/// Pages of acts that one step carries out, and pages of coupons that it compares.
const PAGES_A_STEP: usize = 10;
/// How many coupons are remembered as faulty, so that each is logged once.
const COMPLAINTS_MAX: usize = 1_000;
/// How often the states of all live coupons are compared with Redis, unless a comparison takes
/// longer.
const LOOK_AHEAD_EVERY: Duration = Duration::from_secs(60);

/// Finishes acts; its loop is [`Relay::step`] repeated.
pub struct Relay {
    preparer: Preparer,
    /// When it last began to compare all coupons with Redis.
    looked_at: Option<Instant>,
    /// The comparison that is not finished.
    look: Option<Look>,
    /// The coupon after which the next step goes on; `None`: at the first.
    after: Option<CouponId>,
    /// Coupons whose acts could not be finished, and that were logged.
    complained: HashSet<CouponId>,
}

/// A comparison of all coupons with Redis, which takes as many steps as it needs.
struct Look {
    /// The coupon after which it goes on; `None`: at the first.
    after: Option<CouponId>,
    /// Whether it includes the closed ones.
    also_closed: bool,
}

impl Relay {
    pub fn new(preparer: &Preparer) -> Self {
        Self {
            preparer: preparer.clone(),
            looked_at: None,
            look: None,
            after: None,
            complained: HashSet::new(),
        }
    }

    /// Finishes the acts that a crash left, and writes those that went to Redis first. Returns how
    /// many. It takes ten pages of acts and ten pages of coupons at most, and every call has its
    /// time-out.
    ///
    /// # Errors
    /// When Redis or the database is away; the next step begins anew.
    pub async fn step(&mut self) -> Result<usize, Refusal> {
        let finished = self.finish().await;
        if let Err(error) = &finished {
            tracing::debug!(%error, "the relay could not finish");
            self.preparer.acts.redis_may_be_ahead.store(true, Ordering::Relaxed);
        }
        finished
    }

    async fn finish(&mut self) -> Result<usize, Refusal> {
        // Without a proven life of Redis nothing can be applied.
        self.preparer.acts.redis.generation().proven().map_err(Refusal::Unproven)?;
        let mut finished = self.finish_left().await?;
        // A change that goes first from now on belongs to the next comparison, after this one has
        // seen every coupon.
        if self.look.is_none() {
            // Another process may have gone to Redis first, so a comparison is made now and then
            // in any case.
            let is_due = self.looked_at.is_none_or(|at| at.elapsed() >= LOOK_AHEAD_EVERY);
            let also_closed = self.preparer.acts.redis_may_be_ahead.swap(false, Ordering::Relaxed);
            if also_closed || is_due {
                self.looked_at = Some(Instant::now());
                self.look = Some(Look { after: None, also_closed });
            }
        }
        finished += self.look_on().await?;
        Ok(finished)
    }

    /// Carries out the intended acts that were left, page by page. The next step goes on after the
    /// last act, even if it failed: acts that cannot be finished never block the others.
    async fn finish_left(&mut self) -> Result<usize, Refusal> {
        let mut finished = 0;
        for _ in 0..PAGES_A_STEP {
            let (now, after) = ((self.preparer.now)(), self.after.take());
            let store = &self.preparer.store;
            let page = store.unrecorded_acts(now, after.as_ref(), PAGE_DEFAULT_ROWS).await?;
            for act in &page {
                self.after = Some(act.coupon_id.clone());
                match self.preparer.acts.carry_out(act).await {
                    Ok(_) => {
                        self.complained.remove(&act.coupon_id);
                        finished += 1;
                    }
                    Err(refusal) if refusal.concerns_all() => return Err(refusal),
                    Err(refusal) => self.complain(&act.coupon_id, &refusal),
                }
            }
            if page.len() < PAGE_DEFAULT_ROWS as usize {
                self.after = None;
                break;
            }
        }
        Ok(finished)
    }

    /// Logs, once, why the acts of one coupon cannot be finished.
    fn complain(&mut self, id: &CouponId, refusal: &Refusal) {
        // A diverged coupon has its own log line. In a proven life of Redis, only a coupon that
        // lost a part of its keys waits for its recovery.
        let is_its_own = match refusal {
            Refusal::Redis(_) | Refusal::Store(_) => true,
            Refusal::Recovering(_) => self.preparer.acts.redis.generation().proven().is_ok(),
            _ => false,
        };
        if is_its_own
            && self.complained.len() < COMPLAINTS_MAX
            && self.complained.insert(id.clone())
        {
            tracing::error!(%refusal, coupon.id = %id, "the acts of this coupon are not finished");
        } else {
            tracing::debug!(%refusal, coupon.id = %id, "an act was not finished");
        }
    }

    /// Continues to compare every coupon's row with Redis, some pages per step. It includes closed
    /// coupons that have diverged, and all closed ones if a pause may be left whose row was not
    /// written before that of its close. A page that failed is compared again.
    async fn look_on(&mut self) -> Result<usize, Refusal> {
        let mut written = 0;
        for _ in 0..PAGES_A_STEP {
            let Some(Look { after, also_closed }) = &self.look else { break };
            let also_closed = *also_closed;
            let page = self.preparer.list(after.as_ref(), PAGE_DEFAULT_ROWS).await;
            if page.as_ref().is_err_and(|refusal| !refusal.concerns_all()) {
                // A row of this page cannot be read. The pages before it are compared again and
                // again.
                self.look = None;
            }
            let page = page?;
            for coupon in &page {
                let id = &coupon.definition.id;
                if coupon.state == State::Archived {
                    continue;
                }
                let is_over = coupon.state == State::Closed && !self.preparer.acts.diverged.has(id);
                if is_over && !also_closed {
                    continue;
                }
                match self.look_at(coupon).await {
                    Ok(is_written) => written += usize::from(is_written),
                    Err(refusal) if refusal.concerns_all() => return Err(refusal),
                    Err(refusal) => self.complain(id, &refusal),
                }
            }
            let last = page.last().filter(|_| page.len() == PAGE_DEFAULT_ROWS as usize);
            self.look =
                last.map(|last| Look { after: Some(last.definition.id.clone()), also_closed });
        }
        Ok(written)
    }

    /// A ticket that is no longer in a record was a row: if its row is gone, the database went back
    /// (P2 step 13). The row of the coupon is read once more after the balance, so it counts all
    /// tickets that had left their records by then. Records of other coupons may hide a loss until
    /// they are written.
    async fn look_for_rows(&self, coupon: &Coupon, balance: &Balance) -> Result<(), Refusal> {
        let (acts, id) = (&self.preparer.acts, &coupon.definition.id);
        let in_records = balance.shard_unpersisted;
        if coupon.persisted + in_records >= balance.issued {
            return Ok(());
        }
        // Before the row, so that a replay of a dead letter hides no ticket.
        let (parked, _) = acts.store.count_parked(id).await?;
        let listed = parked + acts.store.contested(id).await?;
        let Some(now) = acts.store.find_coupon(id).await? else { return Ok(()) };
        if now.persisted + listed + in_records < balance.issued {
            acts.redis.lacking_rows().add(id);
        }
        Ok(())
    }

    /// Writes the act of a pause or close that went first. Returns whether there was one.
    async fn look_at(&self, coupon: &Coupon) -> Result<bool, Refusal> {
        let (preparer, id) = (&self.preparer, &coupon.definition.id);
        // Also of a draft, which Redis does not have, unless the database was restored to a state
        // before its preload.
        let audit::Reply::Balance(balance) = audit::audit(&preparer.acts.redis, id).await? else {
            return Ok(false);
        };
        self.look_for_rows(coupon, &balance).await?;
        // An act may have been made since the row was read, so the row is read once more.
        if balance.act_no > coupon.act_no || preparer.acts.diverged.has(id) {
            preparer.acts.diverged.check(id).await?;
        }
        match balance.unwritten {
            Some(change) => preparer.stops.write_first(coupon, change).await.map(|()| true),
            None => Ok(false),
        }
    }
}
