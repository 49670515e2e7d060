//! Inserts tickets, and compares when not all of them go in.

use std::collections::BTreeMap;

use super::batch::{self, Contested, NewTicket};
use super::dialect::{Dialect, Transaction};
use super::error::{Error, Result};
use super::rows::stored;

/// How many rows each coupon got in each epoch.
#[derive(Debug, Default)]
pub(super) struct Grown(BTreeMap<(i32, String), i64>);

impl Grown {
    pub(super) fn add(&mut self, other: Self) {
        for (key, rows) in other.0 {
            *self.0.entry(key).or_insert(0) += rows;
        }
    }

    /// All of them.
    pub(super) fn rows(&self) -> i64 {
        self.0.values().sum()
    }

    /// Adds them to `persisted` of the coupons and to `rows_before` of later epochs: last in a
    /// transaction, because all persisters need these few rows.
    pub(super) async fn write<D: Dialect>(&self, transaction: &mut Transaction<D>) -> Result<()> {
        let mut of_coupons = BTreeMap::new();
        let mut of_epochs: BTreeMap<i32, Vec<(String, i64)>> = BTreeMap::new();
        for ((epoch, id), rows) in self.0.iter().filter(|(_, rows)| **rows > 0) {
            *of_coupons.entry(id.clone()).or_insert(0) += rows;
            of_epochs.entry(*epoch).or_default().push((id.clone(), *rows));
        }
        let of_coupons: Vec<(String, i64)> = of_coupons.into_iter().collect();
        D::grow_persisted(transaction, &of_coupons).await?;
        for (epoch, grown) in &of_epochs {
            D::grow_later_epochs(transaction, *epoch, grown).await?;
        }
        Ok(())
    }
}

/// Inserts tickets, and returns how many rows each coupon got, and which tickets are contested.
pub(super) async fn insert_and_compare<'a, D: Dialect>(
    transaction: &mut Transaction<D>,
    tickets: &[NewTicket<'a>],
) -> Result<(Grown, Vec<Contested<'a>>)> {
    let mut grown = Grown::default();
    for of_epoch in tickets.chunk_by(|one, next| one.epoch == next.epoch) {
        let Some(epoch) = of_epoch.first().map(|ticket| ticket.epoch) else { continue };
        let inserted = D::insert_tickets(transaction, of_epoch).await?.into_iter();
        grown.add(Grown(inserted.map(|(id, rows)| ((epoch, id), rows)).collect()));
    }
    let contested = match grown.rows() < stored(tickets.len())? {
        true => contested_of::<D>(transaction, tickets).await?,
        false => Vec::new(),
    };
    Ok((grown, contested))
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
