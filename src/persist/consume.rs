//! What is read next: own pending entries first, then new ones (P5 step 1). A read is about one
//! batch, whatever waits, so that other persisters find work too.

use super::{Persister, from_the_beginning};
use crate::domain::coupon::Shard;
use crate::domain::limits::{READ_FIRST_RECORDS, READ_MAX_RECORDS};
use crate::redis;
use crate::redis::generation::Accepted;
use crate::redis::stream::Entry;

/// The id after which there are only entries that nobody has read.
const NEW: &str = ">";

/// Tickets of an entry; an undecodable one counts as one.
pub(super) fn tickets_of(entry: &Entry) -> usize {
    entry.record.as_ref().map_or(1, |record| record.holders.len())
}

fn tickets_in(entries: &[Entry]) -> usize {
    entries.iter().map(tickets_of).sum()
}

impl Persister {
    /// The next entries, none when there is nothing to do now.
    pub(super) async fn read(
        &mut self,
        accepted: &Accepted,
        block: bool,
    ) -> redis::Result<Vec<Entry>> {
        while let Some(after) = self.pending_after.clone() {
            let entries = self.gather(accepted, &after, false).await?;
            if entries.is_empty() {
                self.pending_after = None;
                self.refused.forget_the_gone(|shard| self.unreadable.contains_key(&shard));
                break;
            }
            self.pending_after = Some(advanced(after.clone(), &entries));
            self.read_after = after;
            let due = self.refused.due(entries);
            if !due.is_empty() {
                return Ok(due);
            }
        }
        self.read_after = from_the_beginning();
        let new = vec![NEW.to_owned(); Shard::all().count()];
        let mut entries = self.gather(accepted, &new, block).await?;
        let tickets = tickets_in(&entries);
        if block && tickets > 0 && tickets < self.bounds.batch_max_tickets / 2 {
            // A batch by age: a transaction costs the same for one ticket and for a hundred.
            tokio::time::sleep(self.bounds.batch_max_age).await;
            entries.extend(self.gather(accepted, &new, false).await?);
        }
        Ok(entries)
    }

    /// Reads a few entries of every shard, and then more of those shards that have more, as many as
    /// fit into a batch by the size of the largest so far. Records that grow suddenly fill more
    /// than a batch, but never more than [`READ_MAX_RECORDS`] of them are asked for at once.
    async fn gather(
        &mut self,
        accepted: &Accepted,
        after: &[String],
        block: bool,
    ) -> redis::Result<Vec<Entry>> {
        let mut after = after.to_vec();
        let mut shards = self.readable.clone();
        let mut entries = Vec::new();
        let mut count = READ_FIRST_RECORDS;
        let mut block = block;
        while !shards.is_empty() {
            let from: Vec<(Shard, &str)> = shards
                .iter()
                .map(|shard| (*shard, after[usize::from(shard.number())].as_str()))
                .collect();
            let read = self.reader.read(accepted, &from, count, block).await?;
            block = false;
            shards
                .retain(|shard| read.iter().filter(|entry| entry.shard == *shard).count() >= count);
            if after.iter().all(|after| after != NEW) {
                after = advanced(after, &read);
            }
            entries.extend(read);
            let room = self.batch_tickets.saturating_sub(tickets_in(&entries));
            let largest = entries.iter().map(tickets_of).max().unwrap_or(1).max(1);
            if room < largest || shards.is_empty() {
                break;
            }
            let most = (READ_MAX_RECORDS / shards.len()).min(count * 8);
            count = (room / largest / shards.len()).clamp(1, most.max(1));
        }
        Ok(entries)
    }
}

/// The ids after which the next pending entries are read.
pub(super) fn advanced(mut after: Vec<String>, entries: &[Entry]) -> Vec<String> {
    for entry in entries {
        after[usize::from(entry.shard.number())].clone_from(&entry.id);
    }
    after
}

/// Cuts entries into batches of at most this many tickets, never through a record.
pub(super) fn cut(entries: Vec<Entry>, max_tickets: usize) -> Vec<Vec<Entry>> {
    let mut batches: Vec<Vec<Entry>> = Vec::new();
    let mut tickets = 0;
    for entry in entries {
        let more = tickets_of(&entry);
        if batches.is_empty() || tickets + more > max_tickets {
            batches.push(Vec::new());
            tickets = 0;
        }
        tickets += more;
        if let Some(batch) = batches.last_mut() {
            batch.push(entry);
        }
    }
    batches
}
