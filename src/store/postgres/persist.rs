//! The persister's transaction (P5): bulk statements over arrays, one prepared text for every size.

use sqlx::AssertSqlSafe;
use sqlx::postgres::PgPool;

use crate::domain::record::Record;
use crate::store::batch::{self, Contested, NewTicket};
use crate::store::rehearsal;
use crate::store::rows::{StoredTicket, stored};
use crate::store::{Error, Persisted, Result};

use super::Transaction;
use super::connect::begin;
use super::tickets::TICKET_COLUMNS;

pub(super) async fn persist(pool: &PgPool, records: &[Record]) -> Result<Persisted> {
    if records.is_empty() {
        return Ok(batch::account(records, 0, &[]));
    }
    let tickets = batch::tickets_of(records)?;
    let mut transaction = begin(pool).await?;
    let grown = insert_tickets(&mut transaction, &tickets).await?;
    insert_records(&mut transaction, records).await?;
    let inserted: i64 = grown.iter().map(|(_, n)| n).sum();
    let contested = if inserted < stored(tickets.len())? {
        contested_of(&mut transaction, &tickets).await?
    } else {
        Vec::new()
    };
    insert_contested(&mut transaction, &contested).await?;
    grow_persisted(&mut transaction, &grown).await?;
    transaction.commit().await?;
    Ok(batch::account(records, inserted, &contested))
}

/// Why a database is read-only, and what to do.
pub(super) const STANDBY: &str =
    "it is a standby; promote it, or let DATABASE_URL name the primary";

/// Inserts a ticket and takes it back.
pub(super) async fn rehearse(pool: &PgPool) -> Result<()> {
    if sqlx::query_scalar("SELECT pg_is_in_recovery()").fetch_one(pool).await? {
        return Err(Error::ReadOnly(STANDBY));
    }
    let mut transaction = begin(pool).await?;
    let serial = rehearsal::serial();
    let insert = sqlx::query(rehearsal::INSERT).bind(serial).bind(serial.to_string());
    insert.execute(&mut *transaction).await?;
    Ok(transaction.rollback().await?)
}

/// The columns of tickets, as arrays to bind.
struct Columns<'a> {
    coupon_ids: Vec<&'a str>,
    serials: Vec<i64>,
    epochs: Vec<i32>,
    user_ids: Vec<&'a str>,
    claims: Vec<i16>,
    issued_at_ms: Vec<i64>,
    sources: Vec<&'a str>,
}

impl<'a> Columns<'a> {
    fn of(tickets: impl Iterator<Item = NewTicket<'a>> + Clone) -> Self {
        Self {
            coupon_ids: tickets.clone().map(|ticket| ticket.coupon_id.as_str()).collect(),
            serials: tickets.clone().map(|ticket| ticket.serial).collect(),
            epochs: tickets.clone().map(|ticket| ticket.epoch).collect(),
            user_ids: tickets.clone().map(|ticket| ticket.user_id.as_str()).collect(),
            claims: tickets.clone().map(|ticket| ticket.claim).collect(),
            issued_at_ms: tickets.clone().map(|ticket| ticket.issued_at_ms).collect(),
            sources: tickets.map(|ticket| ticket.source).collect(),
        }
    }
}

/// Inserts what is not there yet. How many rows each coupon got, in the order of the ids; coupons
/// that got none are left out.
async fn insert_tickets(
    transaction: &mut Transaction,
    tickets: &[NewTicket<'_>],
) -> Result<Vec<(String, i64)>> {
    let columns = Columns::of(tickets.iter().copied());
    let grown = sqlx::query_as(
        "WITH inserted AS (
             INSERT INTO tickets
                 (coupon_id, serial, epoch, user_id, claim, issued_at_ms, source)
             SELECT * FROM UNNEST($1::text[], $2::bigint[], $3::integer[], $4::text[],
                 $5::smallint[], $6::bigint[], $7::text[])
             ON CONFLICT DO NOTHING
             RETURNING coupon_id
         )
         SELECT coupon_id, COUNT(*) FROM inserted GROUP BY coupon_id ORDER BY coupon_id",
    )
    .bind(columns.coupon_ids)
    .bind(columns.serials)
    .bind(columns.epochs)
    .bind(columns.user_ids)
    .bind(columns.claims)
    .bind(columns.issued_at_ms)
    .bind(columns.sources)
    .fetch_all(&mut **transaction)
    .await?;
    Ok(grown)
}

