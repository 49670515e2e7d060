//! A look that failed because Redis or the database did not answer.

/// Why a page could not be checked. The outage itself is reported elsewhere.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Redis did not answer.
    #[error(transparent)]
    Redis(#[from] crate::redis::Error),
    /// The database did not answer.
    #[error(transparent)]
    Store(#[from] crate::store::Error),
}
