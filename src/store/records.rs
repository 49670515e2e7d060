//! The persister's transaction (P5): what it writes, in which order, and the comparison when not
//! all of it is inserted.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::batch::{self, Contested, NewTicket, Persisted};
use super::dialect::{Dialect, Transaction};
use super::error::{Error, Result};
use super::rows::stored;
use crate::domain::record::Record;

/// What the persister writes.
#[async_trait]
pub trait Records: Send + Sync {
    /// Writes the tickets of these records in one transaction: the rows, sorted by key, by bulk
    /// insert; one `records` row per record; `persisted` of their coupons, and `rows_before` of
    /// later epochs. If fewer rows were inserted than given, it compares: an equal row is a replay,
    /// a different one makes the ticket contested, in the same transaction (I3, I9; P5 step 3).
    /// When it returns, they are committed.
    async fn persist(&self, records: &[Record]) -> Result<Persisted>;
}

#[async_trait]
impl<D: Dialect> Records for D {
    async fn persist(&self, records: &[Record]) -> Result<Persisted> {
        let persisted = self.call(|| persist(self, records)).await?;
        self.last_commit().is_now();
        Ok(persisted)
    }
}

async fn persist<D: Dialect>(database: &D, records: &[Record]) -> Result<Persisted> {
    if records.is_empty() {
        return Ok(Persisted::default());
    }
    let tickets = batch::tickets_of(records)?;
    let mut transaction = database.begin().await?;
    let mut grown_by_epoch = Vec::new();
    for of_epoch in tickets.chunk_by(|one, next| one.epoch == next.epoch) {
        let grown = D::insert_tickets(&mut transaction, of_epoch).await?;
        grown_by_epoch.extend(of_epoch.first().map(|ticket| (ticket.epoch, grown)));
    }
    D::insert_records(&mut transaction, records).await?;
    let grown = of_coupons(&grown_by_epoch);
    let inserted: i64 = grown.iter().map(|(_, n)| n).sum();
    let contested = if inserted < stored(tickets.len())? {
        contested_of::<D>(&mut transaction, &tickets).await?
    } else {
        Vec::new()
    };
    D::insert_contested(&mut transaction, &contested).await?;
    // Last, because all persisters need these few rows.
    D::grow_persisted(&mut transaction, &grown).await?;
    for (epoch, grown) in &grown_by_epoch {
        D::grow_later_epochs(&mut transaction, *epoch, grown).await?;
    }
    transaction.commit().await?;
    Ok(batch::account(records, inserted, &contested))
}

/// The new rows of each coupon, in the order of their ids.
fn of_coupons(grown_by_epoch: &[(i32, Vec<(String, i64)>)]) -> Vec<(String, i64)> {
    let mut grown = BTreeMap::new();
    for (id, n) in grown_by_epoch.iter().flat_map(|(_, grown)| grown) {
        *grown.entry(id.clone()).or_insert(0) += n;
    }
    grown.into_iter().collect()
}

/// The tickets that conflict with a different row (I9); the others are replays.
async fn contested_of<'a, D: Dialect>(
    transaction: &mut Transaction<D>,
    tickets: &[NewTicket<'a>],
) -> Result<Vec<Contested<'a>>> {
    let rows = D::rows_by_key(transaction, tickets).await?;
    let (mut contested, without_row) = batch::compare_by_key(tickets, &rows);
    let met = D::claims_taken(transaction, &without_row).await?;
    if met < stored(without_row.len())? {
        return Err(Error::Corrupt("ticket: it met no row and became none"));
    }
    let taken = |ticket| Contested { ticket, reason: "claim_taken" };
    contested.extend(without_row.into_iter().map(taken));
    Ok(contested)
}
