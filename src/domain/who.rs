//! Who asks for a change.

use serde::Serialize;
use strum::{EnumString, IntoStaticStr};

/// Who asked for an act, as its row and the log name it. Later also a token, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, EnumString, IntoStaticStr)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Who {
    /// An admin, over HTTP.
    Admin,
    /// An admin, on the command line.
    Cli,
    /// A server that was started with a coupon to play with.
    Demo,
    /// The loop that writes the acts of what went to Redis first.
    Relay,
}

impl Who {
    /// The word in the row and in the log.
    pub fn word(self) -> &'static str {
        self.into()
    }
}
