//! What was looked up of coupons: remembered for a while, and looked up once for all who ask at one
//! time.

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

/// The answers about coupons, at most one look-up of each under way. An answer serves everybody
/// who asked before it came, and for a while, counted from the beginning of its look-up, those who
/// ask later. A failure serves only those who asked before it came.
pub struct Lookups<T, E> {
    ended: Cache<CouponId, Ended<T, E>>,
    life: Duration,
}

impl<T: Clone, E: Clone> Lookups<T, E> {
    /// Answers about this many coupons, each for this long.
    pub fn new(coupons_max: usize, life: Duration) -> Self {
        Self { ended: Cache::new(coupons_max), life }
    }

    /// What is known of this coupon; `look` is awaited if nothing is and nobody else looks. Who
    /// stops waiting in the middle of the own look-up leaves it to the next in line.
    ///
    /// # Errors
    /// Those of the look-up.
    pub async fn get(
        &self,
        id: &CouponId,
        look: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let asked_at = Moment::now();
        let is_alive =
            |ended: &Ended<T, E>| ended.result.is_ok() && asked_at - ended.began_at < self.life;
        // The usual case, which takes no lock that another reader waits for.
        if let Some(ended) = self.ended.get(id).filter(is_alive) {
            return ended.result;
        }
        let entry = self.ended.entry_async(id, |_, ended| {
            match is_alive(ended) || ended.ended_at > asked_at {
                true => EntryAction::Retain(ended.result.clone()),
                false => EntryAction::ReplaceWithGuard,
            }
        });
        let guard = match entry.await {
            EntryResult::Retained(result) => return result,
            EntryResult::Vacant(guard) | EntryResult::Replaced(guard, _) => guard,
            // Neither was asked for.
            EntryResult::Removed(..) | EntryResult::Timeout => return look.await,
        };
        let began_at = Moment::now();
        let result = look.await;
        let ended = Ended { result: result.clone(), began_at, ended_at: Moment::now() };
        // Fails only when the entry was taken out meanwhile; whoever waited looks then.
        let _ = guard.insert(ended);
        result
    }
}
