//! Ids that Redis does not have: never created, a draft, or lost. Only the database knows which. It
//! is asked outside the hot path, rarely, and about few ids at a time.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

use crate::domain::coupon::{CouponId, State};
use crate::domain::limits::UNKNOWN_IDS_MAX;
use crate::domain::outcome::Outcome;
use crate::lookups::Lookups;
use crate::redis::suspects::Suspects;
use crate::store::Store;

/// How long the answer that there is no coupon is remembered: a new coupon may stay invisible for
/// this long.
const BELIEVED: Duration = Duration::from_millis(500);
/// Simultaneous look-ups of this process; beyond it the answer is `overloaded`.
const LOOK_UPS: usize = 4;

/// The coupon has no row, or is only a draft.
#[derive(Debug, Clone, Copy)]
struct Absent;

/// What the database answered about ids that Redis does not have; shared by all workers.
#[derive(Clone)]
pub struct UnknownIds {
    absent: Arc<Lookups<Absent, Outcome>>,
    look_ups: Arc<Semaphore>,
}

impl Default for UnknownIds {
    fn default() -> Self {
        Self {
            absent: Arc::new(Lookups::new(UNKNOWN_IDS_MAX, BELIEVED)),
            look_ups: Arc::new(Semaphore::new(LOOK_UPS)),
        }
    }
}

impl UnknownIds {
    /// `coupon_not_found` for an id that was never preloaded; `recovering` for one that was, and
    /// for every id when the database does not answer, because a lost coupon must not look like one
    /// that does not exist.
    pub(super) async fn outcome(
        &self,
        store: &dyn Store,
        suspects: &Suspects,
        id: &CouponId,
    ) -> Outcome {
        match self.absent.get(id, self.look_up(store, suspects, id)).await {
            Ok(Absent) => Outcome::CouponNotFound,
            Err(outcome) => outcome,
        }
    }

    async fn look_up(
        &self,
        store: &dyn Store,
        suspects: &Suspects,
        id: &CouponId,
    ) -> Result<Absent, Outcome> {
        let Ok(_permit) = self.look_ups.try_acquire() else { return Err(Outcome::Overloaded) };
        match store.find_coupon(id).await {
            Ok(None) => Ok(Absent),
            Ok(Some(coupon)) if coupon.state == State::Draft => Ok(Absent),
            Ok(Some(_)) => {
                suspects.add(id);
                Err(Outcome::Recovering)
            }
            Err(error) => {
                tracing::warn!(%error, "an id unknown to Redis cannot be looked up");
                Err(Outcome::Recovering)
            }
        }
    }
}
