//! Why a ticket cannot be shown.

use crate::{redis, store};

/// Why a ticket cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is none, or it is another user's.
    #[error("there is no such ticket")]
    NotFound,
    /// Its coupon's code key is not among this server's.
    #[error("the code key {0} is missing")]
    MissingKey(String),
    /// Others are writing workbooks, or receiving them.
    #[error(
        "{} workbooks are being written or sent already; ask again",
        crate::domain::limits::WORKBOOKS_MAX
    )]
    Busy,
    /// The export could not be written.
    #[error("the export could not be written: {0}")]
    Export(std::io::Error),
    /// The database did not answer.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// Redis did not answer.
    #[error(transparent)]
    Redis(#[from] redis::Error),
}
