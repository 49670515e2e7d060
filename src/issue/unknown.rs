//! An id that Redis does not have: never created, a draft, or lost. Only the database can tell, and
//! it is asked off the usual path, rarely, and about few ids at a time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

use crate::domain::coupon::{CouponId, State};
use crate::domain::limits::UNKNOWN_IDS_MAX;
use crate::domain::outcome::Outcome;
use crate::redis::suspects::Suspects;
use crate::store::Store;

/// How long an absence is believed: as long as a stranger may wait for a new coupon to appear.
const BELIEVED: Duration = Duration::from_millis(500);
/// Look-ups under way at once in this process; beyond it the answer is `overloaded`.
const LOOK_UPS: usize = 4;

/// What the database said about ids that Redis does not have; shared by all workers.
#[derive(Clone)]
pub struct UnknownIds {
    absent: Arc<Mutex<HashMap<CouponId, Instant>>>,
    look_ups: Arc<Semaphore>,
}

impl Default for UnknownIds {
    fn default() -> Self {
        Self { absent: Arc::default(), look_ups: Arc::new(Semaphore::new(LOOK_UPS)) }
    }
}

impl UnknownIds {
    /// `coupon_not_found` for an id that was never preloaded; `recovering` for one that was, and
    /// for all when the database cannot be asked: a lost coupon must not look like none.
    pub(super) async fn outcome(
        &self,
        store: &dyn Store,
        suspects: &Suspects,
        id: &CouponId,
    ) -> Outcome {
        if self.is_believed_absent(id) {
            return Outcome::CouponNotFound;
        }
        let Ok(_permit) = self.look_ups.try_acquire() else { return Outcome::Overloaded };
        match store.find_coupon(id).await {
            Ok(None) => self.believe_absent(id),
            Ok(Some(coupon)) if coupon.state == State::Draft => self.believe_absent(id),
            Ok(Some(_)) => {
                suspects.add(id);
                Outcome::Recovering
            }
            Err(error) => {
                tracing::warn!(%error, "an id unknown to Redis cannot be looked up");
                Outcome::Recovering
            }
        }
    }

    fn is_believed_absent(&self, id: &CouponId) -> bool {
        let absent = self.absent.lock().unwrap_or_else(PoisonError::into_inner);
        absent.get(id).is_some_and(|since| since.elapsed() < BELIEVED)
    }

    fn believe_absent(&self, id: &CouponId) -> Outcome {
        let mut absent = self.absent.lock().unwrap_or_else(PoisonError::into_inner);
        if absent.len() >= UNKNOWN_IDS_MAX {
            absent.retain(|_, since| since.elapsed() < BELIEVED);
        }
        if absent.len() < UNKNOWN_IDS_MAX {
            absent.insert(id.clone(), Instant::now());
        }
        Outcome::CouponNotFound
    }
}
