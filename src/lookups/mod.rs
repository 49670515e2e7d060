//! Answers about coupons that are remembered for a while. When many callers ask for the same one at
//! the same time, it is looked up once.

mod moment;
#[cfg(test)]
mod tests;

use std::time::Duration;

use quick_cache::sync::{Cache, EntryAction, EntryResult};

use crate::domain::coupon::CouponId;
pub use moment::Moment;

/// How a look-up ended.
#[derive(Clone)]
struct Ended<T, E> {
    result: Result<T, E>,
    began_at: Moment,
    ended_at: Moment,
}

impl<T, E> Ended<T, E> {
    fn is_alive(&self, asked_at: Moment, life: Duration) -> bool {
        self.result.is_ok() && asked_at - self.began_at < life
    }
}

/// Answers about coupons. At most one look-up of each coupon is under way; callers that ask
/// meanwhile wait for it and get its answer, also when it failed. A good answer is remembered for
/// `life`, counted from the beginning of its look-up; a failure is not remembered.
pub struct Lookups<T, E> {
    ended: Cache<CouponId, Ended<T, E>>,
    life: Duration,
}

impl<T: Clone, E: Clone> Lookups<T, E> {
    /// Remembers answers about at most `coupons_max` coupons, roughly, for `life` each.
    pub fn new(coupons_max: usize, life: Duration) -> Self {
        Self { ended: Cache::new(coupons_max), life }
    }

    /// The answer about this coupon, if one is remembered: a shared lock, and no waiting.
    pub fn remembered(&self, id: &CouponId) -> Option<T> {
        let asked_at = Moment::now();
        let ended = self.ended.get(id).filter(|ended| ended.is_alive(asked_at, self.life))?;
        ended.result.ok()
    }

    /// The answer about this coupon. `look` runs only if no answer is remembered and no other
    /// caller is looking. If the caller that looks is dropped, the next one that waits looks.
    ///
    /// # Errors
    /// Those of the look-up.
    pub async fn get(
        &self,
        id: &CouponId,
        look: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let asked_at = Moment::now();
        if let Some(answer) = self.remembered(id) {
            return Ok(answer);
        }
        let entry = self.ended.entry_async(id, |_, ended| {
            match ended.is_alive(asked_at, self.life) || ended.ended_at > asked_at {
                true => EntryAction::Retain(ended.result.clone()),
                false => EntryAction::ReplaceWithGuard,
            }
        });
        let guard = match entry.await {
            EntryResult::Retained(result) => return result,
            EntryResult::Vacant(guard) | EntryResult::Replaced(guard, _) => guard,
            // Never returned here: nothing is removed, and there is no time-out.
            EntryResult::Removed(..) | EntryResult::Timeout => return look.await,
        };
        let began_at = Moment::now();
        let result = look.await;
        let ended = Ended { result: result.clone(), began_at, ended_at: Moment::now() };
        // Fails only if the entry was evicted meanwhile; the callers that waited then look.
        let _ = guard.insert(ended);
        result
    }
}
