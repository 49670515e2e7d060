//! A question before an action that cannot be undone.

use std::io::{IsTerminal as _, Write as _};

use crate::app::Failure;

/// Asks on a terminal. With `--yes`, or when no terminal is there, nobody is asked.
///
/// # Errors
/// [`Failure::Refused`] for any answer but yes.
pub(super) fn confirm(question: &str, yes: bool) -> Result<(), Failure> {
    let input = std::io::stdin();
    if yes || !input.is_terminal() {
        return Ok(());
    }
    let mut talk = std::io::stderr();
    write!(talk, "{question} [y/N] ").and_then(|()| talk.flush())?;
    let mut answer = String::new();
    input.read_line(&mut answer)?;
    match answer.trim() {
        "y" | "Y" | "yes" => Ok(()),
        _ => Err(Failure::Refused("nothing was changed".to_owned())),
    }
}
