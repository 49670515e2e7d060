//! The prover: once a second, and at once when somebody doubts, it compares this life of Redis with
//! the one in the database, and tells the whole process what it may do.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::dry_runs::DryRuns;
use super::judge::{Evidence, Topology, Verdict, judge};
use super::kept::{self, Counted};
use super::notes::Notes;
use super::serials::serials_reach;
use crate::domain::generation::Generation;
use crate::domain::time::UnixMs;
use crate::lua::dry_run::Outcome;
use crate::lua::heartbeat::{Args, Reply, heartbeat};
use crate::redis::facts::Facts;
use crate::redis::generation::Accepted;
use crate::redis::{self, Redis};
use crate::store::{self, Store};
use crate::telemetry::health::{Health, Part, Report};

/// How often it looks without being asked.
const EVERY: Duration = Duration::from_secs(1);
/// The shortest pause between two looks.
const AT_LEAST: Duration = Duration::from_millis(50);

/// Why this life of Redis cannot be accepted now.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unproven {
    #[error("Redis is not reachable: {0}")]
    Redis(#[from] crate::redis::Error),
    #[error("this life of Redis cannot be proven while the database is away: {0}")]
    Store(#[from] store::Error),
    #[error("{0}")]
    Doubtful(String),
    #[error("another server is proving this life of Redis")]
    Overtaken,
}

/// Proves the generation; its loop is [`Prover::step`] repeated.
pub struct Prover {
    redis: Redis,
    store: Arc<dyn Store>,
    topology: Topology,
    now: fn() -> UnixMs,
    /// What this process proved itself; believed without the database as long as Redis tells the
    /// same identity.
    proven: Option<Accepted>,
    /// A generation's number and the greatest heartbeat that this process saw in it.
    seen: (u64, u64),
    /// When it counted last.
    beaten_at: Option<Instant>,
    /// Where the counts go that must outlive this process.
    notes: Notes,
    data_dir: Option<PathBuf>,
    dry_runs: DryRuns,
    complained: Option<String>,
    health: Health,
}

impl Prover {
    /// A prover for this Redis and this database.
    pub fn new(
        redis: &Redis,
        store: Arc<dyn Store>,
        topology: Topology,
        now: fn() -> UnixMs,
    ) -> Self {
        Self {
            redis: redis.with_reserved_pool(),
            store,
            topology,
            now,
            proven: None,
            seen: (0, 0),
            beaten_at: None,
            notes: Notes::new(),
            data_dir: None,
            dry_runs: DryRuns::new(redis.with_reserved_pool()),
            complained: None,
            health: Health::default(),
        }
    }

    /// This prover keeps what it counts in this directory, too, and believes what it finds there.
    #[must_use]
    pub fn keeping_in(self, data_dir: PathBuf) -> Self {
        Self { data_dir: Some(data_dir), ..self }
    }

    /// It reports a Redis that writes nothing: its beat is the one write that every process makes
    /// whether users come or not.
    #[must_use]
    pub fn reporting_to(self, health: Health) -> Self {
        Self { health, ..self }
    }

    /// Repeats [`Prover::step`] every second, and soon on doubt, until shutdown. What it counts is
    /// written down beside it.
    pub async fn run(self, shutdown: CancellationToken) {
        let (notes, store) = (self.notes.clone(), self.store.clone());
        let generation = self.redis.generation().clone();
        tokio::select! {
            () = notes.keep(self.data_dir.clone(), self.health.clone()) => {}
            () = notes.write(&*store, self.now, &generation) => {}
            () = self.look(shutdown) => {}
        }
    }

    async fn look(mut self, shutdown: CancellationToken) {
        while !shutdown.is_cancelled() {
            tokio::select! {
                () = self.step() => {}
                () = shutdown.cancelled() => return,
            }
            // However many doubt, the next look is not at once.
            tokio::time::sleep(AT_LEAST).await;
            tokio::select! {
                () = tokio::time::sleep(EVERY) => {}
                () = self.redis.generation().doubted() => {}
                () = shutdown.cancelled() => {}
            }
        }
    }

    /// Looks once and publishes what it found.
    pub async fn step(&mut self) {
        let mut found = self.prove().await;
        if matches!(found, Err(Unproven::Overtaken)) {
            self.proven = None;
            found = self.prove().await;
        }
        match found {
            Ok(accepted) => {
                if self.complained.take().is_some() {
                    tracing::info!(epoch = accepted.epoch, "this life of Redis is proven");
                }
                self.proven = Some(accepted.clone());
                self.redis.generation().publish(Ok(accepted));
            }
            // Whoever calls Redis meets the same; what was proven stays true until it tells another
            // identity.
            Err(Unproven::Redis(error)) if self.proven.is_some() => {
                self.complain(&error.to_string())
            }
            Err(unproven) => {
                let sentence = unproven.to_string();
                self.complain(&sentence);
                self.proven = None;
                self.redis.generation().publish(Err(sentence));
            }
        }
    }

    /// Logs a sentence once, not once a second.
    fn complain(&mut self, sentence: &str) {
        if self.complained.as_deref() != Some(sentence) {
            tracing::warn!(reason = sentence, "not proven");
            self.complained = Some(sentence.to_owned());
        }
    }

    async fn prove(&mut self) -> Result<Accepted, Unproven> {
        let facts = self.redis.facts().await?;
        let is_replicated = self.topology == Topology::Replicated;
        let warnings = facts.unforeseen_replicas(is_replicated).into_iter().collect();
        self.health.report(Part::Replicas, Report { reasons: Vec::new(), warnings });
        if let Some(sentence) = facts.unfit(is_replicated) {
            return Err(Unproven::Doubtful(sentence));
        }
        if facts.is_loading {
            return Err(Unproven::Doubtful("Redis is still loading its data".to_owned()));
        }
        let is_known = |known: &&Accepted| {
            (&known.run_id, &known.replid, known.durability)
                == (&facts.run_id, &facts.replid, facts.level_after(Some(known.durability)))
        };
        let accepted = match self.proven.as_ref().filter(is_known) {
            Some(known) => known.clone(),
            None => self.accept(&facts).await?,
        };
        match self.dry_runs.outcome(&accepted).await? {
            Outcome::Ran => {}
            Outcome::OtherGeneration => return Err(Unproven::Overtaken),
            Outcome::Denied(sentence) => return Err(Unproven::Doubtful(sentence)),
        }
        self.beat(accepted).await
    }

    /// Compares with the database, and writes a new generation of the same data down by
    /// compare-and-set.
    async fn accept(&mut self, facts: &Facts) -> Result<Accepted, Unproven> {
        let mut last = self.store.last_generation().await?;
        if let Some(last) = &mut last {
            // The database may have missed beats: it was away.
            let kept = kept::greatest_in(last, self.data_dir.clone()).await;
            last.heartbeat = last.heartbeat.max(self.seen_in(last.generation_no)).max(kept);
        }
        let evidence = self.evidence(facts, last.as_ref()).await?;
        let same_life = last.as_ref().filter(|last| last.run_id == facts.run_id);
        let durability = facts.level_after(same_life.map(|last| last.durability));
        let (generation_no, epoch) = match judge(facts, last.as_ref(), &evidence) {
            Verdict::Doubtful(sentence) => return Err(Unproven::Doubtful(sentence)),
            Verdict::Same => last.as_ref().map_or((1, 1), |last| (last.generation_no, last.epoch)),
            Verdict::Next(reason) => {
                let epoch = last.as_ref().map_or(1, |last| last.epoch);
                let next = Generation {
                    generation_no: last.as_ref().map_or(0, |last| last.generation_no) + 1,
                    epoch,
                    run_id: facts.run_id.clone(),
                    replid: facts.replid.clone(),
                    durability,
                    reason: reason.to_owned(),
                    heartbeat: evidence.heartbeat,
                    seen_at: evidence.now,
                };
                if !self.store.append_generation(&next).await? {
                    return Err(Unproven::Overtaken);
                }
                tracing::info!(generation = next.generation_no, epoch, reason, "accepted");
                (next.generation_no, epoch)
            }
        };
        // Nothing below what was judged is counted on from.
        self.seen = (generation_no, evidence.heartbeat);
        Ok(Accepted {
            generation_no,
            epoch,
            run_id: facts.run_id.clone(),
            replid: facts.replid.clone(),
            durability,
        })
    }

    async fn evidence(
        &self,
        facts: &Facts,
        last: Option<&Generation>,
    ) -> Result<Evidence, Unproven> {
        // What cannot change the verdict is not looked for: after a benign change users wait.
        let is_same_process = last.is_some_and(|last| last.run_id == facts.run_id);
        let was_preloaded = self.store.has_preloaded_coupon().await?;
        Ok(Evidence {
            topology: self.topology,
            was_preloaded,
            has_coupon: was_preloaded || self.redis.has_coupon().await?,
            heartbeat: self.redis.heartbeat().await?,
            serials_reach: is_same_process || serials_reach(&self.redis, &*self.store).await?,
            now: (self.now)(),
        })
    }

    fn seen_in(&self, generation_no: u64) -> u64 {
        let (seen_in, heartbeat) = self.seen;
        if seen_in == generation_no { heartbeat } else { 0 }
    }

    /// Counts a second in Redis, and hands it to those who write it down (P2 step 8). A count that
    /// fell is left as it is, and judged: only data that was lost can count less.
    async fn beat(&mut self, accepted: Accepted) -> Result<Accepted, Unproven> {
        let generation_no = accepted.generation_no;
        let at_least = self.seen_in(generation_no);
        if self.notes.is_overtaken(generation_no) {
            return Err(Unproven::Overtaken);
        }
        if self.beaten_at.is_some_and(|at| at.elapsed() < EVERY) && self.proven.is_some() {
            return match self.redis.heartbeat().await? < at_least {
                true => Err(Unproven::Overtaken),
                false => Ok(accepted),
            };
        }
        let count = match heartbeat(&self.redis, Args { generation: &accepted, at_least }).await {
            Ok(Reply::Beat(count)) => {
                self.health.report(Part::Prover, Report::default());
                count
            }
            Ok(Reply::Behind(_) | Reply::OtherGeneration) => return Err(Unproven::Overtaken),
            // Redis is full, say: the persister must be let in to make room, so this beat is
            // missed.
            Err(redis::Error::Refused(error)) => {
                let sentence = format!("Redis refuses every write: {error}");
                let report = Report { reasons: vec![sentence], warnings: Vec::new() };
                self.health.report(Part::Prover, report);
                return Ok(accepted);
            }
            Err(error) => return Err(error.into()),
        };
        self.beaten_at = Some(Instant::now());
        self.seen = (generation_no, count);
        let Accepted { run_id, replid, .. } = accepted.clone();
        self.notes.note(Counted { generation_no, run_id, replid, heartbeat: count });
        Ok(accepted)
    }
}
