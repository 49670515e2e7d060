//! One process at a time recovers.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use super::error::{Error, Result};
use crate::domain::limits::RECOVERER_LEASE;
use crate::store::Store;

/// The lease of this process.
pub(super) struct Lease {
    store: Arc<dyn Store>,
    /// Who it is, unique among all processes.
    name: String,
    /// When it was renewed last.
    renewed_at: Mutex<Option<Instant>>,
}

impl Lease {
    pub(super) fn new(store: Arc<dyn Store>, name: String) -> Self {
        Self { store, name, renewed_at: Mutex::new(None) }
    }

    /// Renews it when a fifth of it has passed; before each page of long work.
    pub(super) async fn keep(&self) -> Result<()> {
        let renewed_at = *self.renewed_at.lock().unwrap_or_else(PoisonError::into_inner);
        match renewed_at.is_some_and(|at| at.elapsed() < RECOVERER_LEASE / 5) {
            true => Ok(()),
            false => self.renew().await,
        }
    }

    /// Takes or renews it; fails while another process has it.
    pub(super) async fn renew(&self) -> Result<()> {
        let asked_at = Instant::now();
        let has_it = self.store.lead_recovery(&self.name, RECOVERER_LEASE).await?;
        let mut renewed_at = self.renewed_at.lock().unwrap_or_else(PoisonError::into_inner);
        *renewed_at = has_it.then_some(asked_at);
        if has_it { Ok(()) } else { Err(Error::Overtaken) }
    }
}
