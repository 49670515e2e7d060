//! Logs: text for people, JSON for machines, to standard error.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One readable line.
    Text,
    /// One JSON object per line.
    Json,
}

/// actix_http logs each malformed request of a client as an error; off unless the filter names the
/// crate.
const STRANGERS: &str = "actix_http=off";

/// `NO_COLOR`, with any value but an empty one (no-color.org).
fn is_colour_unwanted() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
}

/// Installs the subscriber of this process.
///
/// # Errors
/// When the filter cannot be read, or a subscriber is installed already.
pub fn install(filter: &str, format: Format) -> Result<(), String> {
    let filter = format!("{STRANGERS},{filter}");
    let filter = EnvFilter::try_new(filter).map_err(|error| error.to_string())?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal() && !is_colour_unwanted())
        // If a line cannot be written, the default reports that on standard error. That fails too,
        // panics, and ends the task that logged.
        .log_internal_errors(false)
        .with_writer(std::io::stderr);
    let installed = match format {
        Format::Text => lines.with_target(false).try_init(),
        Format::Json => lines.json().flatten_event(true).with_span_list(false).try_init(),
    };
    installed.map_err(|error| error.to_string())
}
