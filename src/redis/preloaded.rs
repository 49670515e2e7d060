//! The shards whose stream this process created.

use std::sync::Arc;

use tokio::sync::watch;

use crate::domain::coupon::Shard;

/// The shards of which this process preloaded a coupon, one bit per shard; cheap to clone.
#[derive(Debug, Clone)]
pub struct Preloaded(Arc<watch::Sender<u16>>);

impl Default for Preloaded {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(0)))
    }
}

impl Preloaded {
    /// Adds a shard, which has a stream now.
    pub fn add(&self, shard: Shard) {
        let bit = 1 << shard.number();
        self.0.send_if_modified(|shards| {
            let is_new = *shards & bit == 0;
            *shards |= bit;
            is_new
        });
    }

    /// Signals every shard that is added from now on for the first time.
    pub fn new_ones(&self) -> watch::Receiver<u16> {
        self.0.subscribe()
    }
}
