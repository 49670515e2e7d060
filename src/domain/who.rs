//! Who asks for a change.

use serde::Serialize;
use strum::{EnumString, IntoStaticStr};

/// Who asked for an act, as its row and the log name it. Later also the name of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, EnumString, IntoStaticStr)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Who {
    /// An admin, over HTTP.
    Admin,
    /// An admin, on the command line.
    Cli,
    /// A server that was started with `--demo`, for its demo coupon.
    Demo,
    /// The loop that writes the rows of a pause or close that was applied in Redis first.
    Relay,
}

impl Who {
    /// The word in the row and in the log.
    pub fn word(self) -> &'static str {
        self.into()
    }
}
