//! Waiting cancels, by coupon and by the kind of caller.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::oneshot;

use super::refusal::Refusal;
use crate::domain::coupon::CouponId;
use crate::domain::limits::{CANCELS_WAITING_MAX, RETURNS_PER_ACT};
use crate::domain::ticket::Serial;
use crate::domain::who::Who;

/// The answer to a cancel: whether there is a row, which is cancelled now.
pub(super) type Told = Result<bool, Refusal>;

pub(super) struct Waiting {
    pub(super) serial: Serial,
    pub(super) tell: oneshot::Sender<Told>,
}

/// The waiting cancels of one coupon by one kind of caller.
#[derive(Default)]
pub(super) struct Gathering {
    waiting: Mutex<Vec<Waiting>>,
    /// The caller that has this lock carries out everything that waits; the others wait for the
    /// lock in their order.
    pub(super) turn: tokio::sync::Mutex<()>,
}

impl Gathering {
    /// Adds a cancel; refuses it at once at the bound.
    pub(super) fn join(&self, serial: Serial) -> Result<oneshot::Receiver<Told>, Refusal> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() >= CANCELS_WAITING_MAX {
            return Err(Refusal::ActInProgress);
        }
        let (tell, told) = oneshot::channel();
        waiting.push(Waiting { serial, tell });
        Ok(told)
    }

    /// The next cancels, without those whose callers have left.
    pub(super) fn take(&self) -> Vec<Waiting> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|one| !one.tell.is_closed());
        let count = waiting.len().min(RETURNS_PER_ACT);
        waiting.drain(..count).collect()
    }
}

/// Gatherings by coupon and kind of caller.
type ByCoupon = HashMap<(CouponId, Who), Weak<Gathering>>;

/// The gatherings that have waiting callers; cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Gatherings(Arc<Mutex<ByCoupon>>);

impl Gatherings {
    /// The gathering for the cancels of this coupon by this kind of caller.
    pub(super) fn of(&self, id: &CouponId, who: Who) -> Arc<Gathering> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (id.clone(), who);
        if let Some(gathering) = all.get(&key).and_then(Weak::upgrade) {
            return gathering;
        }
        all.retain(|_, gathering| gathering.strong_count() > 0);
        let gathering = Arc::new(Gathering::default());
        all.insert(key, Arc::downgrade(&gathering));
        gathering
    }
}
