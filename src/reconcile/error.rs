//! A look that Redis or the database did not answer.

/// Why a page could not be looked at. Others report it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Redis did not answer.
    #[error(transparent)]
    Redis(#[from] crate::redis::Error),
    /// The database did not answer.
    #[error(transparent)]
    Store(#[from] crate::store::Error),
}
