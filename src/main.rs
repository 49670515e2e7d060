//! `firstcome`: see `firstcome --help`.

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// Under load a call answers some sixty users: that many blocks of each size are taken together and
/// given back together, far more than the C library keeps at hand for a thread.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    firstcome::cli::run()
}
