//! The persister's transaction (P5): multi-row statements in chunks.

use std::collections::BTreeMap;

use sqlx::sqlite::{SqliteArguments, SqlitePool};
use sqlx::{AssertSqlSafe, Row};

use crate::domain::record::Record;
use crate::store::batch::{self, Contested, NewTicket};
use crate::store::rehearsal;
use crate::store::rows::{StoredTicket, stored};
use crate::store::{Error, Persisted, Result};

use super::Transaction;
use super::bulk::{chunks, values};
use super::connect::begin;
use super::tickets::TICKET_COLUMNS;

pub(super) async fn persist(writer: &SqlitePool, records: &[Record]) -> Result<Persisted> {
    if records.is_empty() {
        return Ok(batch::account(records, 0, &[]));
    }
    let tickets = batch::tickets_of(records)?;
    let mut transaction = begin(writer).await?;
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

/// Inserts a ticket and takes it back.
pub(super) async fn rehearse(writer: &SqlitePool) -> Result<()> {
    let mut transaction = begin(writer).await?;
    let serial = rehearsal::serial();
    let insert = sqlx::query(rehearsal::INSERT).bind(serial).bind(serial.to_string());
    insert.execute(&mut *transaction).await?;
    Ok(transaction.rollback().await?)
}

/// Inserts what is not there yet. How many rows each coupon got, in the order of the ids; coupons
/// that got none are left out.
async fn insert_tickets(
    transaction: &mut Transaction,
    tickets: &[NewTicket<'_>],
) -> Result<Vec<(String, i64)>> {
    let mut grown = BTreeMap::new();
    for chunk in chunks(tickets) {
        let insert = format!(
            "INSERT INTO tickets (coupon_id, serial, epoch, user_id, claim, issued_at_ms, source)
             VALUES {} ON CONFLICT DO NOTHING",
            values(chunk.len(), 7)
        );
        // The usual chunk is of one coupon. Only a mixed one must say what went in, because that
        // costs half as much again.
        let only = chunk.first().map(|ticket| ticket.coupon_id).filter(|first| {
            // Sorted: between equal ends all are equal.
            chunk.last().is_some_and(|last| last.coupon_id == *first)
        });
        if let Some(coupon_id) = only {
            let query = bind_tickets(sqlx::query(AssertSqlSafe(insert)), chunk);
            let inserted = query.execute(&mut **transaction).await?.rows_affected();
            *grown.entry(coupon_id.to_string()).or_insert(0) += stored::<_, i64>(inserted)?;
            continue;
        }
        let insert = format!("{insert} RETURNING coupon_id");
        let query = bind_tickets(sqlx::query(AssertSqlSafe(insert)), chunk);
        for row in query.fetch_all(&mut **transaction).await? {
            *grown.entry(row.try_get(0)?).or_insert(0) += 1;
        }
    }
    grown.retain(|_, n| *n > 0);
    Ok(grown.into_iter().collect())
}

type Query<'q> = sqlx::query::Query<'q, sqlx::Sqlite, SqliteArguments>;

fn bind_tickets<'q>(query: Query<'q>, tickets: &'q [NewTicket<'_>]) -> Query<'q> {
    tickets.iter().fold(query, |query, ticket| {
        query
            .bind(ticket.coupon_id.as_str())
            .bind(ticket.serial)
            .bind(ticket.epoch)
            .bind(ticket.user_id.as_str())
            .bind(ticket.claim)
            .bind(ticket.issued_at_ms)
            .bind(ticket.source)
    })
}

async fn insert_records(transaction: &mut Transaction, records: &[Record]) -> Result<()> {
    for chunk in chunks(records) {
        let sql = format!(
            "INSERT INTO records (coupon_id, epoch, first_serial, n, issued_at_ms, source)
             VALUES {} ON CONFLICT DO NOTHING",
            values(chunk.len(), 6)
        );
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for record in chunk {
            query = query
                .bind(record.coupon_id.as_str())
                .bind(record.epoch)
                .bind(stored::<_, i64>(record.first_serial.0)?)
                .bind(stored::<_, i64>(record.holders.len())?)
                .bind(record.issued_at.0)
                .bind(&record.source);
        }
        query.execute(&mut **transaction).await?;
    }
    Ok(())
}

/// The tickets that met a different row (I9); the others met their own.
async fn contested_of<'a>(
    transaction: &mut Transaction,
    tickets: &[NewTicket<'a>],
) -> Result<Vec<Contested<'a>>> {
    let mut rows: Vec<StoredTicket> = Vec::with_capacity(tickets.len());
    for chunk in chunks(tickets) {
        let sql = format!(
            "WITH sought (coupon_id, serial) AS (VALUES {})
             SELECT {TICKET_COLUMNS} FROM sought CROSS JOIN tickets
             ON tickets.coupon_id = sought.coupon_id AND tickets.serial = sought.serial",
            values(chunk.len(), 2)
        );
        let mut query = sqlx::query_as(AssertSqlSafe(sql));
        for ticket in chunk {
            query = query.bind(ticket.coupon_id.as_str()).bind(ticket.serial);
        }
        rows.extend(query.fetch_all(&mut **transaction).await?);
    }
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
    let mut taken = 0;
    for chunk in chunks(tickets) {
        let sql = format!(
            "WITH sought (user_id, coupon_id, claim) AS (VALUES {})
             SELECT COUNT(*) FROM sought CROSS JOIN tickets
             ON tickets.user_id = sought.user_id AND tickets.coupon_id = sought.coupon_id
                 AND tickets.claim = sought.claim",
            values(chunk.len(), 3)
        );
        let mut query = sqlx::query_scalar::<_, i64>(AssertSqlSafe(sql));
        for ticket in chunk {
            query = query
                .bind(ticket.user_id.as_str())
                .bind(ticket.coupon_id.as_str())
                .bind(ticket.claim);
        }
        taken += query.fetch_one(&mut **transaction).await?;
    }
    Ok(taken)
}

async fn insert_contested(
    transaction: &mut Transaction,
    contested: &[Contested<'_>],
) -> Result<()> {
    for chunk in chunks(contested) {
        let sql = format!(
            "INSERT INTO contested (coupon_id, serial, epoch, user_id, claim, issued_at_ms, source,
                 reason, seen_at_ms)
             SELECT *, CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER) FROM (VALUES {})
             WHERE true ON CONFLICT DO NOTHING",
            values(chunk.len(), 8)
        );
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for Contested { ticket, reason } in chunk {
            query = query
                .bind(ticket.coupon_id.as_str())
                .bind(ticket.serial)
                .bind(ticket.epoch)
                .bind(ticket.user_id.as_str())
                .bind(ticket.claim)
                .bind(ticket.issued_at_ms)
                .bind(ticket.source)
                .bind(*reason);
        }
        query.execute(&mut **transaction).await?;
    }
    Ok(())
}

/// Adds to `persisted` of the coupons that got rows.
async fn grow_persisted(transaction: &mut Transaction, grown: &[(String, i64)]) -> Result<()> {
    for chunk in chunks(grown) {
        let sql = format!(
            "WITH grown (id, n) AS (VALUES {})
             UPDATE coupons SET persisted = persisted + grown.n FROM grown
             WHERE coupons.id = grown.id",
            values(chunk.len(), 2)
        );
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for (id, n) in chunk {
            query = query.bind(id).bind(n);
        }
        query.execute(&mut **transaction).await?;
    }
    Ok(())
}
