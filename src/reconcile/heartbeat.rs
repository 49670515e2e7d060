//! The heartbeat: the seconds of a life are counted in Redis, so that lost data can be noticed (P2
//! step 8).

use std::time::{Duration, Instant};

use super::counted::Counted;
use super::notes::Notes;
use super::unproven::Unproven;
use crate::domain::doubt::Doubt;
use crate::domain::time::UnixMs;
use crate::lua::heartbeat::{Args, Reply, heartbeat};
use crate::redis::facts;
use crate::redis::generation::Accepted;
use crate::redis::{self, Redis};
use crate::telemetry::health::{Health, Part, Report};

/// How often it is raised.
const EVERY: Duration = Duration::from_secs(1);

/// Counts the heartbeat, and remembers the count.
pub(super) struct Heartbeat {
    redis: Redis,
    now: fn() -> UnixMs,
    /// The greatest count that this process saw in the life that it accepted last; none before one
    /// that is written down.
    seen: Option<Counted>,
    beaten_at: Option<Instant>,
    /// Where the counts go that must outlive this process.
    notes: Notes,
    health: Health,
}

impl Heartbeat {
    pub(super) fn new(redis: Redis, now: fn() -> UnixMs) -> Self {
        let (notes, health) = (Notes::new(), Health::default());
        Self { redis, now, seen: None, beaten_at: None, notes, health }
    }

    /// Reports a Redis that refuses writes.
    pub(super) fn reporting_to(self, health: Health) -> Self {
        Self { health, ..self }
    }

    /// The counts, for the loops that write them down.
    pub(super) fn notes(&self) -> &Notes {
        &self.notes
    }

    /// The greatest count that this process saw in the life that it accepted last.
    pub(super) fn seen(&self) -> Option<&Counted> {
        self.seen.as_ref()
    }

    /// Continues from this count of an accepted life. Without one nothing is counted: a process
    /// that only reads has begun no life.
    pub(super) fn go_on_from(&mut self, counted: Option<Counted>) {
        self.seen = counted;
    }

    /// Counts a second in Redis, and passes the count to the loops that write it down (P2 step 8).
    /// A count that fell is left as it is, and judged: only data that was lost can count less.
    /// Within a second of the last count it is only read, if this life `is_proven` already.
    pub(super) async fn beat(
        &mut self,
        accepted: &Accepted,
        is_proven: bool,
    ) -> Result<(), Unproven> {
        let Some(seen) = &mut self.seen else { return Ok(()) };
        let fell = || Err(Unproven::Changed(Doubt::HeartbeatFell));
        let (generation_no, at_least) = (seen.generation_no, seen.heartbeat);
        let seen_at = (self.now)();
        if self.notes.is_overtaken(generation_no) {
            return Err(Unproven::Changed(Doubt::NoLongerLast));
        }
        if self.beaten_at.is_some_and(|at| at.elapsed() < EVERY) && is_proven {
            return if facts::heartbeat(&self.redis).await? < at_least { fell() } else { Ok(()) };
        }
        let count = match heartbeat(&self.redis, Args { generation: accepted, at_least }).await {
            Ok(Reply::Beat(count)) => {
                self.health.report(Part::Prover, Report::default());
                count
            }
            Ok(Reply::Behind(_)) => return fell(),
            Ok(Reply::OtherGeneration) => return Err(Unproven::Changed(Doubt::Changed)),
            Ok(Reply::OtherInstallation) => {
                return Err(Unproven::Doubtful(Doubt::OtherInstallation));
            }
            // Redis may be full, for example. The persister must go on to make room, so this beat
            // is skipped.
            Err(redis::Error::Refused(error)) => {
                let sentence = format!("Redis refuses every write: {error}");
                let report = Report { reasons: vec![sentence], warnings: Vec::new() };
                self.health.report(Part::Prover, report);
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        };
        self.beaten_at = Some(Instant::now());
        (seen.heartbeat, seen.seen_at) = (count, seen_at);
        self.notes.note(seen.clone());
        Ok(())
    }
}
