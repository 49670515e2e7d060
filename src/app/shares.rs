//! The open files that a process may have, before it opens any: enough, or it does not start.

use super::Failure;
use crate::config::Settings;
use crate::config::open_files::{self, Shares};

/// How many threads serve how many users at once, within the open files that are allowed.
pub(super) fn shares(settings: &Settings) -> Result<Shares, Failure> {
    let open_files = open_files::raise_open_files();
    if open_files < open_files::OPEN_FILES_WANTED {
        tracing::warn!(open_files, "the limit of open files is low: raise it (ulimit -Hn)");
    }
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let wanted = settings.bounds.workers.map_or(cores, usize::from);
    let shares = open_files::share_out(open_files, wanted, &settings.bounds)
        .map_err(|needed| too_few(needed, open_files))?;
    if shares.workers < wanted {
        tracing::warn!(shares.workers, wanted, open_files, "fewer workers: open files are scarce");
    }
    Ok(shares)
}

/// Whether the open files that are allowed are enough for `firstcome worker`, which serves no
/// users.
pub(super) fn check_worker(settings: &Settings) -> Result<(), Failure> {
    let open_files = open_files::raise_open_files();
    let needed = open_files::needed_without_users(&settings.bounds);
    if open_files < needed { Err(too_few(needed, open_files)) } else { Ok(()) }
}

fn too_few(needed: u64, allowed: u64) -> Failure {
    Failure::Missing(format!(
        "{needed} open files are needed, and {allowed} are allowed: raise the hard limit \
         (ulimit -Hn)"
    ))
}
