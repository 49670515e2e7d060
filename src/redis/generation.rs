//! What this process knows about the life of the Redis data (P2).
//!
//! The prover publishes it, every writing script gets it as an argument, and Redis compares it: if
//! Redis has another generation, the script writes nothing, except for a pause or close that is
//! applied before its row (P9 step 7). So it is harmless if a process knows an old generation; a
//! process that knows none answers `recovering`.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Instant;

use tokio::sync::{Notify, watch};

use crate::domain::doubt::Doubt;
use crate::domain::generation::Durability;
use crate::domain::limits::GENERATION_VALID;

/// The life of Redis that was proven.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    pub generation_no: u64,
    /// The epoch of the serials that are issued now.
    pub epoch: u32,
    /// `run_id` of the process.
    pub run_id: String,
    /// `master_replid` of the data; the scripts compare it.
    pub replid: String,
    pub durability: Durability,
    /// The id that the database has, and that this Redis gets.
    pub installation_id: String,
}

impl Accepted {
    /// Whether a server with this reply to `INFO replication` has this generation.
    pub fn is_told_by(&self, replication: &str) -> bool {
        is_master_of(&self.replid, replication)
    }
}

/// Whether a server with this reply to `INFO replication` is the master of this data.
pub(super) fn is_master_of(replid: &str, replication: &str) -> bool {
    let replid = format!("master_replid:{replid}");
    let says = |wanted: &str| replication.lines().any(|line| line.trim_end() == wanted);
    says(&replid) && says("role:master")
}

/// What is known about the life of the Redis data. Tickets are issued only from a proven one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Life {
    /// It is this accepted generation.
    Proven(Arc<Accepted>),
    /// It may have lost data, or that cannot be checked.
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

/// The life of Redis as the prover of this process knows it; cheap to clone.
#[derive(Clone)]
pub struct GenerationWatch {
    known: Arc<watch::Sender<Life>>,
    doubt: Arc<Notify>,
    refused: Arc<AtomicBool>,
    outdated: Arc<AtomicBool>,
    /// This Redis, when its life is in doubt and it has the id of our installation.
    doubtful: Arc<watch::Sender<Option<Arc<Accepted>>>>,
    /// The id of our installation, once the database has told it.
    installation_id: Arc<OnceLock<String>>,
    /// Where another Redis may take the place of this one: when the accepted generation was last
    /// seen to be the last one of the database.
    confirmed_at: Arc<watch::Sender<Option<Instant>>>,
    is_limited: Arc<AtomicBool>,
    /// What the open hot connections and the calls over them use.
    in_use: Arc<Mutex<Vec<Weak<Accepted>>>>,
}

impl GenerationWatch {
    pub(super) fn new() -> Self {
        let (known, _) = watch::channel(Life::Doubtful(Doubt::NotLookedAt));
        Self {
            known: Arc::new(known),
            doubt: Arc::new(Notify::new()),
            refused: Arc::default(),
            outdated: Arc::default(),
            doubtful: Arc::new(watch::channel(None).0),
            installation_id: Arc::default(),
            confirmed_at: Arc::new(watch::channel(None).0),
            is_limited: Arc::default(),
            in_use: Arc::default(),
        }
    }

    /// What the prover found last.
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

    /// The Redis whose records may become rows: one with a proven life, or one in doubt that has
    /// the id of our installation. Rows are compared, so nothing can be written twice (P2 step 7).
    pub fn drainable(&self) -> Option<Arc<Accepted>> {
        let doubtful = || self.doubtful.borrow().clone();
        self.proven().ok().or_else(doubtful)
    }

    /// Publishes the Redis that may be drained while its life is in doubt.
    pub fn publish_doubtful(&self, doubtful: Option<Accepted>) {
        self.doubtful.send_replace(doubtful.map(Arc::new));
    }

