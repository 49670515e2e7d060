//! Writes down the prover's counts, in the data directory and in the database, each in a loop of
//! its own. Neither a slow disk nor a database that is away stops the prover from counting.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use tokio::sync::watch;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::timeout;

use super::counted::Counted;
use super::kept;
use crate::domain::limits::DISK_WAIT;
use crate::redis::generation::GenerationWatch;
use crate::store::Store;
use crate::telemetry::health::{Health, Part, Report};
use crate::telemetry::loops::Stepped;

/// The newest count, for the loops that write it down.
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

    /// Publishes a count. A loop that is still writing an older one takes the newest next.
    pub(super) fn note(&self, counted: Counted) {
        self.newest.send_replace(Some(counted));
    }

    /// Whether the database has said, since the last call, that this is not its last generation.
    pub(super) fn is_overtaken(&self, generation_no: u64) -> bool {
        let (order, failed) = (Ordering::Relaxed, Ordering::Relaxed);
        self.overtaken.compare_exchange(generation_no, 0, order, failed).is_ok()
    }

    /// Writes the counts into this data directory, and reports to this register when it cannot.
    pub(super) fn file(&self, data_dir: PathBuf, health: Health) -> HeartbeatFile {
        HeartbeatFile { newest: self.subscribe(), data_dir, health, keeping: None }
    }

    /// Writes the counts into this database.
    pub(super) fn row(&self, store: Arc<dyn Store>, generation: GenerationWatch) -> HeartbeatRow {
        HeartbeatRow {
            newest: self.subscribe(),
            overtaken: self.overtaken.clone(),
            store,
            generation,
        }
    }

    /// A new subscriber begins with the count that is there.
    fn subscribe(&self) -> watch::Receiver<Option<Counted>> {
        let mut newest = self.newest.subscribe();
        newest.mark_changed();
        newest
    }
}

/// Stores the counts in the data directory; its loop is [`HeartbeatFile::step`] repeated.
pub struct HeartbeatFile {
    newest: watch::Receiver<Option<Counted>>,
    data_dir: PathBuf,
    health: Health,
    /// A write that the disk has not finished.
    keeping: Option<JoinHandle<io::Result<()>>>,
}

impl HeartbeatFile {
    /// Waits for the next count, however long that takes, and for the disk for 5 seconds at most.
    /// A disk that hangs is asked once, and the next step continues to wait for it.
    pub async fn step(&mut self) -> Stepped {
        let keeping = match &mut self.keeping {
            Some(keeping) => keeping,
            none => {
                let (counted, dir) = (next(&mut self.newest).await, self.data_dir.clone());
                none.insert(spawn_blocking(move || kept::keep(&dir, &counted)))
            }
        };
        let kept = match timeout(DISK_WAIT, keeping).await {
            Ok(kept) => {
                self.keeping = None;
                kept.map_err(io::Error::other).flatten()
            }
            Err(_) => Err(kept::hangs()),
        };
        let stepped = if kept.is_ok() { Stepped::Done } else { Stepped::Failed };
        let warning = kept.err().map(|fault| kept::unwritten(&self.data_dir, &fault));
        let warnings = warning.into_iter().collect();
        self.health.report(Part::Heartbeat, Report { reasons: Vec::new(), warnings });
        stepped
    }
}

/// Writes the counts into the database (P2 step 8); its loop is [`HeartbeatRow::step`] repeated.
pub struct HeartbeatRow {
    newest: watch::Receiver<Option<Counted>>,
    overtaken: Arc<AtomicU64>,
    store: Arc<dyn Store>,
    generation: GenerationWatch,
}

impl HeartbeatRow {
    /// Waits for the next count, however long that takes, and writes it with one statement, which
    /// has its time-out.
    pub async fn step(&mut self) -> Stepped {
        let Counted { generation_no, heartbeat, seen_at, .. } = next(&mut self.newest).await;
        let asked_at = Instant::now();
        match self.store.beat(generation_no, heartbeat, seen_at).await {
            Ok(true) => {
                self.generation.confirmed(asked_at);
                Stepped::Done
            }
            Ok(false) => {
                self.overtaken.store(generation_no, Ordering::Relaxed);
                self.generation.doubt();
                Stepped::Done
            }
            // A heartbeat can prove that data is old, never that it is fresh: a missing one is
            // harmless.
            Err(error) => {
                tracing::debug!(%error, "the heartbeat was not written down");
                Stepped::Failed
            }
        }
    }
}

/// The next count that was not taken yet.
async fn next(newest: &mut watch::Receiver<Option<Counted>>) -> Counted {
    loop {
        if newest.changed().await.is_err() {
            // The sender exists as long as the notes.
            std::future::pending().await
        }
        if let Some(counted) = newest.borrow_and_update().clone() {
            return counted;
        }
    }
}
