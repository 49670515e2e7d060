//! May this process be sent requests? With the reasons when not, for whoever is woken by it.

use serde::Serialize;

use crate::redis::generation::Life;
use crate::telemetry::health::Report;

/// The answer of `/readyz`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Readiness {
    /// Whether requests should come.
    pub ready: bool,
    /// Why not, each in a sentence.
    pub reasons: Vec<String>,
    /// What an operator should mend although requests may come, each in a sentence.
    pub warnings: Vec<String>,
    /// The durability level in force: `always`, `everysec` or `none`; `unknown` without Redis.
    pub durability: &'static str,
    /// The epoch, once this life of Redis is proven.
    pub epoch: Option<u32>,
}

impl Readiness {
    /// Whether a process can issue whose parts report this and that knows this of Redis, and what
    /// is unsafe about its servers.
    pub(super) fn of(told: Report, life: Life) -> Self {
        let Report { mut reasons, warnings } = told;
        let proven = life.proven();
        if let Err(doubt) = &proven {
            reasons.push(format!("recovering: {doubt}"));
        }
        Self {
            ready: reasons.is_empty(),
            reasons,
            warnings,
            durability: proven.as_ref().map_or("unknown", |known| known.durability.word()),
            epoch: proven.ok().map(|known| known.epoch),
        }
    }
}
