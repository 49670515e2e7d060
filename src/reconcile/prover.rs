//! The prover: once a second, and at once when somebody doubts, it compares this life of Redis with
//! the one in the database, and tells the whole process what it may do.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::accept::{Acceptor, Standing, Unproven};
use super::counted::Counted;
use super::dry_runs::DryRuns;
use super::judge::Topology;
use super::kept;
use super::notes::Notes;
use crate::domain::time::UnixMs;
use crate::lua::dry_run::Outcome;
use crate::lua::heartbeat::{Args, Reply, heartbeat};
use crate::redis::generation::Accepted;
use crate::redis::{self, Redis};
use crate::store::Store;
use crate::telemetry::health::{Health, Part, Report};

/// How often it looks without being asked.
const EVERY: Duration = Duration::from_secs(1);
/// The shortest pause between two looks.
const AT_LEAST: Duration = Duration::from_millis(50);

/// Proves the generation; its loop is [`Prover::step`] repeated.
pub struct Prover {
    redis: Redis,
    acceptor: Acceptor,
    /// What this process proved itself; believed without the database as long as Redis tells the
    /// same identity.
    proven: Option<Accepted>,
    /// The greatest count that this process saw in the life that it accepted last; none before one
    /// that is written down.
    seen: Option<Counted>,
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
        let redis = redis.with_reserved_pool();
        let acceptor = Acceptor {
            redis: redis.clone(),
            store,
            topology,
            standing: Standing::Resident,
            now,
            kept: kept::Reader::new(None),
        };
        Self {
            dry_runs: DryRuns::new(redis.clone()),
            redis,
            acceptor,
            proven: None,
            seen: None,
            beaten_at: None,
            notes: Notes::new(),
            data_dir: None,
            complained: None,
            health: Health::default(),
        }
    }

    /// This prover keeps what it counts in this directory, too, and believes what it finds there.
    #[must_use]
    pub fn keeping_in(self, data_dir: PathBuf) -> Self {
        let acceptor =
            Acceptor { kept: kept::Reader::new(Some(data_dir.clone())), ..self.acceptor };
        Self { data_dir: Some(data_dir), acceptor, ..self }
    }

    /// This process comes and goes: it may lack what a server counted, so it accepts no life that a
    /// server has not accepted, unless there is nothing to lose.
    #[must_use]
    pub fn visiting(self) -> Self {
        Self { acceptor: Acceptor { standing: Standing::Visitor, ..self.acceptor }, ..self }
    }

    /// This process only looks: it judges as a visitor, and writes nothing into the database.
    #[must_use]
    pub fn only_looking(self) -> Self {
        Self { acceptor: Acceptor { standing: Standing::Onlooker, ..self.acceptor }, ..self }
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
        let (notes, store) = (self.notes.clone(), self.acceptor.store.clone());
        let generation = self.redis.generation().clone();
        tokio::select! {
            () = notes.keep(self.data_dir.clone(), self.health.clone()) => {}
            () = notes.write(&*store, &generation) => {}
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
        let at = (self.acceptor.now)();
        let is_replicated = self.acceptor.topology == Topology::Replicated;
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
            None => {
                let (accepted, counted) =
                    self.acceptor.accept(&facts, at, self.seen.as_ref()).await?;
                self.seen = counted;
                accepted
            }
        };
        match self.dry_runs.outcome(&accepted).await? {
            Outcome::Ran => {}
            Outcome::OtherGeneration => return Err(Unproven::Overtaken),
            Outcome::Denied(sentence) => return Err(Unproven::Doubtful(sentence)),
        }
        self.beat(accepted).await
    }

    /// Counts a second in Redis, and hands it to those who write it down (P2 step 8). A count that
    /// fell is left as it is, and judged: only data that was lost can count less.
    async fn beat(&mut self, accepted: Accepted) -> Result<Accepted, Unproven> {
        // Who only looks has begun no life, and counts none.
        let Some(seen) = &mut self.seen else { return Ok(accepted) };
        let (generation_no, at_least) = (seen.generation_no, seen.heartbeat);
        let seen_at = (self.acceptor.now)();
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
        (seen.heartbeat, seen.seen_at) = (count, seen_at);
        self.notes.note(seen.clone());
        Ok(accepted)
    }
}
