//! Inserts tickets, and compares when not all of them go in.

use super::batch::{self, Contested, NewTicket};
use super::dialect::{Dialect, Transaction};
use super::error::{Error, Result};
use super::rows::stored;

/// Inserts tickets, and returns how many rows each coupon got, and which tickets are contested.
pub(super) async fn insert_and_compare<'a, D: Dialect>(
    transaction: &mut Transaction<D>,
    tickets: &[NewTicket<'a>],
) -> Result<(Vec<(String, i64)>, Vec<Contested<'a>>)> {
    let grown = D::insert_tickets(transaction, tickets).await?;
    let inserted: i64 = grown.iter().map(|(_, rows)| rows).sum();
    let contested = match inserted < stored(tickets.len())? {
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
