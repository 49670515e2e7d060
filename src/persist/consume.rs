//! What is read next: own pending entries, then those of the dead, then new ones (P5 step 1).

use std::time::Instant;

use super::{Persister, from_the_beginning};
use crate::domain::coupon::Shard;
use crate::domain::limits::READ_MAX_RECORDS;
use crate::redis;
use crate::redis::stream::Entry;
use crate::telemetry::metrics;

/// Tickets of an entry; an undecodable one counts as one.
pub(super) fn tickets_of(entry: &Entry) -> usize {
    entry.record.as_ref().map_or(1, |record| record.holders.len())
}

impl Persister {
    /// The next entries, none when there is nothing to do now.
    pub(super) async fn read(&mut self, block: bool) -> redis::Result<Vec<Entry>> {
        if Instant::now() >= self.take_over_at {
            self.take_over().await?;
        }
        while let Some(after) = self.pending_after.clone() {
            let entries = self.reader.pending(self.count(), &after).await?;
            if entries.is_empty() {
                self.pending_after = None;
                self.forget_the_gone();
                break;
            }
            self.pending_after = Some(advanced(after, &entries));
            self.remember_size(&entries);
            let due = self.due(entries);
            if !due.is_empty() {
                return Ok(due);
            }
        }
        let mut entries = self.reader.new_records(self.count(), block).await?;
        let tickets: usize = entries.iter().map(tickets_of).sum();
        if block && tickets > 0 && tickets < self.bounds.batch_max_tickets / 2 {
            // A batch by age: a transaction costs the same for one ticket and for a hundred.
            tokio::time::sleep(self.bounds.batch_max_age).await;
            entries.extend(self.reader.new_records(self.count(), false).await?);
        }
        self.remember_size(&entries);
        Ok(entries)
    }

    /// Small records let the next reads ask for more of them, step by step; a large one at once for
    /// fewer.
    fn remember_size(&mut self, entries: &[Entry]) {
        let largest = entries.iter().map(tickets_of).max().unwrap_or(1);
        self.record_tickets = largest.max(self.record_tickets / 2);
    }

    /// Records to ask of each shard, so that a read is about one batch.
    fn count(&self) -> usize {
        (self.batch_tickets / self.record_tickets.max(1)).clamp(16, READ_MAX_RECORDS)
    }

    /// Takes over what silent consumers hold, and reads again what is due: refused records, and
    /// those whose acknowledgement failed.
    async fn take_over(&mut self) -> redis::Result<()> {
        let now = Instant::now();
        self.take_over_at = now + self.bounds.take_over_every;
        let mut taken = 0;
        for shard in Shard::all() {
            let idle = self.bounds.take_over_idle;
            taken += self.reader.take_over(shard, idle, READ_MAX_RECORDS).await?;
        }
        // What is refused grows idle in its own persister's hands, and is no silent one's.
        if taken > self.refused.len() {
            tracing::info!(records = taken, "took over records of a silent persister");
        }
        let is_refused_due = self.refused.values().any(|retry_at| *retry_at <= now);
        if taken > 0 || is_refused_due || self.is_acknowledgement_due {
            self.is_acknowledgement_due = false;
            self.pending_after = Some(from_the_beginning());
        }
        Ok(())
    }

    /// Without the refused entries whose time has not come.
    fn due(&mut self, entries: Vec<Entry>) -> Vec<Entry> {
        let now = Instant::now();
        let is_due = |entry: &Entry| {
            let key = (entry.shard, entry.id.clone());
            let Some(retry_at) = self.refused.get(&key) else { return true };
            self.met.insert(key);
            *retry_at <= now
        };
        entries.into_iter().filter(is_due).collect()
    }

    /// At the end of a pass over all pending entries: what was refused and not met was written by
    /// another persister, or deleted.
    fn forget_the_gone(&mut self) {
        let met = std::mem::take(&mut self.met);
        self.refused.retain(|key, _| met.contains(key));
        metrics::refused_records(self.refused.len());
    }
}

/// The ids after which the next pending entries are read.
fn advanced(mut after: Vec<String>, entries: &[Entry]) -> Vec<String> {
    for entry in entries {
        after[usize::from(entry.shard.number())].clone_from(&entry.id);
    }
    after
}
