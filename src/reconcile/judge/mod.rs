//! Is this life of Redis the one that the database knows? Pure: facts in, judgement out (P2 steps
//! 4-7).

use crate::domain::doubt::Doubt;
use crate::domain::generation::{Durability, Generation, JUDGING, PREFIX};
use crate::domain::limits::{BENIGN_PROBE_MAX_AGE, CLOCK_SKEW_MAX};
use crate::domain::time::UnixMs;
use crate::redis::facts::Facts;

/// The reason for a generation that has no data of the one before, when nothing could be lost.
pub(super) const EMPTY: &str = "empty";

/// How Redis is run, which decides what a restart can mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topology {
    /// The child of this process: no other server's data can take its place.
    Private,
    /// One server: it restarts with its own data.
    Single,
    /// A failover may put another server in its place.
    Replicated,
}

/// The evidence besides the facts of Redis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Evidence {
    pub(super) topology: Topology,
    /// Whether any coupon was ever preloaded.
    pub(super) was_preloaded: bool,
    /// Whether Redis has any coupon.
    pub(super) has_coupon: bool,
    /// The heartbeat that Redis has.
    pub(super) heartbeat: u64,
    /// Whether every coupon's last serial in Redis is at least the one in the database, which is
    /// not asked of the same life, and at least what this process told; nothing is asked while
    /// coupons are recovered, because Redis may not have them yet.
    pub(super) serials_reach: bool,
    /// Whether nobody has counted the last generation for a while.
    pub(super) is_silent: bool,
    /// Whether it has all that was told; only while it is judged.
    pub(super) prefix: Prefix,
    /// Whether this process counted more in an earlier life than a later one had when it was
    /// accepted.
    pub(super) is_older: bool,
    /// Why the count in this process's data directory is not known.
    pub(super) kept_unread: Option<Doubt>,
    /// The server's clock.
    pub(super) now: UnixMs,
    /// When the process of Redis started, by the server's clock; not earlier than it really did.
    pub(super) started_at: UnixMs,
}

impl Evidence {
    /// Whether no ticket was ever issued that Redis could have forgotten.
    pub(super) fn nothing_to_lose(&self) -> bool {
        !self.was_preloaded && !self.has_coupon
    }
}

/// Whether a Redis whose data is a prefix of the accepted one's has all that was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Prefix {
    /// A server that lives has not said what it told.
    Open,
    /// Nothing that was told is missing.
    Whole,
    /// Something is missing, or a server is gone and nobody knows what it told last.
    Lacking,
}

/// What may be done with this life of Redis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Judgement {
    /// It is the last generation.
    Same,
    /// It is a new generation of the same data, for this reason.
    Next(&'static str),
    /// Its data is a prefix of the last generation's: nobody may issue until it is judged.
    Fence,
    /// It may have forgotten something: it needs a recovery.
    Doubtful(Doubt),
    /// Doubtful, and all other servers must learn it: they may not see the evidence, or not for
    /// long.
    Refused(Doubt),
}

/// Judges a master that has loaded its data.
pub(super) fn judge(facts: &Facts, last: Option<&Generation>, evidence: &Evidence) -> Judgement {
    let Some(last) = last else {
        return match evidence.nothing_to_lose() {
            true => Judgement::Next("first"),
            false => Judgement::Doubtful(Doubt::UnknownCoupons),
        };
    };
    let is_same = facts.is_life(last);
    if evidence.nothing_to_lose() {
        return match is_same && evidence.heartbeat >= last.heartbeat {
            true => judge_level(facts, last),
            false => Judgement::Next(EMPTY),
        };
    }
    let is_judged = last.reason == JUDGING;
    let judgement = match (is_same, facts.run_id == last.run_id) {
        _ if evidence.is_older => Judgement::Refused(Doubt::OlderAccepted),
        (true, _) if is_judged => judge_prefix(last, evidence),
        (true, _) if evidence.heartbeat < last.heartbeat => Judgement::Doubtful(Doubt::Flushed),
        // Another server accepted it, and did not tell what this one told.
        (true, _) if !evidence.serials_reach => Judgement::Refused(Doubt::LacksTickets),
        (true, _) => judge_level(facts, last),
        (false, true) => judge_new_replid(facts, last, evidence),
        (false, false) if facts.replid2 == last.replid && evidence.is_silent => Judgement::Fence,
        (false, false) => judge_new_process(facts, last, evidence),
    };
    match judgement {
        judgement if last.refused_run_id.as_ref() != Some(&facts.run_id) => judgement,
        // The refusal is written down already.
        Judgement::Doubtful(doubt) | Judgement::Refused(doubt) => Judgement::Doubtful(doubt),
        Judgement::Same | Judgement::Next(_) | Judgement::Fence => {
            Judgement::Doubtful(Doubt::RefusedBefore)
        }
    }
}

