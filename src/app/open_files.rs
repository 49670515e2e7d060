//! The limit on open files. Every connection is one, and the soft limit after a login (1,024 on
//! most Linux systems, 256 on macOS) is used up before a rush has begun. So the files are divided
//! at start: first the process gets what it cannot do without, and users get the rest.

use rlimit::{Resource, increase_nofile_limit};

use super::Failure;
use crate::config::{Bounds, Settings};
use crate::domain::limits::{
    ADMIN_CONNECTIONS_MAX, RESERVED_REDIS_CONNECTIONS, WORKER_CONNECTIONS_MAX,
};
use crate::http::Shares;

/// Below this limit the server logs a warning: the listeners would refuse users before the queues
/// are full.
const OPEN_FILES_WANTED: u64 = 8_192;

/// The process never asks for more. Some container engines allow 10^9, and programs that it starts
/// may walk through all possible descriptors.
const OPEN_FILES_MAX: u64 = 1_048_576;

/// Files of a worker besides its users' connections: the event loops of actix and tokio and the
/// connection to Redis. Counted in `/proc/<pid>/fd`: five.
const FILES_PER_WORKER: u64 = 6;
/// A connection to SQLite has three open files: the database, its log and its index.
const FILES_PER_DATABASE_CONNECTION: u64 = 3;
/// Everything else: listeners, event loops, locks, logs, the pipe to a private Redis, and files
/// that are open only briefly. Counted: 30.
const FILES_OF_THE_PROCESS: u64 = 48;
/// A worker that could serve fewer users at once would do more harm than good.
const WORKER_CONNECTIONS_MIN: u64 = 16;

/// How many threads serve how many users at once, within the limit on open files.
pub(super) fn shares(settings: &Settings) -> Result<Shares, Failure> {
    let open_files = raise_open_files();
    if open_files < OPEN_FILES_WANTED {
        tracing::warn!(open_files, "the limit of open files is low: raise it (ulimit -Hn)");
    }
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let wanted = settings.bounds.workers.map_or(cores, usize::from);
    let shares = share_out(open_files, wanted, &settings.bounds)
        .map_err(|needed| too_few(needed, open_files))?;
    if shares.workers < wanted {
        tracing::warn!(shares.workers, wanted, open_files, "fewer workers: open files are scarce");
    }
    Ok(shares)
}

/// Whether the limit on open files is enough for `firstcome worker`, which serves no users.
pub(super) fn check_worker(settings: &Settings) -> Result<(), Failure> {
    let open_files = raise_open_files();
    let needed = needed_without_users(&settings.bounds);
    if open_files < needed { Err(too_few(needed, open_files)) } else { Ok(()) }
}

fn too_few(needed: u64, allowed: u64) -> Failure {
    Failure::Missing(format!(
        "{needed} open files are needed, and {allowed} are allowed: raise the hard limit \
         (ulimit -Hn)"
    ))
}

/// Divides `open_files` among the pools, the admins and `workers_wanted` workers (1 or more).
///
/// # Errors
/// The number of open files that a single worker would need, when there are fewer.
fn share_out(open_files: u64, workers_wanted: usize, bounds: &Bounds) -> Result<Shares, u64> {
    let without_users = needed_without_users(bounds);
    let per_worker = FILES_PER_WORKER + WORKER_CONNECTIONS_MIN;
    let for_workers = open_files.saturating_sub(without_users);
    let workers = (for_workers / per_worker).min(workers_wanted as u64);
    if workers == 0 {
        return Err(without_users + per_worker);
    }
    let connections = for_workers / workers - FILES_PER_WORKER;
    Ok(Shares {
        workers: workers as usize,
        worker_connections_max: connections.min(WORKER_CONNECTIONS_MAX as u64) as usize,
    })
}

/// Files of a process that serves no users: its own, those of the pools, and those of the admins.
fn needed_without_users(bounds: &Bounds) -> u64 {
    FILES_OF_THE_PROCESS
        + ADMIN_CONNECTIONS_MAX as u64
        + bounds.redis_pool_max_connections
        + RESERVED_REDIS_CONNECTIONS as u64
        + u64::from(bounds.database_pool_max_connections) * FILES_PER_DATABASE_CONNECTION
}

/// Raises the soft limit of this process, and of programs that it starts from now on, to the hard
/// limit, at most to 1,048,576. Returns the limit in force afterwards, which may be the old one: a
/// server with few files is slow, not wrong, so there is no error.
fn raise_open_files() -> u64 {
    increase_nofile_limit(OPEN_FILES_MAX)
        .or_else(|_| Resource::NOFILE.get_soft())
        .unwrap_or(OPEN_FILES_MAX)
}

#[cfg(test)]
mod tests {
    use clap::{Args as _, Command, FromArgMatches as _};

    use super::*;

    #[test]
    fn users_get_what_a_server_can_do_without_and_workers_are_fewer_where_files_are_scarce() {
        let none = Bounds::augment_args(Command::new("firstcome")).get_matches_from(["firstcome"]);
        let bounds = Bounds::from_arg_matches(&none).unwrap();
        let shares = |open_files, workers| share_out(open_files, workers, &bounds).unwrap();
        assert_eq!(shares(1_048_576, 2).workers, 2);
        assert_eq!(shares(1_048_576, 2).worker_connections_max, WORKER_CONNECTIONS_MAX);
        let scarce = shares(1_024, 256);
        assert!((8..256).contains(&scarce.workers), "{scarce:?}");
        assert!(scarce.worker_connections_max >= 16, "{scarce:?}");
        for (open_files, workers) in [(1_024, 256), (1_024, 2), (4_096, 64), (300, 8)] {
            let Shares { workers, worker_connections_max } = shares(open_files, workers);
            let users = workers as u64 * (worker_connections_max as u64 + FILES_PER_WORKER);
            assert!(users + 150 <= open_files, "{open_files}: something is left for the rest");
        }
        let needed = share_out(100, 2, &bounds).unwrap_err();
        assert_eq!(share_out(needed - 1, 2, &bounds), Err(needed));
        assert_eq!(share_out(needed, 2, &bounds).unwrap().workers, 1, "what it asks for is enough");
    }

    #[test]
    fn what_is_returned_is_in_force() {
        let raised = raise_open_files();
        assert_eq!(Resource::NOFILE.get_soft().unwrap(), raised);
        assert_eq!(raise_open_files(), raised, "raising twice changes nothing");
    }
}
