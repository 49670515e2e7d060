//! One process at a time recovers.

use std::sync::Arc;

use super::error::{Error, Result};
use crate::domain::limits::RECOVERER_LEASE;
use crate::store::Store;

/// The lease of this process.
pub(super) struct Lease {
    pub(super) store: Arc<dyn Store>,
    /// Who it is, unique among all processes.
    pub(super) name: String,
}

impl Lease {
    /// Takes or renews it; fails while another process has it.
    pub(super) async fn renew(&self) -> Result<()> {
        match self.store.lead_recovery(&self.name, RECOVERER_LEASE).await? {
            true => Ok(()),
            false => Err(Error::Overtaken),
        }
    }
}
