//! Who asks for an act.

use crate::domain::act::IdempotencyKey;

/// Who asks for an act, with what in hand.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// The caller's key, when it gave one.
    pub idempotency_key: Option<IdempotencyKey>,
    /// The version that the caller saw, when it gave one.
    pub if_version: Option<u64>,
    /// `admin`, `cli`, `demo` or `relay`.
    pub who: String,
}

impl Request {
    /// Whether its row may refuse it: the coupon changed since (412), or the key was used (422).
    pub(super) fn is_conditional(&self) -> bool {
        self.if_version.is_some() || self.idempotency_key.is_some()
    }
}
