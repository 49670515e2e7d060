//! What this process knows about the life of the Redis data (P2).
//!
//! The prover writes it, every writing script carries it, and Redis itself compares it: a script
//! that meets another life writes nothing, but for a pause or close that comes first (P9 step 7).
//! So knowing an old generation is harmless, and knowing none means `recovering`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::{Notify, watch};

use crate::domain::doubt::Doubt;
use crate::domain::generation::Durability;

/// The life of Redis that was proven.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// Its number in the database.
    pub generation_no: u64,
    /// The epoch that serials are issued in.
    pub epoch: u32,
    /// `run_id` of the process.
    pub run_id: String,
    /// `master_replid` of the data; the scripts compare it.
    pub replid: String,
    pub durability: Durability,
}

impl Accepted {
    /// Whether a server that says this of its replication lives this life.
    pub fn is_told_by(&self, replication: &str) -> bool {
        let replid = format!("master_replid:{}", self.replid);
        let says = |wanted: &str| replication.lines().any(|line| line.trim_end() == wanted);
        says(&replid) && says("role:master")
    }
}

/// What is known about the life of the Redis data. Tickets are issued from a proven one only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Life {
    /// It is this one.
    Proven(Arc<Accepted>),
    /// It may have forgotten something, or nobody can tell.
    Doubtful(Doubt),
}

impl Life {
    /// The accepted generation.
    ///
    /// # Errors
    /// The doubt, when the life is not proven.
    pub fn proven(self) -> Result<Arc<Accepted>, Doubt> {
        match self {
            Self::Proven(accepted) => Ok(accepted),
            Self::Doubtful(doubt) => Err(doubt),
        }
    }
}

/// The life as the prover of this process knows it; cheap to clone.
#[derive(Clone)]
pub struct GenerationWatch {
    known: Arc<watch::Sender<Life>>,
    doubt: Arc<Notify>,
    refused: Arc<AtomicBool>,
}

impl GenerationWatch {
    pub(super) fn new() -> Self {
        let (known, _) = watch::channel(Life::Doubtful(Doubt::NotLookedAt));
        Self { known: Arc::new(known), doubt: Arc::new(Notify::new()), refused: Arc::default() }
    }

    /// What is known now.
    pub fn current(&self) -> Life {
        self.known.borrow().clone()
    }

    /// The accepted generation.
    ///
    /// # Errors
    /// The doubt, when there is none.
    pub fn proven(&self) -> Result<Arc<Accepted>, Doubt> {
        self.current().proven()
    }

    /// Tells everybody what the prover found.
    pub fn publish(&self, known: Life) {
        self.known.send_if_modified(|current| {
            let changed = *current != known;
            *current = known;
            changed
        });
    }

    /// Asks the prover to look again at once: a script met another generation.
    pub fn doubt(&self) {
        self.doubt.notify_one();
    }

    /// Tells the prover that Redis refused a call: what it lets us do may have changed.
    pub fn refused(&self) {
        self.refused.store(true, Ordering::Relaxed);
    }

    /// Whether a call was refused since this was asked last.
    pub fn was_refused(&self) -> bool {
        self.refused.swap(false, Ordering::Relaxed)
    }

    /// Waits until somebody doubts.
    pub async fn doubted(&self) {
        self.doubt.notified().await;
    }

    /// Waits until something else is known than this. Nothing that happens between the look and the
    /// wait is missed.
    pub async fn differs_from(&self, known: &Life) {
        let mut receiver = self.known.subscribe();
        // The sender lives as long as this handle, so the channel cannot be closed.
        let _ = receiver.wait_for(|current| current != known).await;
    }
}
