//! Why a coupon was not archived.

use crate::domain::doubt::Doubt;
use crate::{redis, store};

pub(super) type Result<T> = std::result::Result<T, Error>;

/// Why a coupon was not archived.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("there is no such coupon")]
    NotFound,
    #[error("only a closed coupon can be archived")]
    NotClosed,
    /// A ticket of it is no row yet, an act is under way, or something has to be decided first.
    #[error(
        "the coupon is not finished: a ticket is not in the database yet or is contested, an act \
         is under way, stock is withheld, or Redis and the database differ"
    )]
    NotFinished,
    #[error("a recovery may be under way")]
    Recovering,
    #[error("Redis is not proven to have its data: {0}")]
    Unproven(Doubt),
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error(transparent)]
    Redis(#[from] redis::Error),
}
