//! What Redis still has becomes rows: the records of a shard, and holders (P2 steps 9 and 13).

use std::collections::HashMap;

use super::error::Result;
use super::lease::Lease;
use crate::domain::coupon::{CouponId, Shard};
use crate::domain::limits::{BATCH_MAX_TICKETS, GROUP_MAX_REQUESTS, PAGE_MAX_ROWS};
use crate::domain::record::{Record, SOURCE_ISSUE};
use crate::domain::ticket::Serial;
use crate::domain::user::{Claim, UserId, of_holder_field};
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
    /// Writes the records of a shard as rows or dead letters; a persister does the same, and
    /// comparing is harmless.
    /// Records that come meanwhile are of coupons that are not recovered.
    pub(super) async fn drain(&self, shard: Shard) -> Result<()> {
        let mut after = "-".to_owned();
        loop {
            self.lease.keep().await?;
            let entries = stream::entries_after(
                self.redis,
                &self.accepted.replid,
                shard,
                &after,
                RECORDS_MAX,
            )
            .await?;
            let Some(last) = entries.last() else { return Ok(()) };
            after.clone_from(&last.id);
            let is_last = entries.len() < RECORDS_MAX;
            let (mut records, mut undecodable) = (Vec::new(), Vec::new());
            for entry in entries {
                match entry.record {
                    Ok(record) => records.push(record),
                    Err(one) => undecodable.push(one),
                }
            }
            self.store.persist_or_park(&records, &undecodable).await?;
            if is_last {
                return Ok(());
            }
        }
    }

    /// Writes the holders that have no row as rows.
    pub(super) async fn save_holders(&self, id: &CouponId) -> Result<()> {
        self.save(id, |_| true).await.map(|_| ())
    }

    /// Like [`Left::save_holders`], without cancelled tickets: a row would be a valid one. Returns
    /// how many rows are new.
    pub(super) async fn save_accepted_holders(&self, id: &CouponId) -> Result<u64> {
        self.save(id, |held| !held.is_cancelled).await
    }

    async fn save(&self, id: &CouponId, is_meant: fn(&HeldTicket) -> bool) -> Result<u64> {
        let (mut cursor, mut saved) = (0, 0);
        loop {
            self.lease.keep().await?;
            let replid = &self.accepted.replid;
            let (next, page) = holders::page_of_holders(self.redis, replid, id, cursor).await?;
            let meant = page
                .iter()
                .filter(|(_, value)| HeldTicket::parse(value).is_some_and(|held| is_meant(&held)));
            let held: Vec<Record> =
                meant.filter_map(|(field, value)| record_of(id, field, value)).collect();
            for records in held.chunks(PAGE_MAX_ROWS as usize) {
                let lost = self.without_row(id, records).await?;
                saved += self.store.persist_or_park(&lost, &[]).await?.inserted;
            }
            if next == 0 {
                return Ok(saved);
            }
            cursor = next;
        }
    }

    /// Those of these records, of one ticket each, that have no row of the same serial and holder.
    async fn without_row(&self, id: &CouponId, records: &[Record]) -> Result<Vec<Record>> {
        let serials: Vec<Serial> = records.iter().map(|record| record.first_serial).collect();
        let rows = self.store.tickets_with(id, &serials).await?;
        let rows: HashMap<Serial, (UserId, Claim)> = rows
            .into_iter()
            .map(|row| (row.ticket.serial, (row.ticket.user_id, row.ticket.claim)))
            .collect();
        let is_row = |record: &&Record| rows.get(&record.first_serial) == record.holders.first();
        Ok(records.iter().filter(|record| !is_row(record)).cloned().collect())
    }
}

/// The ticket of a holder as a record; `None` for the stock, and for what no script wrote.
fn record_of(id: &CouponId, field: &str, value: &str) -> Option<Record> {
    let holder = of_holder_field(field)?;
    let held = HeldTicket::parse(value)?;
    Some(Record {
        coupon_id: id.clone(),
        epoch: held.epoch,
        first_serial: held.serial,
        issued_at: held.issued_at,
        source: SOURCE_ISSUE.to_owned(),
        holders: vec![holder],
    })
}
