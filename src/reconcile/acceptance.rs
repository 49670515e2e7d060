//! The acceptance of a life of Redis: facts from the database, from this process and from its data
//! directory are put together and judged, and the result is written down (P2 steps 4-8).

use std::sync::Arc;
use std::time::Instant;

use super::counted::{Counted, Said};
use super::judge::{Evidence, Judgement, Prefix, Topology, judge};
use super::kept;
use super::prefix::prefix;
use super::serials::{serials_reach, told_reaches};
use super::unproven::Unproven;
use crate::domain::doubt::Doubt;
use crate::domain::generation::{Generation, JUDGING, RECOVERY};
use crate::domain::limits::{COUNT_SILENCE, PAGE_MAX_ROWS};
use crate::domain::time::UnixMs;
use crate::domain::witnesses::Witnesses;
use crate::redis::Redis;
use crate::redis::append_only;
use crate::redis::facts;
use crate::redis::facts::Facts;
use crate::redis::generation::Accepted;
use crate::redis::holders;
use crate::store::Store;

/// What a process may write down about a new life of Redis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// It stays and remembers its counts: it may write down everything that is proven.
    Resident,
    /// It runs only briefly, and may lack counts of a server: it may write down a life only if
    /// there is nothing to lose.
    Visitor,
    /// It only reads: it may write down nothing.
    Onlooker,
}

/// Accepts a life, or says why not.
pub(super) struct Acceptance {
    pub(super) redis: Redis,
    pub(super) store: Arc<dyn Store>,
    pub(super) topology: Topology,
    pub(super) standing: Standing,
    pub(super) now: fn() -> UnixMs,
    pub(super) kept: kept::Reader,
    /// The name of a process that issues: it has a row before it does.
    pub(super) process: Option<String>,
    /// What this process told its users.
    pub(super) told: Witnesses,
    /// The last generation, its count, and since when this process sees this count.
    pub(super) count: Option<((u64, u64), Instant)>,
}

impl Acceptance {
    /// Compares the facts that Redis just reported with what is known, and appends a new
    /// generation of the same data by compare-and-set. The second value is the count to continue
    /// from, if the life is written down.
    pub(super) async fn accept(
        &mut self,
        facts: &Facts,
        at: UnixMs,
        seen: Option<&Counted>,
    ) -> Result<(Accepted, Option<Counted>), Unproven> {
        let mut last = self.store.last_generation().await?;
        let kept = self.kept.read().await;
        let mut is_older = false;
        if let Some(last) = &mut last {
            for counted in seen.into_iter().chain(kept.iter().flatten()) {
                is_older |= self.recall(last, counted).await? == Said::Older;
            }
        }
        let evidence = Evidence {
            is_older,
            is_silent: self.is_silent(last.as_ref()),
            kept_unread: kept.err(),
            started_at: UnixMs(at.0.saturating_sub_unsigned(facts.uptime_s.saturating_mul(1_000))),
            ..self.evidence(facts, last.as_ref()).await?
        };
        let installation_id = self.installation_id().await?;
        if !installation_id.is_empty() {
            self.redis.generation().learn_installation(&installation_id);
        }
        let found = facts::installation_id(&self.redis).await?;
        let is_other = found.is_some_and(|found| found != installation_id);
        let reason = match judge(facts, last.as_ref(), &evidence) {
            // What is in a Redis of others is neither judged nor recovered.
            judgement if is_other && judgement != Judgement::Doubtful(Doubt::UnknownCoupons) => {
                return Err(Unproven::Doubtful(Doubt::OtherInstallation));
            }
            Judgement::Doubtful(doubt) => return Err(Unproven::Doubtful(doubt)),
            Judgement::Refused(doubt) => {
                self.remember(last.as_ref(), &facts.run_id).await?;
                return Err(Unproven::Doubtful(doubt));
            }
            Judgement::Fence => {
                self.fence(facts, last.as_ref()).await?;
                return Err(Unproven::Doubtful(Doubt::Judging));
            }
            Judgement::Same => None,
            Judgement::Next(reason) => Some(reason),
        };
        if let (Some(last), true) = (&last, self.standing != Standing::Onlooker) {
            append_only::renew(&self.redis, facts, last).await;
        }
        let life = self.life(facts, last.as_ref(), &evidence, reason);
        let is_written = match reason {
            None => true,
            Some(reason) => self.write_down(&life, reason, evidence.nothing_to_lose()).await?,
        };
        let Generation { generation_no, epoch, run_id, replid, durability, .. } = life;
        if let Some(process) = &self.process {
            self.store.register_process(process, generation_no).await?;
        }
        let (heartbeat, seen_at) = (evidence.heartbeat, evidence.now);
        // The count never continues below what was judged.
        let counted = Counted {
            generation_no,
            run_id: run_id.clone(),
            replid: replid.clone(),
            heartbeat,
            seen_at,
        };
        let accepted =
            Accepted { generation_no, epoch, run_id, replid, durability, installation_id };
        Ok((accepted, is_written.then_some(counted)))
    }

