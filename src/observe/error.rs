//! What keeps a question about a coupon from its answer.

use crate::{redis, store};

/// Why something cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such coupon, or it is a draft.
    #[error("there is no such coupon")]
    CouponNotFound,
    /// The coupon was preloaded, and Redis does not have it.
    #[error("the coupon waits for its recovery")]
    Recovering,
    /// The database did not answer.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// Redis did not answer.
    #[error(transparent)]
    Redis(#[from] redis::Error),
}
