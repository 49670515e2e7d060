//! `firstcome`: see `firstcome --help`.

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// Replies are allocated and freed in bursts of about sixty, one per user of a script call.
/// mimalloc handles this faster than the C library, which keeps too few blocks ready per thread.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    firstcome::cli::run()
}