    /// The id of our installation; `None` as long as the database has not told it.
    pub fn installation_id(&self) -> Option<&str> {
        self.installation_id.get().map(String::as_str)
    }

    /// Remembers the id of our installation, which never changes.
    pub fn learn_installation(&self, id: &str) {
        self.installation_id.get_or_init(|| id.to_owned());
    }

    /// Publishes what the prover found.
    pub fn publish(&self, known: Life) {
        self.known.send_if_modified(|current| {
            let changed = *current != known;
            *current = known;
            changed
        });
    }

    /// Asks the prover to look again at once, because a script found another generation.
    pub fn doubt(&self) {
        self.doubt.notify_one();
    }

    /// Tells the prover that Redis refused a call: our rights there may have changed.
    pub fn refused(&self) {
        self.refused.store(true, Ordering::Relaxed);
    }

    /// Whether a call was refused since this function was last called.
    pub fn was_refused(&self) -> bool {
        self.refused.swap(false, Ordering::Relaxed)
    }

    /// Tells the prover that a coupon has a higher epoch than the accepted one: it must read the
    /// last generation of the database again, at once.
    pub fn outdated(&self) {
        self.outdated.store(true, Ordering::Relaxed);
        self.doubt();
    }

    /// Whether the accepted epoch was found to be outdated since this function was last called.
    pub fn was_outdated(&self) -> bool {
        self.outdated.swap(false, Ordering::Relaxed)
    }

    /// A generation for a hot connection: as long as anybody has it, calls may be in flight.
    pub(super) fn used(&self, accepted: &Accepted) -> Arc<Accepted> {
        let used = Arc::new(accepted.clone());
        let mut in_use = self.in_use();
        in_use.retain(|other| other.strong_count() > 0);
        in_use.push(Arc::downgrade(&used));
        used
    }

    /// Whether users may still be told something that was issued before this generation.
    pub fn is_used_before(&self, generation_no: u64) -> bool {
        let in_use = self.in_use();
        in_use.iter().filter_map(Weak::upgrade).any(|used| used.generation_no < generation_no)
    }

    fn in_use(&self) -> MutexGuard<'_, Vec<Weak<Accepted>>> {
        self.in_use.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on nothing is issued when the database has not confirmed the accepted generation
    /// for [`GENERATION_VALID`]: another Redis may have taken the place of this one.
    pub fn limit(&self) {
        self.is_limited.store(true, Ordering::Relaxed);
    }

    /// The database was asked at this instant, and the accepted generation was its last one.
    pub fn confirmed(&self, asked_at: Instant) {
        self.confirmed_at.send_replace(Some(asked_at));
    }

    /// Whether the accepted generation was not confirmed for too long.
    pub fn is_unconfirmed(&self) -> bool {
        let confirmed_at = *self.confirmed_at.borrow();
        let is_valid = confirmed_at.is_some_and(|at| at.elapsed() < GENERATION_VALID);
        self.is_limited.load(Ordering::Relaxed) && !is_valid
    }

    /// Waits until the accepted generation was not confirmed for too long.
    pub async fn unconfirmed(&self) {
        let mut confirmed_at = self.confirmed_at.subscribe();
        while !self.is_unconfirmed() {
            let known = *confirmed_at.borrow_and_update();
            let left = known.map_or(GENERATION_VALID, |at| {
                (at + GENERATION_VALID).saturating_duration_since(Instant::now())
            });
            // A change or the end of the time: both are looked at.
            let _ = tokio::time::timeout(left, confirmed_at.changed()).await;
        }
    }

    /// Waits until [`Self::doubt`] is called.
    pub async fn doubted(&self) {
        self.doubt.notified().await;
    }

    /// Waits until the current life differs from `known`. A change before this call is not missed.
    pub async fn differs_from(&self, known: &Life) {
        let mut receiver = self.known.subscribe();
        // This handle keeps the sender, so the channel cannot be closed.
        let _ = receiver.wait_for(|current| current != known).await;
    }
}
