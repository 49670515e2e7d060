//! What verbs print on standard output.

use std::fmt::Display;
use std::io::{ErrorKind, Write as _};

use crate::app::Failure;

/// Prints a value for people and programs alike.
pub(super) fn print_json(value: &impl serde::Serialize) -> Result<(), Failure> {
    let text =
        serde_json::to_string_pretty(value).map_err(|error| Failure::Refused(error.to_string()))?;
    say(text)
}

/// Writes a line to standard output. A reader that has left, as `head` does, misses it; that is no
/// failure, and a check still ends as it would have.
pub(super) fn say(line: impl Display) -> Result<(), Failure> {
    unless_left(writeln!(std::io::stdout(), "{line}"))
}

/// A reader that has left is no failure.
pub(super) fn unless_left(written: std::io::Result<()>) -> Result<(), Failure> {
    match written {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => Ok(written?),
    }
}
