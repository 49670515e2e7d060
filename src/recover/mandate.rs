//! Which recoveries a process may begin.

use crate::domain::doubt::Doubt;

/// What a recoverer may do without being asked again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mandate {
    /// It begins no recovery, and only writes down what this process told.
    None,
    /// It begins one where a Redis may have forgotten something, and where no other Redis can have
    /// taken its place that other servers still use.
    Safe,
    /// It also takes over a Redis that may not be the right one: the operator says that it is.
    Accept,
}

impl Mandate {
    /// Whether a life with this doubt may be recovered.
    pub fn covers(self, doubt: &Doubt) -> bool {
        match self {
            Self::None => false,
            Self::Safe => doubt.may_be_recovered(),
            // A command judges nothing, and perhaps no server runs.
            Self::Accept => doubt.may_be_accepted() || *doubt == Doubt::Judging,
        }
    }
}
