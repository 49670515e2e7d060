//! Are the keys of a coupon there? Of which coupons somebody doubts it, and which shards have a
//! stream since this process made it.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use ::redis::pipe;
use tokio::sync::watch;

use super::{Error, Redis, Result};
use crate::domain::coupon::{CouponId, Shard};
use crate::domain::limits::SUSPECTS_MAX;

/// Coupons that a script did not find although their rows say that they were preloaded; cheap to
/// clone. Whoever sweeps takes them.
#[derive(Debug, Clone, Default)]
pub struct Suspects(Arc<Mutex<BTreeSet<CouponId>>>);

impl Suspects {
    /// Tells that this coupon was not found. At the bound it is left to the sweep.
    pub fn add(&self, id: &CouponId) {
        let mut suspects = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if suspects.len() < SUSPECTS_MAX {
            suspects.insert(id.clone());
        }
    }

    /// Takes all of them.
    pub fn take(&self) -> BTreeSet<CouponId> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Shards of which this process preloaded a coupon, a bit each; cheap to clone.
#[derive(Debug, Clone)]
pub struct Preloaded(Arc<watch::Sender<u16>>);

impl Default for Preloaded {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(0)))
    }
}

impl Preloaded {
    /// Tells that this shard has its stream.
    pub fn add(&self, shard: Shard) {
        let bit = 1 << shard.number();
        self.0.send_if_modified(|shards| {
            let is_new = *shards & bit == 0;
            *shards |= bit;
            is_new
        });
    }

    /// Hears of every shard that is new from now on; of one that was told before, never again.
    pub fn new_ones(&self) -> watch::Receiver<u16> {
        self.0.subscribe()
    }
}

impl Redis {
    /// The shards of which this process preloaded a coupon.
    pub fn preloaded(&self) -> &Preloaded {
        &self.preloaded
    }

    /// The coupons that are doubted.
    pub fn suspects(&self) -> &Suspects {
        &self.suspects
    }

    /// Those of these coupons of which a key is gone: the hash, the holders, or the stream or the
    /// count of their shard. Writes nothing; one trip for all of them.
    ///
    /// # Errors
    /// Those of any call.
    pub async fn without_their_keys(&self, ids: &[CouponId]) -> Result<Vec<CouponId>> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut questions = pipe();
        for id in ids {
            questions.cmd("EXISTS").arg(&self.keys().of_coupon(id));
        }
        let mut connection = self.pooled().await?;
        let counts: Vec<usize> =
            questions.query_async(&mut connection).await.map_err(Error::of_call)?;
        let all = ids.iter().zip(counts).filter(|(_, count)| *count < 4);
        Ok(all.map(|(id, _)| id.clone()).collect())
    }
}
