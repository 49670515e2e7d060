//! A count of the seconds of a life of Redis, and what it shows after other lives were accepted.

use super::judge::EMPTY;
use crate::domain::generation::{Generation, JUDGING, PREFIX, RECOVERY};
use crate::domain::time::UnixMs;

/// A count, the life of Redis that it belongs to, and when it was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Counted {
    pub(super) generation_no: u64,
    pub(super) run_id: String,
    pub(super) replid: String,
    pub(super) heartbeat: u64,
    /// By the clock of the process that counted.
    pub(super) seen_at: UnixMs,
}

/// What a count shows about the last generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Said {
    /// Nothing: it belongs to another database's generation, or nothing could be lost since.
    Nothing,
    /// Its process has counted this far.
    Counted,
    /// A later process was accepted although it had counted less: its data is older.
    Older,
}

impl Counted {
    pub(super) fn life(&self) -> (u64, &str, &str) {
        (self.generation_no, &self.run_id, &self.replid)
    }

    /// What it shows about the last of these generations, which are those of the database from the
    /// count's own number on. A process that loads all of its data continues the count of the
    /// process before it.
    pub(super) fn says_of(&self, generations: &[Generation]) -> Said {
        let Some((own, later)) = generations.split_first() else { return Said::Nothing };
        // Another database has another generation under this number.
        if self.life() != (own.generation_no, &own.run_id, &own.replid) {
            return Said::Nothing;
        }
        for next in later {
            // It accepts nothing.
            if next.reason == JUDGING {
                continue;
            }
            if [EMPTY, RECOVERY, PREFIX].contains(&next.reason.as_str()) {
                return Said::Nothing;
            }
            if next.run_id != self.run_id {
                return match next.accepted_heartbeat < self.heartbeat {
                    true => Said::Older,
                    false => Said::Nothing,
                };
            }
        }
        Said::Counted
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::generation::Durability;

    fn generation(generation_no: u64, run_id: &str, accepted_heartbeat: u64) -> Generation {
        Generation {
            generation_no,
            epoch: 1,
            run_id: run_id.to_owned(),
            replid: "repl".to_owned(),
            durability: Durability::Always,
            reason: "restart".to_owned(),
            accepted_heartbeat,
            heartbeat: 1_000,
            seen_at: UnixMs(0),
            refused_run_id: None,
        }
    }

    #[test]
    fn a_process_that_was_accepted_with_less_than_was_counted_before_it_has_older_data() {
        let counted = Counted {
            generation_no: 2,
            run_id: "run".to_owned(),
            replid: "repl".to_owned(),
            heartbeat: 100,
            seen_at: UnixMs(0),
        };
        let own = generation(2, "run", 7);
        assert_eq!(counted.says_of(&[]), Said::Nothing, "the database went back");
        assert_eq!(counted.says_of(&[generation(2, "else", 7)]), Said::Nothing);
        assert_eq!(counted.says_of(std::slice::from_ref(&own)), Said::Counted);
        // The same process goes on counting while a new generation of it is accepted.
        let level = generation(3, "run", 99);
        assert_eq!(counted.says_of(&[own.clone(), level.clone()]), Said::Counted);
        for (accepted_with, said) in [(99, Said::Older), (100, Said::Nothing)] {
            let restart = generation(4, "new", accepted_with);
            let later = [own.clone(), level.clone(), restart, generation(5, "third", 0)];
            assert_eq!(counted.says_of(&later), said);
        }
        let empty = Generation { reason: EMPTY.to_owned(), ..generation(3, "run", 0) };
        let later = [own, empty, generation(4, "new", 5)];
        assert_eq!(counted.says_of(&later), Said::Nothing, "nothing was lost");
    }
}
