//! Whether this process should get requests, and the reasons if not, for the operator who is
//! called.

use serde::Serialize;

use crate::redis::generation::Life;
use crate::telemetry::health::Report;

/// The answer of `/readyz`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Readiness {
    /// Whether requests should come.
    pub ready: bool,
    /// Why not, one sentence per reason.
    pub reasons: Vec<String>,
    /// What an operator should repair although requests may come, one sentence each.
    pub warnings: Vec<String>,
    /// The durability level in force: `always`, `everysec` or `none`; `unknown` without Redis.
    pub durability: &'static str,
    /// The epoch, once this life of Redis is proven.
    pub epoch: Option<u32>,
}

impl Readiness {
    /// The readiness of a process, from the reports of its parts and from what it knows of this
    /// life of Redis.
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
