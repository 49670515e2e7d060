//! The prover: it compares this life of Redis with the one in the database, and tells the whole
//! process what it may do.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use super::acceptance::{Acceptance, Standing};
use super::dry_runs::DryRuns;
use super::heartbeat::Heartbeat;
use super::judge::Topology;
use super::kept;
use super::notes::{HeartbeatFile, HeartbeatRow};
use super::unproven::Unproven;
use crate::domain::doubt::Doubt;
use crate::domain::time::UnixMs;
use crate::domain::witnesses::Witnesses;
use crate::lua::dry_run::Outcome;
use crate::redis::Redis;
use crate::redis::facts;
use crate::redis::generation::{Accepted, Life};
use crate::store::Store;
use crate::telemetry::health::{Health, Part, Report};
use crate::telemetry::loops::Stepped;

/// Proves the generation; its loop is [`Prover::step`] repeated.
pub struct Prover {
    redis: Redis,
    acceptance: Acceptance,
    heartbeat: Heartbeat,
    /// What this process proved itself; valid without the database as long as Redis reports the
    /// same identity.
    proven: Option<Accepted>,
    data_dir: Option<PathBuf>,
    dry_runs: DryRuns,
    /// The doubt that it logged last, since the last proof.
    complained: Option<Doubt>,
    health: Health,
}

impl Prover {
    pub fn new(
        redis: &Redis,
        store: Arc<dyn Store>,
        topology: Topology,
        now: fn() -> UnixMs,
    ) -> Self {
        let redis = redis.with_reserved_pool();
        if topology == Topology::Replicated {
            redis.generation().limit();
        }
        let acceptance = Acceptance {
            redis: redis.clone(),
            store,
            topology,
            standing: Standing::Resident,
            now,
            kept: kept::Reader::new(None),
            process: None,
            told: Witnesses::default(),
            count: None,
        };
        Self {
            dry_runs: DryRuns::new(redis.clone()),
            heartbeat: Heartbeat::new(redis.clone(), now),
            redis,
            acceptance,
            proven: None,
            data_dir: None,
            complained: None,
            health: Health::default(),
        }
    }

    /// Also stores the counts in this directory, and uses what it finds there.
    #[must_use]
    pub fn keeping_in(self, data_dir: PathBuf) -> Self {
        let kept = kept::Reader::new(Some(data_dir.clone()));
        let acceptance = Acceptance { kept, ..self.acceptance };
        Self { data_dir: Some(data_dir), acceptance, ..self }
    }

    /// For a process that issues, by its name: it has a row before it issues anything, and accepts
    /// no Redis that lacks what it told.
    #[must_use]
    pub fn for_process(self, process: String, told: Witnesses) -> Self {
        let acceptance = Acceptance { process: Some(process), told, ..self.acceptance };
        Self { acceptance, ..self }
    }

    /// For a process that runs only briefly: it may lack the counts of a server, so it accepts no
    /// life that a server has not accepted, unless there is nothing to lose.
    #[must_use]
    pub fn visiting(self) -> Self {
        Self { acceptance: Acceptance { standing: Standing::Visitor, ..self.acceptance }, ..self }
    }

    /// For a process that only reads: it judges like a visitor, and writes nothing into the
    /// database.
    #[must_use]
    pub fn only_looking(self) -> Self {
        Self { acceptance: Acceptance { standing: Standing::Onlooker, ..self.acceptance }, ..self }
    }

    /// Reports a Redis that refuses writes: the heartbeat is the one write that every process
    /// makes whether users come or not.
    #[must_use]
    pub fn reporting_to(self, health: Health) -> Self {
        let heartbeat = self.heartbeat.reporting_to(health.clone());
        Self { health, heartbeat, ..self }
    }

    /// The loop that writes the counts into the data directory, if there is one.
    pub fn heartbeat_file(&self) -> Option<HeartbeatFile> {
        let data_dir = self.data_dir.clone()?;
        Some(self.heartbeat.notes().file(data_dir, self.health.clone()))
    }

