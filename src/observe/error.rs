//! What keeps a question about a coupon from its answer.

use crate::{redis, store};

/// Why something cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such coupon, or it is a draft.
    #[error("there is no such coupon")]
    CouponNotFound,
    /// The coupon was preloaded, and Redis does not have it, or lost a part of it.
    #[error("the coupon waits for its recovery")]
    Recovering,
    /// The database did not answer.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// Redis did not answer.
    #[error(transparent)]
    Redis(redis::Error),
}

impl From<redis::Error> for Error {
    fn from(error: redis::Error) -> Self {
        match error {
            // What Redis has of the coupon is no whole coupon.
            redis::Error::Malformed(_) => Self::Recovering,
            error => Self::Redis(error),
        }
    }
}
