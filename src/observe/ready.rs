//! May this process be sent requests? With the reasons when not, for whoever is woken by it.

use serde::Serialize;

use super::Observer;
use crate::domain::code::CodeKeys;

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

impl Observer {
    /// Whether this process can issue, and what is unsafe about its servers.
    pub async fn readiness(&self, keys: &CodeKeys) -> Readiness {
        let mut reasons = Vec::new();
        let mut warnings = Vec::new();
        match self.redis.facts().await {
            Ok(facts) => {
                reasons.extend(facts.faults());
                warnings.extend(facts.unsafe_settings());
            }
            Err(error) => reasons.push(format!("Redis: {error}")),
        }
        let current = self.redis.generation().current();
        if let Err(reason) = &current {
            reasons.push(format!("recovering: {reason}"));
        }
        match self.store.key_ids().await {
            Ok(ids) => {
                for id in ids.iter().filter(|id| keys.find(id).is_none()) {
                    reasons.push(format!("the code key {id} is not in FIRSTCOME_CODE_KEYS"));
                }
            }
            // Issuing goes on without the database, up to the bound of the backlog.
            Err(error) => warnings.push(format!("the database: {error}")),
        }
        if let Ok(sentences) = self.store.unsafe_settings().await {
            warnings.extend(sentences);
        }
        let told = self.health.told();
        reasons.extend(told.reasons);
        warnings.extend(told.warnings);
        Readiness {
            ready: reasons.is_empty(),
            reasons,
            warnings,
            durability: current.as_ref().map_or("unknown", |known| known.durability.word()),
            epoch: current.ok().map(|known| known.epoch),
        }
    }
}
