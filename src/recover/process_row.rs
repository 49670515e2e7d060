//! The row of a process that issues: that it lives, and what it told (P2 step 9).

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::error::Result;
use crate::domain::generation::RECOVERY;
use crate::domain::limits::{BATCH_MAX_TICKETS, MARKS_MAX, PAGE_MAX_ROWS};
use crate::domain::record::Record;
use crate::domain::witnesses::{Mark, Witnesses};
use crate::redis::Redis;
use crate::redis::depth::stream_depth;
use crate::store::Store;
use crate::telemetry::loops::Stepped;

/// How often it says that it lives.
const EVERY: Duration = Duration::from_secs(1);

/// Keeps the row of this process; its loop is [`ProcessRow::step`] repeated.
pub struct ProcessRow {
    redis: Redis,
    store: Arc<dyn Store>,
    witnesses: Witnesses,
    /// Its name, unique among all processes.
    process: String,
    /// All that was told in earlier generations is in rows; `None` before the first proof.
    confirmed: Option<u64>,
    /// The generation in its row.
    written: u64,
    /// Marks that are not written yet.
    marks: Vec<Mark>,
    seen_at: Option<Instant>,
}

impl ProcessRow {
    /// The row of the process of this name.
    pub fn new(
        redis: &Redis,
        store: Arc<dyn Store>,
        witnesses: Witnesses,
        process: String,
    ) -> Self {
        let redis = redis.clone();
        Self {
            redis,
            store,
            witnesses,
            process,
            confirmed: None,
            written: 0,
            marks: Vec::new(),
            seen_at: None,
        }
    }

    /// Says once a second that the process lives, and what it told since. After a recovery began,
    /// it writes all that it told as rows, and confirms that.
    pub async fn step(&mut self) -> Stepped {
        match self.go_on().await {
            Ok(stepped) => stepped,
            Err(error) => {
                tracing::debug!(%error, "the row of this process was not written");
                Stepped::Failed
            }
        }
    }

    /// Says that this process tells nothing any more. What it told and the persisters have not
    /// written is written here, because Redis may be gone, and soon this process is too.
    pub async fn end(mut self) {
        if let Err(error) = self.say_goodbye().await {
            tracing::warn!(%error, "the database does not know that this process ended cleanly");
        }
    }

    async fn say_goodbye(&mut self) -> Result<()> {
        self.seen_at = None;
        self.go_on().await?;
        let Some(confirmed) = self.confirmed else { return Ok(()) };
        let is_proven = self.redis.generation().proven().is_ok();
        if !is_proven || !stream_depth(&self.redis).await.is_ok_and(|depth| depth.records == 0) {
            self.bear_witness(confirmed).await?;
        }
        Ok(self.store.end_process(&self.process).await?)
    }

    async fn go_on(&mut self) -> Result<Stepped> {
        let Some(confirmed) = self.confirmed().await? else { return Ok(Stepped::Idle) };
        let Some(last) = self.store.last_generation().await? else { return Ok(Stepped::Idle) };
        let is_silent = !self.redis.generation().is_used_before(last.generation_no);
        if confirmed < last.generation_no && is_silent {
            let since = self.store.generations_from(confirmed + 1, PAGE_MAX_ROWS).await?;
            if since.iter().any(|generation| generation.reason == RECOVERY) {
                self.bear_witness(confirmed).await?;
            }
            self.confirmed = Some(last.generation_no);
            self.seen_at = None;
        }
        if !self.is_due() {
            return Ok(Stepped::Idle);
        }
        self.write(self.confirmed.unwrap_or(confirmed)).await?;
        Ok(Stepped::Done)
    }

    fn is_due(&self) -> bool {
        self.seen_at.is_none_or(|at| at.elapsed() >= EVERY)
    }

    /// Writes what this process told as rows: the tickets may be in no row, and Redis may have
    /// forgotten them.
    async fn bear_witness(&mut self, confirmed: u64) -> Result<()> {
        let mut left: VecDeque<Record> = self.witnesses.all().into();
        while !left.is_empty() {
            let mut tickets = 0;
            let fits = left.iter().take_while(|record| {
                tickets += record.holders.len();
                tickets <= BATCH_MAX_TICKETS
            });
            let batch: Vec<Record> = left.drain(..fits.count().max(1)).collect();
            self.store.persist_or_park(&batch, &[]).await?;
            if self.is_due() {
                self.write(confirmed).await?;
            }
        }
        Ok(())
    }

    /// What its row says. The prover writes the row before anything is issued.
    async fn confirmed(&mut self) -> Result<Option<u64>> {
        if self.confirmed.is_none() {
            let rows = self.store.processes(PAGE_MAX_ROWS).await?;
            let own = rows.into_iter().find(|row| row.process == self.process);
            self.confirmed = own.map(|row| row.generation_no);
            self.written = self.confirmed.unwrap_or_default();
        }
        Ok(self.confirmed)
    }

    async fn write(&mut self, confirmed: u64) -> Result<()> {
        self.marks.extend(self.witnesses.take_marks());
        loop {
            let some = self.marks.len().min(MARKS_MAX);
            // All marks come before what they confirm.
            let is_last = some == self.marks.len();
            let generation_no = if is_last { confirmed } else { self.written.min(confirmed) };
            self.store.see_process(&self.process, generation_no, &self.marks[..some]).await?;
            self.written = generation_no;
            self.seen_at = Some(Instant::now());
            self.marks.drain(..some);
            if self.marks.is_empty() {
                return Ok(());
            }
        }
    }
}
