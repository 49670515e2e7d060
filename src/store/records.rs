//! The persister's transaction (P5): what it writes, and in which order.

use async_trait::async_trait;

use super::batch::{self, Persisted};
use super::dialect::{Dialect, Transaction};
use super::error::Result;
use super::inserting::insert_and_compare;
use super::parking;
use crate::domain::record::{Record, Undecodable};

/// What the persister writes.
#[async_trait]
pub trait Records: Send + Sync {
    /// Writes the tickets of these records in one transaction: the rows, sorted by key, by bulk
    /// insert; one `records` row per record; `persisted` of their coupons, and `rows_before` of
    /// later epochs. If fewer rows were inserted than given, it compares: an equal row is a replay,
    /// a different one makes the ticket contested, in the same transaction (I3, I9; P5 step 3).
    /// When it returns, they are committed.
    async fn persist(&self, records: &[Record]) -> Result<Persisted>;

    /// Like [`Records::persist`], but what cannot be written becomes dead letters in the same
    /// transaction: each ticket that the database refuses, and each record that cannot be decoded
    /// as a whole (P5 step 4). Fails only when the database is away, or stores no dead letter.
    async fn persist_or_park(
        &self,
        records: &[Record],
        undecodable: &[Undecodable],
    ) -> Result<Persisted>;

    /// Parks every ticket of a record that persisters did not survive (P5 step 4).
    async fn park(&self, record: &Record) -> Result<Persisted>;
}

#[async_trait]
impl<D: Dialect> Records for D {
    async fn persist(&self, records: &[Record]) -> Result<Persisted> {
        let persisted = self.call(|| persist(self, records)).await?;
        self.last_commit().is_now();
        Ok(persisted)
    }

    async fn persist_or_park(
        &self,
        records: &[Record],
        undecodable: &[Undecodable],
    ) -> Result<Persisted> {
        if undecodable.is_empty() {
            match self.persist(records).await {
                Err(error) if !error.is_away() => {
                    tracing::debug!(%error, records = records.len(), "a batch is bisected");
                }
                done => return done,
            }
        }
        let call = || parking::persist_or_park(self, records, undecodable);
        let persisted = self.call(call).await?;
        self.last_commit().is_now();
        Ok(persisted)
    }

    async fn park(&self, record: &Record) -> Result<Persisted> {
        self.call(|| parking::park(self, record)).await
    }
}

async fn persist<D: Dialect>(database: &D, records: &[Record]) -> Result<Persisted> {
    if records.is_empty() {
        return Ok(Persisted::default());
    }
    let mut transaction = database.begin().await?;
    let persisted = write_in::<D>(&mut transaction, records).await?;
    transaction.commit().await?;
    Ok(persisted)
}

/// Writes records within a transaction.
pub(super) async fn write_in<D: Dialect>(
    transaction: &mut Transaction<D>,
    records: &[Record],
) -> Result<Persisted> {
    let tickets = batch::tickets_of(records)?;
    let (grown, contested) = insert_and_compare::<D>(transaction, &tickets).await?;
    D::insert_records(transaction, records).await?;
    D::insert_contested(transaction, &contested).await?;
    grown.write::<D>(transaction).await?;
    Ok(batch::account(records, grown.rows(), &contested))
}
