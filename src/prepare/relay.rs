//! The relay finishes what a crash or a lost reply left: acts that are intended and not settled,
//! and pauses and closes that went to Redis first. Every server has one; they do not mind each
//! other.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::{Preparer, Refusal};
use crate::domain::coupon::{Coupon, State};
use crate::domain::limits::PAGE_DEFAULT_ROWS;
use crate::domain::time::UnixMs;
use crate::lua::audit;

/// How often it looks.
const EVERY: Duration = Duration::from_millis(500);
/// An act younger than this is still in its own caller's hands.
const YOUNG_MS: i64 = 500;
/// How often the states of all live coupons are compared with Redis.
const LOOK_AHEAD_EVERY: Duration = Duration::from_secs(60);

/// Finishes acts; its loop is [`Relay::step`] repeated.
pub struct Relay {
    preparer: Preparer,
    /// When it last looked whether Redis is ahead.
    looked_at: Option<Instant>,
}

impl Relay {
    /// A relay that finishes acts through this preparer.
    pub fn new(preparer: &Preparer) -> Self {
        Self { preparer: preparer.clone(), looked_at: None }
    }

    /// Repeats [`Relay::step`] twice a second until shutdown.
    pub async fn run(mut self, shutdown: CancellationToken) {
        while !shutdown.is_cancelled() {
            tokio::select! {
                done = self.step() => if let Err(error) = done {
                    tracing::debug!(%error, "the relay could not finish");
                    self.preparer.redis_may_be_ahead.store(true, Ordering::Relaxed);
                },
                () = shutdown.cancelled() => return,
            }
            tokio::select! {
                () = tokio::time::sleep(EVERY) => {}
                () = shutdown.cancelled() => {}
            }
        }
    }

    /// Finishes the acts that somebody left, and writes those that went to Redis first. Says how
    /// many.
    ///
    /// # Errors
    /// When Redis or the database is away; the next step begins anew.
    pub async fn step(&mut self) -> Result<usize, Refusal> {
        let before = UnixMs((self.preparer.now)().0 - YOUNG_MS);
        let left = self.preparer.store.unsettled_acts(before, PAGE_DEFAULT_ROWS).await?;
        let mut finished = 0;
        for act in &left {
            match self.preparer.carry_out(act).await {
                Ok(_) => finished += 1,
                Err(Refusal::Store(error)) => return Err(error.into()),
                Err(Refusal::Redis(error)) => return Err(error.into()),
                Err(refusal) => {
                    let (id, act_no) = (&act.coupon_id, act.act_no);
                    tracing::debug!(%refusal, coupon.id = %id, act_no, "an act was not finished");
                }
            }
        }
        // Another process may have gone first, so it is looked for now and then in any case.
        let is_due = self.looked_at.is_none_or(|at| at.elapsed() >= LOOK_AHEAD_EVERY);
        if self.preparer.redis_may_be_ahead.swap(false, Ordering::Relaxed) || is_due {
            self.looked_at = Some(Instant::now());
            finished += self.look().await?;
        }
        Ok(finished)
    }

    /// Compares every live coupon's row with Redis, page by page.
    async fn look(&self) -> Result<usize, Refusal> {
        let (mut written, mut after) = (0, None);
        loop {
            let page = self.preparer.list(after.as_ref(), PAGE_DEFAULT_ROWS).await?;
            let Some(last) = page.last() else { return Ok(written) };
            after = Some(last.definition.id.clone());
            for coupon in &page {
                match self.look_at(coupon).await {
                    Ok(is_written) => written += usize::from(is_written),
                    Err(Refusal::Store(error)) => return Err(error.into()),
                    Err(Refusal::Redis(error)) => return Err(error.into()),
                    Err(refusal) => {
                        tracing::debug!(%refusal, coupon.id = %coupon.definition.id, "not written");
                    }
                }
            }
        }
    }

    /// Writes the act of a pause or close that came first. Says whether there was one.
    async fn look_at(&self, coupon: &Coupon) -> Result<bool, Refusal> {
        let (preparer, id) = (&self.preparer, &coupon.definition.id);
        if !matches!(coupon.state, State::Open | State::Paused) {
            return Ok(false);
        }
        let audit::Reply::Balance(balance) = audit::audit(&preparer.redis, id).await? else {
            return Ok(false);
        };
        // An act may have come since the row was read, so it is looked at once more.
        if balance.act_no > coupon.act_no || preparer.diverged.has(id) {
            preparer.check_not_diverged(id).await?;
        }
        match balance.unwritten {
            Some(change) => preparer.write_first(coupon, change).await.map(|()| true),
            None => Ok(false),
        }
    }
}
