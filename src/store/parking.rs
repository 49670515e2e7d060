//! Bisects a batch that the database refuses down to the tickets at fault, and parks these as dead
//! letters in the transaction of their neighbours (P5 step 4).

use super::batch::{self, NewTicket, Persisted};
use super::dialect::{Dialect, Statement, Transaction};
use super::error::{Error, Result};
use super::inserting::{Grown, insert_and_compare};
use super::letter::NewLetter;
use crate::domain::record::{Record, Undecodable};

/// Writes these records and parks what cannot be written, in one transaction.
///
/// # Errors
/// Only outages: a database that cannot store a dead letter accepts nothing (P5 step 5).
pub(super) async fn persist_or_park<D: Dialect>(
    database: &D,
    records: &[Record],
    undecodable: &[Undecodable],
) -> Result<Persisted> {
    let (records, unfit): (Vec<Record>, Vec<Record>) =
        records.iter().cloned().partition(batch::fits);
    let tickets = batch::tickets_of(&records)?;
    let mut letters: Vec<NewLetter<'_>> = undecodable.iter().map(NewLetter::undecodable).collect();
    letters.extend(unfit.iter().map(NewLetter::unfit));
    write_all(database, &records, &tickets, letters).await.map_err(outage)
}

/// Parks every ticket of a record, in one transaction.
///
/// # Errors
/// Only outages.
pub(super) async fn park<D: Dialect>(database: &D, record: &Record) -> Result<Persisted> {
    if !batch::fits(record) {
        return persist_or_park(database, std::slice::from_ref(record), &[]).await;
    }
    let records = std::slice::from_ref(record);
    let tickets = batch::tickets_of(records)?;
    let letters = tickets.iter().map(|ticket| NewLetter::deadly(*ticket)).collect();
    write_all(database, records, &[], letters).await.map_err(outage)
}

/// A database that cannot store a dead letter is away.
fn outage(error: Error) -> Error {
    match error {
        Error::Data(_) | Error::Corrupt(_) => {
            Error::away(&format!("it stores no dead letter: {error}"))
        }
        error => error,
    }
}

async fn write_all<'a, D: Dialect>(
    database: &D,
    records: &'a [Record],
    tickets: &[NewTicket<'a>],
    mut letters: Vec<NewLetter<'a>>,
) -> Result<Persisted> {
    let mut transaction = database.begin_checking().await?;
    let mut grown = Grown::default();
    let mut contested = Vec::new();
    // The front half first, so that all writers lock in the order of the keys.
    let mut parts = if tickets.is_empty() { Vec::new() } else { vec![tickets] };
    while let Some(part) = parts.pop() {
        say::<D>(&mut transaction, "SAVEPOINT part").await?;
        match insert_and_compare::<D>(&mut transaction, part).await {
            Ok((more, conflicts)) => {
                grown.add(more);
                contested.extend(conflicts);
            }
            Err(error) if error.is_away() => return Err(error),
            Err(error) => {
                say::<D>(&mut transaction, "ROLLBACK TO SAVEPOINT part").await?;
                match part {
                    [ticket] => letters.push(NewLetter::refused(*ticket, &error)),
                    several => {
                        let (front, back) = several.split_at(several.len() / 2);
                        parts.extend([back, front]);
                    }
                }
            }
        }
        say::<D>(&mut transaction, "RELEASE SAVEPOINT part").await?;
    }
    D::insert_records(&mut transaction, records).await?;
    D::insert_contested(&mut transaction, &contested).await?;
    letters.sort_unstable_by(|one, other| one.id.cmp(&other.id));
    letters.dedup_by(|one, other| one.id == other.id);
    D::insert_letters(&mut transaction, &letters).await?;
    grown.write::<D>(&mut transaction).await?;
    transaction.commit().await?;
    if let Some(NewLetter { id, class, reason, .. }) = letters.first() {
        let parked = letters.len();
        tracing::error!(parked, letter.id = %id, class, reason, "parked as dead letters");
    }
    let mut persisted = batch::account(records, grown.rows(), &contested);
    persisted.replayed = persisted.replayed.saturating_sub(letters.len() as u64);
    persisted.parked = letters.into_iter().map(|letter| letter.id).collect();
    Ok(persisted)
}

async fn say<D: Dialect>(transaction: &mut Transaction<D>, sql: &'static str) -> Result<()> {
    D::write_in(transaction, &Statement::new(sql)).await.map(|_| ())
}
