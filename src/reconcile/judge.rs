//! Is this life of Redis the one that the database knows? Pure: facts in, verdict out (P2 steps
//! 4-7).

use crate::domain::generation::{Durability, Generation};
use crate::domain::limits::BENIGN_PROBE_MAX_AGE;
use crate::domain::time::UnixMs;
use crate::redis::facts::Facts;

/// How Redis is run; what a restart can mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topology {
    /// One server: a restart comes back with its own data.
    Single,
    /// A failover may have put another server in its place.
    Replicated,
}

/// What the verdict needs besides the facts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Evidence {
    /// How Redis is run.
    pub(super) topology: Topology,
    /// Whether any coupon was ever preloaded.
    pub(super) was_preloaded: bool,
    /// Whether Redis holds any coupon.
    pub(super) has_coupon: bool,
    /// The heartbeat that Redis has.
    pub(super) heartbeat: u64,
    /// Whether every coupon's last serial in Redis is at least the one in the database.
    pub(super) serials_reach: bool,
    /// The server's clock.
    pub(super) now: UnixMs,
}

/// What may be done with this life of Redis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is the last generation.
    Same,
    /// It is a new generation of the same data, for this reason.
    Next(&'static str),
    /// It may have forgotten something: recover. The sentence says why.
    Doubtful(String),
}

