//! Records that stay pending because the decoder or the database refuses them. They are tried
//! again and again, and delay no other record (I3).

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use crate::domain::coupon::Shard;
use crate::domain::limits::POISON_MAX_RECORDS;
use crate::redis::stream::Entry;
use crate::telemetry::metrics;

/// Many refused records make one line in the log; the next line comes this much later.
const LOG_EVERY: Duration = Duration::from_secs(10);

type Key = (Shard, String);

/// The refused records, and when they are tried again. Beyond [`POISON_MAX_RECORDS`] a record is
/// not remembered; it is tried again with every pass over the pending records.
pub(super) struct Poison {
    records: HashMap<Key, Instant>,
    /// Refused records that the current pass has seen; the others have left the stream.
    seen: HashSet<Key>,
    /// One of them, and why.
    example: Option<(Key, String)>,
    unlogged: usize,
    log_at: Instant,
    retry_every: Duration,
}

impl Poison {
    pub(super) fn new(retry_every: Duration) -> Self {
        Self {
            records: HashMap::new(),
            seen: HashSet::new(),
            example: None,
            unlogged: 0,
            log_at: Instant::now(),
            retry_every,
        }
    }

    /// Called when a record was refused and stays pending.
    pub(super) fn add(&mut self, entry: &Entry, reason: &str) {
        let key = (entry.shard, entry.id.clone());
        self.unlogged += 1;
        self.example.get_or_insert_with(|| (key.clone(), reason.to_owned()));
        if self.records.len() < POISON_MAX_RECORDS || self.records.contains_key(&key) {
            self.records.insert(key.clone(), Instant::now() + self.retry_every);
            self.seen.insert(key);
        }
        metrics::poison_records(self.records.len());
    }

    /// Called when a record was written.
    pub(super) fn remove(&mut self, entry: &Entry) {
        let key = (entry.shard, entry.id.clone());
        if self.records.remove(&key).is_some() {
            metrics::poison_records(self.records.len());
        }
        self.example.take_if(|(example, _)| *example == key);
    }

    /// Whether one of them should be tried again, in a shard that can be read.
    pub(super) fn is_due(&self, is_unreadable: impl Fn(Shard) -> bool) -> bool {
        let now = Instant::now();
        self.records.iter().any(|((shard, _), retry_at)| *retry_at <= now && !is_unreadable(*shard))
    }

    /// Removes refused entries whose retry is not due yet.
    pub(super) fn due(&mut self, entries: Vec<Entry>) -> Vec<Entry> {
        let now = Instant::now();
        let is_due = |entry: &Entry| {
            let key = (entry.shard, entry.id.clone());
            let Some(retry_at) = self.records.get(&key) else { return true };
            self.seen.insert(key);
            *retry_at <= now
        };
        entries.into_iter().filter(is_due).collect()
    }

    /// Called at the end of a pass over all pending records: a refused record that was not seen
    /// was written by another persister, or deleted, unless its shard could not be read.
    pub(super) fn forget_the_gone(&mut self, is_unreadable: impl Fn(Shard) -> bool) {
        let seen = std::mem::take(&mut self.seen);
        let is_there = |key: &Key| seen.contains(key) || is_unreadable(key.0);
        self.records.retain(|key, _| is_there(key));
        self.example.take_if(|(key, _)| !is_there(key));
        metrics::poison_records(self.records.len());
    }

    /// Logs the records that were refused since the last line, in one line.
    pub(super) fn log(&mut self) {
        let Some(((shard, id), reason)) = &self.example else { return };
        if self.unlogged == 0 || Instant::now() < self.log_at {
            return;
        }
        let (records, shard) = (self.unlogged, shard.number());
        tracing::error!(records, record.id = %id, shard, reason, "refused records stay pending");
        self.unlogged = 0;
        self.log_at = Instant::now() + LOG_EVERY;
    }

    /// A sentence about them, if there are any.
    pub(super) fn sentence(&self) -> Option<String> {
        let ((shard, id), reason) = self.example.as_ref()?;
        let records = self.records.len();
        let shard = shard.number();
        let more = if records >= POISON_MAX_RECORDS { " or more" } else { "" };
        Some(format!(
            "{records}{more} records are refused and have no rows, among them {id} of shard \
             {shard}: {reason}"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::record::Malformed;

    #[test]
    fn what_is_remembered_is_bounded_however_many_records_are_refused() {
        let mut poison = Poison::new(Duration::from_secs(30));
        let shard = Shard::new(3).unwrap();
        let entry =
            |number| Entry { shard, id: format!("{number}-0"), record: Err(Malformed("v")) };
        (0..POISON_MAX_RECORDS + 10).for_each(|number| poison.add(&entry(number), "bad"));
        assert_eq!(poison.records.len(), POISON_MAX_RECORDS);
        assert_eq!(poison.seen.len(), POISON_MAX_RECORDS);
        let said = poison.sentence().unwrap();
        assert!(said.starts_with("100000 or more records are refused"), "{said}");
        let beyond = entry(POISON_MAX_RECORDS + 5);
        assert_eq!(poison.due(vec![entry(1), beyond.clone()]), [beyond], "it is tried again");
    }
}
