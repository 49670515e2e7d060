//! Why this life of Redis is not proven by a look at it.

use crate::domain::doubt::Doubt;
use crate::{redis, store};

/// What a look came to that proved nothing, by what the prover makes of it.
#[derive(Debug)]
pub(super) enum Unproven {
    /// Redis did not say what it was asked. Whoever calls it meets the same, and what was proven
    /// before stays true until it tells another identity.
    Unanswered(Doubt),
    /// Something else is there than a moment before: it is looked at once more, at once.
    Changed(Doubt),
    /// Nothing may be issued.
    Doubtful(Doubt),
}

impl From<redis::Error> for Unproven {
    /// A Redis that answers is not called silent.
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
