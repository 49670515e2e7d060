//! What Redis still has becomes rows: the records of a shard, and holders (P2 step 9).

use std::collections::HashMap;

use super::error::Result;
use super::lease::Lease;
use crate::domain::coupon::{CouponId, Shard};
use crate::domain::limits::{BATCH_MAX_TICKETS, GROUP_MAX_REQUESTS, PAGE_MAX_ROWS};
use crate::domain::record::{Record, SOURCE_ISSUE};
use crate::domain::ticket::Serial;
use crate::domain::user::{Claim, UserId};
use crate::redis::Redis;
use crate::redis::generation::Accepted;
use crate::redis::holders::{self, HeldTicket};
use crate::redis::stream;
use crate::store::Store;

/// Records of one read of a stream; each has 512 tickets at most.
const RECORDS_MAX: usize = BATCH_MAX_TICKETS / GROUP_MAX_REQUESTS;

/// A Redis with what is left in it, and who makes rows of that.
pub(super) struct Left<'a> {
    pub(super) redis: &'a Redis,
    pub(super) store: &'a dyn Store,
    pub(super) lease: &'a Lease,
    pub(super) accepted: &'a Accepted,
}

impl Left<'_> {
    /// Writes the records of a shard as rows; a persister does the same, and comparing is harmless.
    /// Records that come meanwhile are of coupons that are not recovered.
    pub(super) async fn drain(&self, shard: Shard) -> Result<()> {
        let mut after = "-".to_owned();
        loop {
            self.lease.keep().await?;
            let entries =
                stream::entries_after(self.redis, self.accepted, shard, &after, RECORDS_MAX)
                    .await?;
            let Some(last) = entries.last() else { return Ok(()) };
            after.clone_from(&last.id);
            let is_last = entries.len() < RECORDS_MAX;
            let mut records: Vec<Record> = Vec::new();
            for entry in entries {
                match entry.record {
                    Ok(record) => records.push(record),
                    // The persister reports it too, and it stays in the stream.
                    Err(error) => {
                        let (id, shard) = (entry.id, shard.number());
                        tracing::error!(record.id = %id, shard, %error, "not recovered");
                    }
                }
            }
            self.store.persist(&records).await?;
            if is_last {
                return Ok(());
            }
        }
    }

    /// Writes the holders that have no row as rows.
    pub(super) async fn save_holders(&self, id: &CouponId) -> Result<()> {
        let mut rows: Option<HashMap<u64, (UserId, Claim)>> = None;
        let mut cursor = 0;
        loop {
            self.lease.keep().await?;
            let (next, page) =
                holders::page_of_holders(self.redis, self.accepted, id, cursor).await?;
            let held: Vec<Record> =
                page.iter().filter_map(|(field, value)| record_of(id, field, value)).collect();
            if !held.is_empty() {
                let rows = match &mut rows {
                    Some(rows) => rows,
                    none => none.insert(self.rows_of(id).await?),
                };
                let is_row =
                    |record: &Record| rows.get(&record.first_serial.0) == record.holders.first();
                let missing: Vec<Record> =
                    held.into_iter().filter(|record| !is_row(record)).collect();
                self.store.persist(&missing).await?;
            }
            if next == 0 {
                return Ok(());
            }
            cursor = next;
        }
    }

    async fn rows_of(&self, id: &CouponId) -> Result<HashMap<u64, (UserId, Claim)>> {
        let mut rows = HashMap::new();
        let mut after = Serial(0);
        loop {
            self.lease.keep().await?;
            let page = self.store.tickets_of_coupon(id, after, PAGE_MAX_ROWS).await?;
            let Some(last) = page.last() else { return Ok(rows) };
            after = last.ticket.serial;
            let holders = page.into_iter().map(|row| row.ticket);
            rows.extend(holders.map(|one| (one.serial.0, (one.user_id, one.claim))));
        }
    }
}

/// The ticket of a holder as a record; `None` for the stock, and for what no script wrote.
fn record_of(id: &CouponId, field: &str, value: &str) -> Option<Record> {
    let (user, claim) = match field.split_once('\n') {
        None => (field, Claim::FIRST),
        Some((user, claim)) => (user, Claim::parse(claim)?),
    };
    let held = HeldTicket::parse(value)?;
    Some(Record {
        coupon_id: id.clone(),
        epoch: held.epoch,
        first_serial: held.serial,
        issued_at: held.issued_at,
        source: SOURCE_ISSUE.to_owned(),
        holders: vec![(UserId::parse(user)?, claim)],
    })
}
