//! One batch: a transaction, then the acknowledgement of exactly its records (P5 steps 3, 4, 6, 7).

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::consumer::Consumer;
use super::pending::Pending;
use crate::domain::coupon::Shard;
use crate::domain::record::{Record, Undecodable};
use crate::lua::acknowledge::{self, Args, RECORDS_MAX, Reply};
use crate::redis::Redis;
use crate::redis::generation::Accepted;
use crate::redis::stream::Entry;
use crate::store::{self, Store};
use crate::telemetry::metrics;

/// The database is away; the entries that were read stay pending.
#[derive(Debug)]
pub(super) struct Away;

/// Writes batches, and remembers what could not be written.
pub(super) struct Writer {
    redis: Redis,
    store: Arc<dyn Store>,
    now_ms: fn() -> i64,
    /// Since when no transaction succeeded, and why the last one failed.
    away_since: Option<(Instant, String)>,
}

impl Writer {
    /// `now_ms` is the clock of the lag.
    pub(super) fn new(redis: Redis, store: Arc<dyn Store>, now_ms: fn() -> i64) -> Self {
        Self { redis, store, now_ms, away_since: None }
    }

    /// What an operator should know.
    pub(super) fn sentence(&self) -> Option<String> {
        self.away_since.as_ref().map(|(since, error)| {
            format!("no row could be written for {} s: {error}", since.elapsed().as_secs())
        })
    }

    /// Persists a batch and returns how many tickets it acknowledged. What can be no row is a dead
    /// letter then, so it delays no other.
    pub(super) async fn write(
        &mut self,
        accepted: &Accepted,
        batch: Vec<Entry>,
        consumer: &Consumer,
        pending: &mut Pending,
    ) -> Result<usize, Away> {
        match self.commit(&batch, consumer).await {
            Ok(()) => Ok(self.acknowledge(accepted, &batch, pending).await),
            Err(error) => Err(self.away(&error)),
        }
    }

    /// Parks a record that persisters did not survive, and returns how many tickets it
    /// acknowledged.
    pub(super) async fn park(
        &mut self,
        accepted: &Accepted,
        entry: Entry,
        consumer: &Consumer,
        pending: &mut Pending,
    ) -> Result<usize, Away> {
        let Ok(record) = &entry.record else {
            return self.write(accepted, vec![entry], consumer, pending).await;
        };
        match consumer.seen_while(self.store.park(record)).await {
            Ok(_) => Ok(self.acknowledge(accepted, &[entry], pending).await),
            Err(error) => Err(self.away(&error)),
        }
    }

    /// Runs one transaction. An interrupted commit counts as failed: writing again changes nothing
    /// (I9).
    async fn commit(&mut self, entries: &[Entry], consumer: &Consumer) -> store::Result<()> {
        let records: Vec<Record> =
            entries.iter().filter_map(|entry| entry.record.as_ref().ok()).cloned().collect();
        let since = Instant::now();
        let undecodable: Vec<Undecodable> =
            entries.iter().filter_map(|entry| entry.record.as_ref().err()).cloned().collect();
        let written = self.store.persist_or_park(&records, &undecodable);
        let persisted = consumer.seen_while(written).await?;
        let committed_at_ms = (self.now_ms)();
        self.away_since = None;
        metrics::persisted(entries.iter().map(Entry::tickets).sum(), since.elapsed());
        for record in &records {
            let lag_ms = committed_at_ms.saturating_sub(record.issued_at.0).max(0);
            let lag = Duration::from_millis(lag_ms.unsigned_abs());
            metrics::persist_lag(lag, record.holders.len());
        }
        if let Some(id) = persisted.contested.first() {
            let tickets = persisted.contested.len();
            tracing::error!(tickets, ticket.id = %id, "contested: other tickets have their rows");
        }
        metrics::contested(persisted.contested.len());
        if !persisted.parked.is_empty() {
            metrics::persist_failed("data");
        }
        Ok(())
    }

    /// Removes the records of a committed batch from their streams. After a failure they stay
    /// pending, and are delivered again.
    async fn acknowledge(
        &self,
        accepted: &Accepted,
        entries: &[Entry],
        pending: &mut Pending,
    ) -> usize {
        let mut acknowledged = 0;
        for shard in Shard::all() {
            let of_shard = entries.iter().filter(|entry| entry.shard == shard);
            let records: Vec<(String, usize)> =
                of_shard.map(|entry| (entry.id.clone(), entry.tickets())).collect();
            for records in records.chunks(RECORDS_MAX) {
                let args = Args { accepted, shard, records };
                match acknowledge::acknowledge(&self.redis, &args).await {
                    Ok(Reply::Acknowledged(tickets)) => acknowledged += tickets as usize,
                    Ok(Reply::OtherGeneration) => {
                        self.redis.generation().doubt();
                        pending.read_again();
                    }
                    Err(error) => {
                        tracing::warn!(%error, "records could not be acknowledged");
                        pending.read_again();
                    }
                }
            }
        }
        acknowledged
    }

    fn away(&mut self, error: &dyn std::error::Error) -> Away {
        metrics::persist_failed("unavailable");
        let since = self.away_since.take().map_or_else(Instant::now, |(since, _)| since);
        self.away_since = Some((since, error.to_string()));
        tracing::warn!(%error, "the database is away; records wait in the stream");
        Away
    }
}
