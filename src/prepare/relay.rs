//! The relay finishes what a crash or a lost reply left: acts that are intended and not settled,
//! and pauses and closes that went to Redis first. Every server has one; they do not mind each
//! other.

use std::collections::HashSet;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::{Preparer, Refusal};
use crate::domain::coupon::{Coupon, CouponId, State};
use crate::domain::limits::PAGE_DEFAULT_ROWS;
use crate::lua::audit;

/// Pages of acts that one step carries out, and pages of coupons that it compares.
const PAGES_A_STEP: usize = 10;
/// Coupons whose fault is remembered, so that it is logged once.
const COMPLAINTS_MAX: usize = 1_000;
/// How often the states of all live coupons are compared with Redis, if it does not take longer.
const LOOK_AHEAD_EVERY: Duration = Duration::from_secs(60);

/// Finishes acts; its loop is [`Relay::step`] repeated.
pub struct Relay {
    preparer: Preparer,
    /// When it last began to look whether Redis is ahead.
    looked_at: Option<Instant>,
    /// The look that is not finished.
    look: Option<Look>,
    /// Behind this coupon the next step goes on; `None`: at the first.
    after: Option<CouponId>,
    /// Coupons whose acts could not be finished, and were logged.
    complained: HashSet<CouponId>,
}

/// A comparison of all coupons with Redis, which takes as many steps as it needs.
struct Look {
    /// Behind this coupon it goes on; `None`: at the first.
    after: Option<CouponId>,
    /// Whether it takes the closed ones too.
    also_closed: bool,
}

impl Relay {
    /// A relay that finishes acts through this preparer.
    pub fn new(preparer: &Preparer) -> Self {
        Self {
            preparer: preparer.clone(),
            looked_at: None,
            look: None,
            after: None,
            complained: HashSet::new(),
        }
    }

    /// Finishes the acts that somebody left, and writes those that went to Redis first. Says how
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
        // What may be ahead by now is another look's, once this one has seen all.
        if self.look.is_none() {
            // Another process may have gone first, so it is looked for now and then in any case.
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

    /// Carries out what was left, page by page. The next step goes on behind the last act, also
    /// behind one that failed: however many cannot be finished, they hold up no others.
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

    /// Logs what holds up the acts of one coupon, once.
    fn complain(&mut self, id: &CouponId, refusal: &Refusal) {
        // A diverged coupon has its own line. In a life that is proven, only a coupon that lost a
        // part waits for its recovery.
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

    /// Goes on comparing every coupon's row with Redis, some pages a step: of the closed ones those
    /// that have diverged, and all if a pause may be left whose row did not come before that of its
    /// close. A page that was held up is looked at again.
    async fn look_on(&mut self) -> Result<usize, Refusal> {
        let mut written = 0;
        for _ in 0..PAGES_A_STEP {
            let Some(Look { after, also_closed }) = &self.look else { break };
            let also_closed = *also_closed;
            let page = self.preparer.list(after.as_ref(), PAGE_DEFAULT_ROWS).await;
            if page.as_ref().is_err_and(|refusal| !refusal.concerns_all()) {
                // A row of it cannot be read. Those before it are compared again and again.
                self.look = None;
            }
            let page = page?;
            for coupon in &page {
                let id = &coupon.definition.id;
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

    /// Writes the act of a pause or close that came first. Says whether there was one.
    async fn look_at(&self, coupon: &Coupon) -> Result<bool, Refusal> {
        let (preparer, id) = (&self.preparer, &coupon.definition.id);
        // Also of a draft, which Redis does not have: unless its row went back behind its preload.
        let audit::Reply::Balance(balance) = audit::audit(&preparer.acts.redis, id).await? else {
            return Ok(false);
        };
        // An act may have come since the row was read, so it is looked at once more.
        if balance.act_no > coupon.act_no || preparer.acts.diverged.has(id) {
            preparer.acts.diverged.check(id).await?;
        }
        match balance.unwritten {
            Some(change) => preparer.stops.write_first(coupon, change).await.map(|()| true),
            None => Ok(false),
        }
    }
}