/// The same process goes on with the same data.
fn judge_level(facts: &Facts, last: &Generation) -> Judgement {
    // A level that is only assumed, because CONFIG is refused, replaces no level that was read.
    let level = facts.level_after(Some(last.durability));
    match level == last.durability || !facts.durability_is_read {
        true => Judgement::Same,
        // Written down, so that a later restart is not judged by an old level.
        false => Judgement::Next("durability_changed"),
    }
}

/// The same process has a new replid: it got its first replica, or it was one.
fn judge_new_replid(facts: &Facts, last: &Generation, evidence: &Evidence) -> Judgement {
    // Redis forgets the master that it followed when it has had no replica for a while.
    if !facts.replid2_is_zero() {
        return Judgement::Refused(Doubt::Replaced);
    }
    let age_ms = evidence.now.0.saturating_sub(last.seen_at.0);
    if age_ms >= BENIGN_PROBE_MAX_AGE.as_millis() as i64 {
        return Judgement::Doubtful(Doubt::Replaced);
    }
    if evidence.heartbeat < last.heartbeat {
        return Judgement::Doubtful(Doubt::Flushed);
    }
    match (&evidence.kept_unread, evidence.serials_reach) {
        (Some(doubt), _) => Judgement::Doubtful(doubt.clone()),
        (None, false) => Judgement::Doubtful(Doubt::LacksTickets),
        (None, true) => Judgement::Next("replica_attached"),
    }
}

/// Another process is there: the last one restarted, or it is another server.
fn judge_new_process(facts: &Facts, last: &Generation, evidence: &Evidence) -> Judgement {
    if facts.replid2 == last.replid {
        // Soon nobody counts it, and it is judged.
        return Judgement::Doubtful(Doubt::Judging);
    }
    if evidence.topology == Topology::Replicated {
        return Judgement::Doubtful(Doubt::FailedOver);
    }
    // Redis forgets the master that it once followed when it loads its append-only file, and
    // remembers it when it loads an RDB file: neither is a plain restart at `always`. It forgets it
    // as well when it has had no replica for a while.
    match (facts.replid2_is_zero(), ran_before(last, evidence)) {
        (true, false) => {}
        (true, true) => return Judgement::Doubtful(Doubt::RanBefore),
        (false, true) => return Judgement::Refused(Doubt::Promoted),
        (false, false) => return Judgement::Refused(Doubt::Snapshot),
    }
    if last.durability != Durability::Always || facts.level_after(None) != Durability::Always {
        return Judgement::Doubtful(Doubt::Restarted);
    }
    if evidence.heartbeat < last.heartbeat {
        return Judgement::Doubtful(Doubt::Older);
    }
    match (&evidence.kept_unread, evidence.serials_reach) {
        (Some(doubt), _) => Judgement::Doubtful(doubt.clone()),
        (None, false) => Judgement::Doubtful(Doubt::LacksTickets),
        (None, true) => Judgement::Next("restart"),
    }
}

/// Its data came from the last generation that was accepted, when the fence was written.
fn judge_prefix(last: &Generation, evidence: &Evidence) -> Judgement {
    match (evidence.prefix, evidence.topology) {
        (Prefix::Open, _) => Judgement::Doubtful(Doubt::Judging),
        (Prefix::Whole, _) => Judgement::Next(PREFIX),
        (Prefix::Lacking, Topology::Replicated) => Judgement::Doubtful(Doubt::LacksPrefix),
        (Prefix::Lacking, _) if ran_before(last, evidence) => Judgement::Refused(Doubt::Promoted),
        (Prefix::Lacking, _) => Judgement::Refused(Doubt::Snapshot),
    }
}

/// Whether this process of Redis already ran when the last generation was counted.
fn ran_before(last: &Generation, evidence: &Evidence) -> bool {
    let skew_ms = CLOCK_SKEW_MAX.as_millis() as i64;
    let is_known = evidence.topology == Topology::Private;
    !is_known && evidence.started_at.0.saturating_add(skew_ms) < last.seen_at.0
}

#[cfg(test)]
mod tests;
