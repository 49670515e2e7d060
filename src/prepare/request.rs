//! What an admin asks for, and with what in hand.

use crate::domain::idempotency_key::IdempotencyKey;
use crate::domain::time::{UnixMs, ValidFor};
use crate::domain::who::Who;

/// What an admin may change of a coupon by `PATCH`; `None` leaves a field alone, and the inner
/// `None` removes it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Patch {
    /// Its name, in any state.
    pub name: Option<String>,
    /// Its tickets, as a draft only; later by restock.
    pub total: Option<u64>,
    /// How long its tickets are valid, as a draft only.
    pub valid_for: Option<Option<ValidFor>>,
    /// The limit per user.
    pub per_user_limit: Option<u8>,
    /// When it opens.
    pub opens_at: Option<Option<UnixMs>>,
    /// When it closes.
    pub closes_at: Option<Option<UnixMs>>,
}

/// Who asks for an act, with what in hand.
#[derive(Debug, Clone)]
pub struct Request {
    /// The caller's key, when it gave one.
    pub idempotency_key: Option<IdempotencyKey>,
    /// The version that the caller saw, when it gave one.
    pub if_version: Option<u64>,
    /// Who asks.
    pub who: Who,
}

impl Request {
    /// Without a key and without a version.
    pub fn by(who: Who) -> Self {
        Self { idempotency_key: None, if_version: None, who }
    }

    /// Whether its row may refuse it: the coupon changed since (412), or the key was used (422).
    pub(super) fn is_conditional(&self) -> bool {
        self.if_version.is_some() || self.idempotency_key.is_some()
    }
}