/// Judges a master that has loaded its data.
pub(super) fn judge(facts: &Facts, last: Option<&Generation>, evidence: &Evidence) -> Verdict {
    let doubtful = |sentence: &str| Verdict::Doubtful(sentence.to_owned());
    let nothing_to_lose = !evidence.was_preloaded && !evidence.has_coupon;
    let Some(last) = last else {
        return match nothing_to_lose {
            true => Verdict::Next("first"),
            false => doubtful("Redis holds coupons that this database does not know"),
        };
    };
    if facts.run_id == last.run_id && facts.replid == last.replid {
        if evidence.heartbeat < last.heartbeat {
            return match nothing_to_lose {
                true => Verdict::Next("empty"),
                false => doubtful(
                    "Redis was flushed while it ran: its heartbeat is behind what was counted",
                ),
            };
        }
        // A level that is only assumed, because CONFIG is refused, replaces none that was read.
        let level = facts.level_after(Some(last.durability));
        return match level == last.durability || !facts.durability_is_read {
            true => Verdict::Same,
            // Written down, so that a later restart is not judged by a level that was left.
            false => Verdict::Next("durability_changed"),
        };
    }
    if nothing_to_lose {
        return Verdict::Next("empty");
    }
    let age_ms = evidence.now.0.saturating_sub(last.seen_at.0);
    let is_recent = age_ms < BENIGN_PROBE_MAX_AGE.as_millis() as i64;
    if facts.run_id == last.run_id {
        return match facts.replid2_is_zero && is_recent {
            true => Verdict::Next("replica_attached"),
            false => doubtful("the data of Redis was replaced while it ran"),
        };
    }
    if evidence.topology != Topology::Single {
        return doubtful("Redis restarted or failed over, and its topology is replicated");
    }
    // Redis forgets the master that it once followed when it loads its append-only file, and
    // remembers it when it loads an RDB file: neither is a plain restart at `always`.
    if !facts.replid2_is_zero {
        return doubtful(
            "a replica may have been promoted, or Redis loaded an RDB file only: its \
             master_replid2 is set; put the old primary back, with its append-only file",
        );
    }
    if last.durability != Durability::Always || facts.level_after(None) != Durability::Always {
        return doubtful("Redis restarted, and appendfsync was or is not always");
    }
    if evidence.heartbeat < last.heartbeat {
        return doubtful(
            "Redis came back with older data: its heartbeat is behind what was counted",
        );
    }
    match evidence.serials_reach {
        true => Verdict::Next("restart"),
        false => doubtful("Redis lacks tickets that the database has"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(run_id: &str, replid: &str) -> Facts {
        Facts {
            version: "Redis 7.0.15".to_owned(),
            mode: "standalone".to_owned(),
            run_id: run_id.to_owned(),
            replid: replid.to_owned(),
            replid2_is_zero: true,
            waits_for_replicas: false,
            is_master: true,
            is_loading: false,
            connected_replicas: 0,
            durability: Durability::Always,
            is_rewriting: false,
            has_whole_file: true,
            durability_is_read: true,
            last_write_ok: true,
            last_snapshot_ok: true,
            memory_percent: 0,
            eviction_policy: "noeviction".to_owned(),
            skips_fsync_on_rewrite: Some(false),
        }
    }

    fn last() -> Generation {
        Generation {
            generation_no: 3,
            epoch: 1,
            run_id: "run".to_owned(),
            replid: "repl".to_owned(),
            durability: Durability::Always,
            reason: "first".to_owned(),
            heartbeat: 100,
            seen_at: UnixMs(1_000_000),
        }
    }

    fn evidence() -> Evidence {
        Evidence {
            topology: Topology::Single,
            was_preloaded: true,
            has_coupon: true,
            heartbeat: 100,
            serials_reach: true,
            now: UnixMs(1_060_000),
        }
    }

    fn is_doubtful(verdict: &Verdict) -> bool {
        matches!(verdict, Verdict::Doubtful(_))
    }

    #[test]
    fn the_same_process_with_the_same_data_goes_on() {
        assert_eq!(judge(&facts("run", "repl"), Some(&last()), &evidence()), Verdict::Same);
    }

    #[test]
    fn the_same_process_without_its_data_is_doubtful_unless_there_was_nothing_to_lose() {
        let flushed = Evidence { heartbeat: 99, has_coupon: false, ..evidence() };
        assert!(is_doubtful(&judge(&facts("run", "repl"), Some(&last()), &flushed)));
        let unused = Evidence { was_preloaded: false, ..flushed };
        let verdict = judge(&facts("run", "repl"), Some(&last()), &unused);
        assert_eq!(verdict, Verdict::Next("empty"));
    }

    #[test]
    fn a_restart_on_its_own_complete_data_goes_on() {
        let verdict = judge(&facts("new", "new"), Some(&last()), &evidence());
        assert_eq!(verdict, Verdict::Next("restart"));
    }

    #[test]
    fn a_first_replica_is_benign_only_while_the_last_proof_is_recent() {
        let attached = facts("run", "new");
        let verdict = judge(&attached, Some(&last()), &evidence());
        assert_eq!(verdict, Verdict::Next("replica_attached"));
        let late = Evidence { now: UnixMs(1_000_000 + 30 * 60 * 1_000), ..evidence() };
        assert!(is_doubtful(&judge(&attached, Some(&last()), &late)));
        let promoted = Facts { replid2_is_zero: false, ..attached };
        assert!(is_doubtful(&judge(&promoted, Some(&last()), &evidence())));
    }

    #[test]
    fn a_restart_that_may_have_forgotten_a_ticket_is_doubtful() {
        let restarted = facts("new", "new");
        let doubtful = [
            Evidence { topology: Topology::Replicated, ..evidence() },
            Evidence { heartbeat: 99, ..evidence() },
            Evidence { serials_reach: false, ..evidence() },
        ];
        for evidence in doubtful {
            assert!(is_doubtful(&judge(&restarted, Some(&last()), &evidence)), "{evidence:?}");
        }
        let everysec = Facts { durability: Durability::Everysec, ..restarted.clone() };
        assert!(is_doubtful(&judge(&everysec, Some(&last()), &evidence())));
        let before = Generation { durability: Durability::Everysec, ..last() };
        assert!(is_doubtful(&judge(&restarted, Some(&before), &evidence())));
        let promoted = Facts { replid2_is_zero: false, ..restarted.clone() };
        assert!(is_doubtful(&judge(&promoted, Some(&last()), &evidence())));
        let not_on_disk = Facts { is_rewriting: true, has_whole_file: false, ..restarted };
        assert!(is_doubtful(&judge(&not_on_disk, Some(&last()), &evidence())));
    }

    #[test]
    fn a_level_rises_when_the_rewrite_that_makes_it_true_has_ended_and_falls_at_once() {
        let rewriting = Facts { is_rewriting: true, ..facts("run", "repl") };
        let before = |durability| Generation { durability, ..last() };
        let none = before(Durability::None);
        assert_eq!(judge(&rewriting, Some(&none), &evidence()), Verdict::Same);
        let ended = judge(&facts("run", "repl"), Some(&none), &evidence());
        assert_eq!(ended, Verdict::Next("durability_changed"));
        // A rewrite of a file that is whole voids nothing.
        assert_eq!(judge(&rewriting, Some(&last()), &evidence()), Verdict::Same);
        let restarted = Facts { is_rewriting: true, ..facts("new", "new") };
        assert_eq!(judge(&restarted, Some(&last()), &evidence()), Verdict::Next("restart"));
        let weaker = Facts { durability: Durability::Everysec, ..rewriting };
        let verdict = judge(&weaker, Some(&last()), &evidence());
        assert_eq!(verdict, Verdict::Next("durability_changed"));
    }

    #[test]
    fn without_a_generation_only_an_empty_redis_is_trusted() {
        let empty = Evidence { was_preloaded: false, has_coupon: false, ..evidence() };
        assert_eq!(judge(&facts("run", "repl"), None, &empty), Verdict::Next("first"));
        for evidence in
            [Evidence { has_coupon: true, ..empty }, Evidence { was_preloaded: true, ..empty }]
        {
            assert!(is_doubtful(&judge(&facts("run", "repl"), None, &evidence)));
        }
    }
}
