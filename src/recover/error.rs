//! Why a recovery stopped; the next step goes on.

/// A step that could not be finished.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Redis did not answer.
    #[error(transparent)]
    Redis(#[from] crate::redis::Error),
    /// The database did not answer.
    #[error(transparent)]
    Store(#[from] crate::store::Error),
    /// Another process of the service went on instead.
    #[error("another process recovers")]
    Overtaken,
    /// Tickets or acts came while they were counted.
    #[error("the rows of the coupon changed while they were counted")]
    Moved,
    /// The database lacks the act that preloaded the coupon, or its last act.
    #[error("the database lacks an act of the coupon")]
    LacksAct,
}

/// The result of a step of a recovery.
pub(super) type Result<T> = std::result::Result<T, Error>;