    /// This Redis with its life in doubt, if it has the id of our installation.
    ///
    /// # Errors
    /// Those of any call.
    pub(super) async fn ours(&self) -> Result<Option<Accepted>, Unproven> {
        let facts = facts::read(&self.redis).await?;
        let Some(last) = self.store.last_generation().await? else { return Ok(None) };
        let known = self.store.installation_id().await?;
        let found = facts::installation_id(&self.redis).await?;
        let Some(installation_id) = known.filter(|known| found.as_ref() == Some(known)) else {
            return Ok(None);
        };
        Ok(Some(Accepted {
            generation_no: last.generation_no,
            epoch: last.epoch,
            run_id: facts.run_id,
            replid: facts.replid,
            durability: facts.durability,
            installation_id,
        }))
    }

    /// The id of this installation. A process that only reads may find none, and then writes none
    /// into Redis either: without an id there is no generation in which it would count.
    async fn installation_id(&self) -> Result<String, Unproven> {
        match self.store.installation_id().await? {
            Some(installation_id) => Ok(installation_id),
            None if self.standing == Standing::Onlooker => Ok(String::new()),
            None => Ok(self.store.name_installation().await?),
        }
    }

    /// Writes into the last generation what was counted in it while the database was away. This
    /// comes before the judgement, so that a process that remembers nothing judges like one that
    /// does.
    async fn recall(&self, last: &mut Generation, counted: &Counted) -> Result<Said, Unproven> {
        let from = counted.generation_no;
        let generations = self.store.generations_from(from, PAGE_MAX_ROWS).await?;
        let said = counted.says_of(&generations);
        if said == Said::Counted && counted.heartbeat > last.heartbeat {
            last.heartbeat = counted.heartbeat;
            last.seen_at = last.seen_at.max(counted.seen_at);
            if self.standing != Standing::Onlooker {
                // If another server was faster, this process learns it at its next append or beat.
                self.store.beat(last.generation_no, last.heartbeat, last.seen_at).await?;
            }
        }
        Ok(said)
    }

    /// Tells all servers of a refusal whose evidence disappears or is known only to this process.
    async fn remember(&self, last: Option<&Generation>, run_id: &str) -> Result<(), Unproven> {
        match last {
            Some(last) if self.standing != Standing::Onlooker => {
                Ok(self.store.refuse_life(last.generation_no, run_id).await?)
            }
            _ => Ok(()),
        }
    }

    /// Whether nobody has counted this generation for a while.
    fn is_silent(&mut self, last: Option<&Generation>) -> bool {
        let Some(count) = last.map(|last| (last.generation_no, last.heartbeat)) else {
            return false;
        };
        match self.count {
            Some((known, since)) if known == count => since.elapsed() >= COUNT_SILENCE,
            _ => {
                self.count = Some((count, Instant::now()));
                false
            }
        }
    }

