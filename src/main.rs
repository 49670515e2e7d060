//! `firstcome`: see `firstcome --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    firstcome::cli::run()
}
