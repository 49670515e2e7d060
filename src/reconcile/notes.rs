//! What the prover counts is written down beside it, each at its own pace: in the data directory
//! and in the database. Neither a slow disk nor a database that is away keeps it from counting.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::counted::Counted;
use super::kept;
use crate::domain::limits::DISK_WAIT;
use crate::redis::generation::GenerationWatch;
use crate::store::Store;
use crate::telemetry::health::{Health, Part, Report};

/// The newest count, for those who write it down.
#[derive(Clone)]
pub(super) struct Notes {
    newest: Arc<watch::Sender<Option<Counted>>>,
    /// The generation that the database says is no longer the last one.
    overtaken: Arc<AtomicU64>,
}

impl Notes {
    pub(super) fn new() -> Self {
        Self { newest: Arc::new(watch::channel(None).0), overtaken: Arc::default() }
    }

    /// Hands a count over. Whoever is still writing an older one takes the newest next.
    pub(super) fn note(&self, counted: Counted) {
        self.newest.send_replace(Some(counted));
    }

    /// Whether the database said, since the last question, that this is not its last generation.
    pub(super) fn is_overtaken(&self, generation_no: u64) -> bool {
        let (order, failed) = (Ordering::Relaxed, Ordering::Relaxed);
        self.overtaken.compare_exchange(generation_no, 0, order, failed).is_ok()
    }

    /// Whoever writes begins with the count that is there.
    fn subscribe(&self) -> watch::Receiver<Option<Counted>> {
        let mut newest = self.newest.subscribe();
        newest.mark_changed();
        newest
    }

    /// Keeps every count in the data directory. Never ends.
    pub(super) async fn keep(&self, data_dir: Option<PathBuf>, health: Health) {
        let Some(data_dir) = data_dir else { return std::future::pending().await };
        let mut newest = self.subscribe();
        let tell = |fault: Option<io::Error>| {
            let warning = fault.map(|fault| kept::unwritten(&data_dir, &fault));
            let warnings = warning.into_iter().collect();
            health.report(Part::Heartbeat, Report { reasons: Vec::new(), warnings });
        };
        loop {
            let counted = next(&mut newest).await;
            let dir = data_dir.clone();
            let mut keeping = spawn_blocking(move || kept::keep(&dir, &counted));
            let kept = match timeout(DISK_WAIT, &mut keeping).await {
                Ok(kept) => kept,
                Err(_) => {
                    tell(Some(kept::hangs()));
                    keeping.await
                }
            };
            tell(kept.map_err(io::Error::other).flatten().err());
        }
    }

    /// Takes every count into the database (P2 step 8). Never ends.
    pub(super) async fn write(&self, store: &dyn Store, generation: &GenerationWatch) {
        let mut newest = self.subscribe();
        loop {
            let Counted { generation_no, heartbeat, seen_at, .. } = next(&mut newest).await;
            match store.beat(generation_no, heartbeat, seen_at).await {
                Ok(true) => {}
                Ok(false) => {
                    self.overtaken.store(generation_no, Ordering::Relaxed);
                    generation.doubt();
                }
                // The heartbeat proves old data, never fresh data: missing one is harmless.
                Err(error) => tracing::debug!(%error, "the heartbeat was not written down"),
            }
        }
    }
}

/// The next count that was not taken yet.
async fn next(newest: &mut watch::Receiver<Option<Counted>>) -> Counted {
    loop {
        if newest.changed().await.is_err() {
            // The sender lives as long as the notes.
            std::future::pending().await
        }
        if let Some(counted) = newest.borrow_and_update().clone() {
            return counted;
        }
    }
}
