//! Why a ticket cannot be shown.

use crate::{redis, store};

/// Why a ticket cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such ticket, or it is another user's.
    #[error("there is no such ticket")]
    NotFound,
    /// Redis lacks tickets of the coupon.
    #[error("the coupon waits for its recovery")]
    Recovering,
    /// This server does not have the code key of the ticket's coupon.
    #[error("the code key {0} is missing")]
    MissingKey(String),
    /// Other requests are writing or receiving workbooks.
    #[error(
        "{} workbooks are being written or sent already; retry later",
        crate::domain::limits::WORKBOOKS_MAX
    )]
    Busy,
    #[error("the export could not be written: {0}")]
    Export(std::io::Error),
    /// The database did not answer.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// Redis did not answer.
    #[error(transparent)]
    Redis(#[from] redis::Error),
}