async fn insert_records(transaction: &mut Transaction, records: &[Record]) -> Result<()> {
    let mut records: Vec<&Record> = records.iter().collect();
    records.sort_unstable_by_key(|record| (&record.coupon_id, record.epoch, record.first_serial));
    let column = |of: fn(&Record) -> Result<i64>| -> Result<Vec<i64>> {
        records.iter().map(|record| of(record)).collect()
    };
    sqlx::query(
        "INSERT INTO records (coupon_id, epoch, first_serial, n, issued_at_ms, source)
         SELECT * FROM UNNEST($1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[],
             $6::text[])
         ON CONFLICT DO NOTHING",
    )
    .bind(records.iter().map(|record| record.coupon_id.as_str()).collect::<Vec<_>>())
    .bind(column(|record| Ok(record.epoch.into()))?)
    .bind(column(|record| stored(record.first_serial.0))?)
    .bind(column(|record| stored(record.holders.len()))?)
    .bind(column(|record| Ok(record.issued_at.0))?)
    .bind(records.iter().map(|record| record.source.as_str()).collect::<Vec<_>>())
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// The tickets that met a different row (I9); the others met their own.
async fn contested_of<'a>(
    transaction: &mut Transaction,
    tickets: &[NewTicket<'a>],
) -> Result<Vec<Contested<'a>>> {
    let columns = Columns::of(tickets.iter().copied());
    let sql = format!(
        "SELECT {TICKET_COLUMNS}
         FROM UNNEST($1::text[], $2::bigint[]) AS sought (coupon_id, serial)
         JOIN tickets ON tickets.coupon_id = sought.coupon_id AND tickets.serial = sought.serial"
    );
    let rows: Vec<StoredTicket> = sqlx::query_as(AssertSqlSafe(sql))
        .bind(columns.coupon_ids)
        .bind(columns.serials)
        .fetch_all(&mut **transaction)
        .await?;
    let (mut contested, without_row) = batch::compare_by_key(tickets, &rows);
    let met = claims_taken(transaction, &without_row).await?;
    if met < stored(without_row.len())? {
        return Err(Error::Corrupt("ticket: it met no row and became none"));
    }
    let taken = |ticket| Contested { ticket, reason: "claim_taken" };
    contested.extend(without_row.into_iter().map(taken));
    Ok(contested)
}

/// How many of these tickets have a row with their (user, coupon, claim).
async fn claims_taken(transaction: &mut Transaction, tickets: &[NewTicket<'_>]) -> Result<i64> {
    if tickets.is_empty() {
        return Ok(0);
    }
    let columns = Columns::of(tickets.iter().copied());
    let taken = sqlx::query_scalar(
        "SELECT COUNT(*)
         FROM UNNEST($1::text[], $2::text[], $3::smallint[]) AS sought (user_id, coupon_id, claim)
         JOIN tickets ON tickets.user_id = sought.user_id
             AND tickets.coupon_id = sought.coupon_id AND tickets.claim = sought.claim",
    )
    .bind(columns.user_ids)
    .bind(columns.coupon_ids)
    .bind(columns.claims)
    .fetch_one(&mut **transaction)
    .await?;
    Ok(taken)
}

async fn insert_contested(
    transaction: &mut Transaction,
    contested: &[Contested<'_>],
) -> Result<()> {
    if contested.is_empty() {
        return Ok(());
    }
    let columns = Columns::of(contested.iter().map(|one| one.ticket));
    sqlx::query(
        "INSERT INTO contested
             (coupon_id, serial, epoch, user_id, claim, issued_at_ms, source, reason, seen_at_ms)
         SELECT *, (EXTRACT(EPOCH FROM clock_timestamp()) * 1000)::bigint FROM UNNEST($1::text[], $2::bigint[], $3::integer[], $4::text[],
             $5::smallint[], $6::bigint[], $7::text[], $8::text[])
         ON CONFLICT DO NOTHING",
    )
    .bind(columns.coupon_ids)
    .bind(columns.serials)
    .bind(columns.epochs)
    .bind(columns.user_ids)
    .bind(columns.claims)
    .bind(columns.issued_at_ms)
    .bind(columns.sources)
    .bind(contested.iter().map(|one| one.reason).collect::<Vec<_>>())
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// Adds to `persisted` of the coupons that got rows. Last in the transaction, because all
/// persisters want these few rows; locked in the order of the ids, so that none can deadlock with
/// another.
async fn grow_persisted(transaction: &mut Transaction, grown: &[(String, i64)]) -> Result<()> {
    let ids: Vec<&str> = grown.iter().map(|(id, _)| id.as_str()).collect();
    let counts: Vec<i64> = grown.iter().map(|(_, n)| *n).collect();
    if grown.len() > 1 {
        sqlx::query("SELECT 1 FROM coupons WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE")
            .bind(&ids)
            .execute(&mut **transaction)
            .await?;
    }
    sqlx::query(
        "UPDATE coupons SET persisted = persisted + grown.n
         FROM UNNEST($1::text[], $2::bigint[]) AS grown (id, n) WHERE coupons.id = grown.id",
    )
    .bind(ids)
    .bind(counts)
    .execute(&mut **transaction)
    .await?;
    Ok(())
}