    /// The loop that writes the counts into the database.
    pub fn heartbeat_row(&self) -> HeartbeatRow {
        let (store, generation) = (self.acceptance.store.clone(), self.redis.generation().clone());
        self.heartbeat.notes().row(store, generation)
    }

    /// Looks once and publishes the result; the step is done if this life is proven. Every call
    /// has its time-out; only a new life needs more than a few calls, because each coupon is
    /// compared.
    pub async fn step(&mut self) -> Stepped {
        let mut found = self.prove().await;
        if let Err(Unproven::Changed(_)) = found {
            self.proven = None;
            found = self.prove().await;
        }
        match found {
            Ok(accepted) => {
                if self.complained.take().is_some() {
                    tracing::info!(epoch = accepted.epoch, "this life of Redis is proven");
                }
                self.proven = Some(accepted.clone());
                self.redis.generation().publish_doubtful(None);
                self.redis.generation().publish(Life::Proven(Arc::new(accepted)));
                return Stepped::Done;
            }
            Err(Unproven::Unanswered(doubt)) if self.proven.is_some() => self.complain(doubt),
            Err(
                Unproven::Unanswered(doubt) | Unproven::Changed(doubt) | Unproven::Doubtful(doubt),
            ) => {
                self.complain(doubt.clone());
                self.proven = None;
                let ours = match doubt.may_be_accepted() {
                    true => self.acceptance.ours().await.unwrap_or_default(),
                    false => None,
                };
                self.redis.generation().publish_doubtful(ours);
                self.redis.generation().publish(Life::Doubtful(doubt));
            }
        }
        Stepped::Failed
    }

    /// Logs a doubt once, not once a second.
    fn complain(&mut self, doubt: Doubt) {
        if self.complained.as_ref() != Some(&doubt) {
            tracing::warn!(reason = %doubt, "not proven");
            self.complained = Some(doubt);
        }
    }

    async fn prove(&mut self) -> Result<Accepted, Unproven> {
        let facts = facts::read(&self.redis).await?;
        let at = (self.acceptance.now)();
        let is_replicated = self.acceptance.topology == Topology::Replicated;
        let warnings = facts.unforeseen_replicas(is_replicated).into_iter().collect();
        self.health.report(Part::Replicas, Report { reasons: Vec::new(), warnings });
        let loading = facts.is_loading.then_some(Doubt::Loading);
        if let Some(doubt) = facts.unfit(is_replicated).or(loading) {
            return Err(Unproven::Doubtful(doubt));
        }
        let is_known = |known: &&Accepted| {
            (&known.run_id, &known.replid, known.durability)
                == (&facts.run_id, &facts.replid, facts.level_after(Some(known.durability)))
        };
        let known = self.proven.as_ref().filter(is_known).cloned();
        let is_outdated = self.redis.generation().was_outdated();
        let asked_at = Instant::now();
        let accepted = match known {
            Some(known) if !is_outdated => known,
            known => match self.acceptance.accept(&facts, at, self.heartbeat.seen()).await {
                Ok((accepted, counted)) => {
                    self.redis.generation().confirmed(asked_at);
                    self.heartbeat.go_on_from(counted);
                    accepted
                }
                // Coupons that were not recovered go on without the database.
                Err(unproven) => match (known, &unproven) {
                    (Some(known), Unproven::Doubtful(Doubt::DatabaseAway(_))) => known,
                    _ => return Err(unproven),
                },
            },
        };
        match self.dry_runs.outcome(&accepted).await? {
            Outcome::Ran => {}
            Outcome::OtherGeneration => return Err(Unproven::Changed(Doubt::Changed)),
            Outcome::Denied(doubt) => return Err(Unproven::Doubtful(doubt)),
        }
        self.heartbeat.beat(&accepted, self.proven.is_some()).await?;
        match self.redis.generation().is_unconfirmed() {
            true => Err(Unproven::Doubtful(Doubt::Unconfirmed)),
            false => Ok(accepted),
        }
    }
}
