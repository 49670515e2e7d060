//! What is read next: own pending entries first, then new ones (P5 step 1). A read is about one
//! batch, however much waits, so that other persisters get work too.

use super::bounds::Bounds;
use super::consumer::Consumer;
use crate::domain::coupon::Shard;
use crate::domain::limits::{READ_FIRST_RECORDS, READ_MAX_RECORDS};
use crate::redis;
use crate::redis::deaths::Suspect;
use crate::redis::generation::Accepted;
use crate::redis::stream::{Entry, Reader};

/// The id that XREADGROUP takes for entries that nobody has read.
const NEW: &str = ">";

/// One entry id per shard.
type Ids = Vec<String>;

/// The pending entries of one consumer, and how far it has read.
pub(super) struct Pending {
    reader: Reader,
    bounds: Bounds,
    /// While own pending entries are read: the id in each shard after which to read. They come
    /// first at the start, after a failure and after a take-over.
    pending_after: Option<Ids>,
    /// The id in each shard after which the last read began.
    read_after: Ids,
    /// Whether pending entries wait: taken over, not acknowledged, or not written. They are read
    /// again after the next look at the shards, so that they delay nobody.
    is_pass_due: bool,
}

impl Pending {
    /// Reads own pending entries first.
    pub(super) fn new(reader: Reader, bounds: &Bounds) -> Self {
        Self {
            reader,
            bounds: bounds.clone(),
            pending_after: Some(from_the_beginning()),
            read_after: from_the_beginning(),
            is_pass_due: false,
        }
    }

    /// Next, reads all own pending entries.
    pub(super) fn begin_anew(&mut self) {
        self.pending_after = Some(from_the_beginning());
    }

    /// Next, reads the own pending entries after these.
    pub(super) fn go_on_behind(&mut self, after: Ids) {
        self.pending_after = Some(after);
    }

    /// Some pending entries must be read again.
    pub(super) fn read_again(&mut self) {
        self.is_pass_due = true;
    }

    /// Whether pending entries wait.
    pub(super) fn is_pass_due(&self) -> bool {
        self.is_pass_due
    }

    /// The id in each shard after which the last read began.
    pub(super) fn read_after(&self) -> Ids {
        self.read_after.clone()
    }

    /// Called after each look at the shards: begins a pass over the pending entries when one is
    /// due.
    pub(super) fn begin_due_pass(&mut self) {
        if self.pending_after.is_none() && self.is_pass_due {
            self.is_pass_due = false;
            self.begin_anew();
        }
    }

    /// The next entries, about as many as make a batch of this many tickets; none when there is
    /// nothing to do now.
    pub(super) async fn read(
        &mut self,
        accepted: &Accepted,
        consumer: &Consumer,
        batch_tickets: usize,
        block: bool,
    ) -> redis::Result<Vec<Entry>> {
        let shards = consumer.readable();
        if let Some(after) = self.pending_after.clone() {
            let entries = self.gather(accepted, shards, &after, batch_tickets, false).await?;
            if !entries.is_empty() {
                self.pending_after = Some(advanced(after.clone(), &entries));
                self.read_after = after;
                return Ok(entries);
            }
            self.pending_after = None;
        }
        self.read_after = from_the_beginning();
        let new = vec![NEW.to_owned(); Shard::all().count()];
        let mut entries = self.gather(accepted, shards, &new, batch_tickets, block).await?;
        let tickets = tickets_in(&entries);
        if block && tickets > 0 && tickets < self.bounds.batch_max_tickets / 2 {
            // Lets a batch fill for a while: a transaction costs the same for one ticket and for a
            // hundred.
            tokio::time::sleep(self.bounds.batch_max_age).await;
            entries.extend(self.gather(accepted, shards, &new, batch_tickets, false).await?);
        }
        Ok(entries)
    }

    /// Reads a pending entry and no other; `None` when it is pending no more.
    pub(super) async fn read_alone(
        &mut self,
        accepted: &Accepted,
        suspect: &Suspect,
    ) -> redis::Result<Option<Entry>> {
        let before = id_before(&suspect.id);
        let from = [(suspect.shard, before.as_str())];
        let read = self.reader.read(accepted, &from, 1, false).await?;
        Ok(read.into_iter().find(|entry| entry.id == suspect.id))
    }

    /// Reads a few entries of every shard, and then more of the shards that have more: as many as
    /// fit into a batch if all are as large as the largest so far. If records suddenly grow, they
    /// are more than a batch, but never more than [`READ_MAX_RECORDS`] are requested at once.
    async fn gather(
        &mut self,
        accepted: &Accepted,
        shards: &[Shard],
        after: &[String],
        batch_tickets: usize,
        block: bool,
    ) -> redis::Result<Vec<Entry>> {
        let mut after = after.to_vec();
        let mut shards = shards.to_vec();
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
            let room = batch_tickets.saturating_sub(tickets_in(&entries));
            let largest = entries.iter().map(Entry::tickets).max().unwrap_or(1).max(1);
            if room < largest || shards.is_empty() {
                break;
            }
            let most = (READ_MAX_RECORDS / shards.len()).min(count * 8);
            count = (room / largest / shards.len()).clamp(1, most.max(1));
        }
        Ok(entries)
    }
}

/// The greatest id that is smaller.
fn id_before(id: &str) -> String {
    let (ms, last) = id.split_once('-').unwrap_or((id, "0"));
    let number = |text: &str| text.parse::<u64>().unwrap_or_default();
    match (number(ms), number(last)) {
        (ms, 0) => format!("{}-{}", ms.saturating_sub(1), u64::MAX),
        (ms, last) => format!("{ms}-{}", last - 1),
    }
}

fn from_the_beginning() -> Ids {
    vec!["0".to_owned(); Shard::all().count()]
}

fn tickets_in(entries: &[Entry]) -> usize {
    entries.iter().map(Entry::tickets).sum()
}

/// The ids after which the next pending entries are read.
pub(super) fn advanced(mut after: Ids, entries: &[Entry]) -> Ids {
    for entry in entries {
        after[usize::from(entry.shard.number())].clone_from(&entry.id);
    }
    after
}

/// Cuts entries into batches of at most this many tickets; a record is never split.
pub(super) fn cut(entries: Vec<Entry>, max_tickets: usize) -> Vec<Vec<Entry>> {
    let mut batches: Vec<Vec<Entry>> = Vec::new();
    let mut tickets = 0;
    for entry in entries {
        let more = entry.tickets();
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
