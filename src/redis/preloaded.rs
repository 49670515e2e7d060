//! Which shards have a stream since this process made it.

use std::sync::Arc;

use tokio::sync::watch;

use crate::domain::coupon::Shard;

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
