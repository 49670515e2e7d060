//! The bound on open files. Every connection is one, and the soft limit that a login gives (1,024
//! on most Linux systems, 256 on macOS) is gone before a rush has begun.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Below this the application warns: the listeners refuse users before the queues are full.
pub const OPEN_FILES_WANTED: u64 = 8_192;

/// More is never asked for. Some container engines allow 10^9, and programs that we start may walk
/// through all descriptors that they could have open.
const OPEN_FILES_MAX: u64 = 1_048_576;

/// What macOS still accepts as a soft limit when its hard limit is "unlimited" (`OPEN_MAX`).
const OPEN_FILES_FALLBACK: u64 = 10_240;

/// Raises the soft limit of this process, and of what it starts from now on, to the hard one, at
/// most to 1,048,576. Returns the limit that is in force then, which may be the one from before: a
/// server with few files is slow, not wrong, so there is no error.
pub fn raise_open_files() -> u64 {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let before = current.unwrap_or(u64::MAX);
    let allowed = maximum.unwrap_or(u64::MAX);
    for wanted in steps(before, allowed) {
        if setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum }).is_ok() {
            return wanted;
        }
    }
    before
}

/// What to ask for, the best first; never less than before.
fn steps(before: u64, allowed: u64) -> impl Iterator<Item = u64> {
    let steps = [allowed.min(OPEN_FILES_MAX), allowed.min(OPEN_FILES_FALLBACK)];
    steps.into_iter().filter(move |wanted| *wanted > before)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_never_lowered_and_never_above_the_hard_one() {
        let asked = |before, allowed| steps(before, allowed).collect::<Vec<_>>();
        assert_eq!(asked(1_024, 4_096), [4_096, 4_096]);
        assert_eq!(asked(256, u64::MAX), [1_048_576, 10_240]);
        assert_eq!(asked(20_000, 1_000_000_000), [1_048_576]);
        assert_eq!(asked(2_000_000, u64::MAX), [0_u64; 0]);
        assert_eq!(asked(4_096, 4_096), [0_u64; 0]);
    }

    #[test]
    fn what_is_returned_is_in_force() {
        let raised = raise_open_files();
        assert_eq!(getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX), raised);
        assert_eq!(raise_open_files(), raised, "raising twice changes nothing");
    }
}
