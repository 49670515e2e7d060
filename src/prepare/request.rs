//! The request of an admin, and its preconditions.

use crate::domain::idempotency_key::IdempotencyKey;
use crate::domain::time::{UnixMs, ValidFor};
use crate::domain::who::Who;

/// What a `PATCH` may change of a coupon. `None` leaves a field as it is, and the inner `None`
/// removes it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Patch {
    pub name: Option<String>,
    /// In a draft only; later by restock.
    pub total: Option<u64>,
    /// In a draft only.
    pub valid_for: Option<Option<ValidFor>>,
    pub per_user_limit: Option<u8>,
    pub opens_at: Option<Option<UnixMs>>,
    pub closes_at: Option<Option<UnixMs>>,
}

/// Who asked, and the preconditions sent with the request.
#[derive(Debug, Clone)]
pub struct Request {
    pub idempotency_key: Option<IdempotencyKey>,
    /// The version that the caller expects.
    pub if_version: Option<u64>,
    pub who: Who,
}

impl Request {
    /// A request without preconditions.
    pub fn by(who: Who) -> Self {
        Self { idempotency_key: None, if_version: None, who }
    }

    /// Whether its row may refuse it: the coupon has changed (412), or the key was used before
    /// (422).
    pub(super) fn is_conditional(&self) -> bool {
        self.if_version.is_some() || self.idempotency_key.is_some()
    }
}
