//! Why a look at Redis did not prove this life of it.

use crate::domain::doubt::Doubt;
use crate::{redis, store};

/// A look that proved nothing, by what the prover does next.
#[derive(Debug)]
pub(super) enum Unproven {
    /// Redis did not answer a question. Callers get the same error. The accepted generation stays
    /// valid until Redis reports another run_id or replid.
    Unanswered(Doubt),
    /// Redis is not what it was a moment before: the prover looks once more, at once.
    Changed(Doubt),
    /// Nothing may be issued.
    Doubtful(Doubt),
}

impl From<redis::Error> for Unproven {
    /// A Redis that answers with an error is not called unreachable.
    fn from(error: redis::Error) -> Self {
        let said = error.to_string();
        Self::Unanswered(match error.is_reply() {
            true => Doubt::RefusedByRedis(said),
            false => Doubt::Unreachable(said),
        })
    }
}

impl From<store::Error> for Unproven {
    fn from(error: store::Error) -> Self {
        Self::Doubtful(Doubt::DatabaseAway(error.to_string()))
    }
}