    /// Stops every server until this life is judged: it is the last row, and accepts nothing. The
    /// rest of the row stays that of the generation before.
    async fn fence(&self, facts: &Facts, last: Option<&Generation>) -> Result<(), Unproven> {
        let Some(last) = last.filter(|_| self.standing == Standing::Resident) else {
            return Ok(());
        };
        append_only::renew(&self.redis, facts, last).await;
        let fence = Generation {
            generation_no: last.generation_no + 1,
            run_id: facts.run_id.clone(),
            replid: facts.replid.clone(),
            reason: JUDGING.to_owned(),
            refused_run_id: None,
            ..last.clone()
        };
        if self.store.append_generation(&fence).await? {
            tracing::warn!(generation = fence.generation_no, "a replica is judged");
        }
        Ok(())
    }

    async fn evidence(
        &self,
        facts: &Facts,
        last: Option<&Generation>,
    ) -> Result<Evidence, Unproven> {
        // Evidence that cannot change the judgement is not gathered.
        let is_same = last.is_some_and(|last| facts.is_life(last));
        let was_preloaded = self.store.has_preloaded_coupon().await?;
        Ok(Evidence {
            topology: self.topology,
            was_preloaded,
            has_coupon: was_preloaded || holders::has_coupon(&self.redis).await?,
            heartbeat: facts::heartbeat(&self.redis).await?,
            is_silent: false,
            prefix: match last.filter(|last| is_same && last.reason == JUDGING) {
                Some(fence) => prefix(&self.redis, &*self.store, fence.generation_no).await?,
                None => Prefix::Open,
            },
            serials_reach: match last {
                Some(last) if is_same && last.reason == RECOVERY => true,
                _ if !told_reaches(&self.redis, &self.told).await? => false,
                _ => is_same || serials_reach(&self.redis, &*self.store).await?,
            },
            now: (self.now)(),
            started_at: UnixMs(0),
            is_older: false,
            kept_unread: None,
        })
    }

    /// The row of this life: the last one, or the next one when there is a reason for it.
    fn life(
        &self,
        facts: &Facts,
        last: Option<&Generation>,
        evidence: &Evidence,
        reason: Option<&str>,
    ) -> Generation {
        let same_process = last.filter(|last| last.run_id == facts.run_id);
        let number = last.map_or(0, |last| last.generation_no);
        let refused = last.and_then(|last| last.refused_run_id.clone());
        Generation {
            generation_no: number + u64::from(reason.is_some()),
            epoch: last.map_or(1, |last| last.epoch),
            run_id: facts.run_id.clone(),
            replid: facts.replid.clone(),
            durability: facts.level_after(same_process.map(|last| last.durability)),
            reason: reason.unwrap_or_default().to_owned(),
            accepted_heartbeat: evidence.heartbeat,
            heartbeat: evidence.heartbeat,
            seen_at: evidence.now,
            refused_run_id: refused.filter(|refused| *refused != facts.run_id),
        }
    }

    /// Appends a new life, if this process may. False for a process that only reads.
    async fn write_down(
        &self,
        life: &Generation,
        reason: &'static str,
        nothing_to_lose: bool,
    ) -> Result<bool, Unproven> {
        // Nobody else counts in a private Redis.
        let knows_all = self.standing == Standing::Resident || self.topology == Topology::Private;
        if !knows_all && !nothing_to_lose {
            return Err(Unproven::Doubtful(Doubt::NotAccepted { reason }));
        }
        if self.standing == Standing::Onlooker {
            return Ok(false);
        }
        if !self.store.append_generation(life).await? {
            return Err(Unproven::Changed(Doubt::Overtaken));
        }
        let (generation, epoch) = (life.generation_no, life.epoch);
        tracing::info!(generation, epoch, reason, "accepted");
        Ok(true)
    }
}
