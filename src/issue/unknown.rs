//! Ids that Redis does not have: never created, a draft, archived, or lost. Only the database knows
//! which. It is asked outside the hot path, rarely, and about few ids at a time.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::domain::coupon::{Coupon, CouponId, State};
use crate::domain::limits::UNKNOWN_IDS_MAX;
use crate::domain::outcome::Outcome;
use crate::lookups::Lookups;
use crate::redis::suspects::Suspects;
use crate::store::Store;

/// How long an answer is remembered: a new coupon may stay invisible for this long.
const BELIEVED: Duration = Duration::from_millis(500);
/// Simultaneous look-ups of this process, of ids and for tickets of archived coupons; beyond it the
/// answer is `overloaded`.
const LOOK_UPS: usize = 4;

/// Why Redis does not have a coupon, and need not.
#[derive(Debug, Clone)]
pub(super) enum Absent {
    /// It has no row, or is only a draft.
    NotFound,
    /// Its tickets are in the database only.
    Archived(Arc<Coupon>),
}

/// What the database answered about ids that Redis does not have; shared by all workers.
#[derive(Clone)]
pub struct UnknownIds {
    absent: Arc<Lookups<Absent, Outcome>>,
    look_ups: Arc<Semaphore>,
    tickets: Arc<Semaphore>,
}

impl Default for UnknownIds {
    fn default() -> Self {
        Self {
            absent: Arc::new(Lookups::new(UNKNOWN_IDS_MAX, BELIEVED)),
            look_ups: Arc::new(Semaphore::new(LOOK_UPS)),
            tickets: Arc::new(Semaphore::new(LOOK_UPS)),
        }
    }
}

impl UnknownIds {
    /// Why Redis does not have this id.
    ///
    /// # Errors
    /// `recovering` for one that Redis must have, and for every id when the database does not
    /// answer, because a lost coupon must not look like one that does not exist.
    pub(super) async fn find(
        &self,
        store: &dyn Store,
        suspects: &Suspects,
        id: &CouponId,
    ) -> Result<Absent, Outcome> {
        self.absent.get(id, self.look_up(store, suspects, id)).await
    }

    /// A permit to read tickets of an archived coupon.
    pub(super) fn permit(&self) -> Result<SemaphorePermit<'_>, Outcome> {
        self.tickets.try_acquire().map_err(|_| Outcome::Overloaded)
    }

    async fn look_up(
        &self,
        store: &dyn Store,
        suspects: &Suspects,
        id: &CouponId,
    ) -> Result<Absent, Outcome> {
        let Ok(_permit) = self.look_ups.try_acquire() else { return Err(Outcome::Overloaded) };
        match store.find_coupon(id).await {
            Ok(None) => Ok(Absent::NotFound),
            Ok(Some(coupon)) if coupon.state == State::Draft => Ok(Absent::NotFound),
            Ok(Some(coupon)) if coupon.state == State::Archived => {
                Ok(Absent::Archived(Arc::new(coupon)))
            }
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
