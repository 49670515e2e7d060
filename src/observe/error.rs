//! Why a question about a coupon got no answer.

use crate::{redis, store};

/// Why something cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such coupon, or it is a draft.
    #[error("there is no such coupon")]
    CouponNotFound,
    /// The coupon was preloaded, and Redis has lost all or a part of it.
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
            // The data of the coupon in Redis is incomplete.
            redis::Error::Malformed(_) => Self::Recovering,
            error => Self::Redis(error),
        }
    }
}
