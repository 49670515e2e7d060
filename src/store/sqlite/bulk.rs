//! Statements for many rows. The driver hands every statement to a thread, so inserting row by row
//! costs twenty times as much.

use std::collections::BTreeMap;

use sqlx::sqlite::SqliteArguments;
use sqlx::{AssertSqlSafe, Row as _};

use super::SqliteStore;
use crate::domain::record::Record;
use crate::store::batch::{Contested, NewTicket};
use crate::store::dialect::{Bulk, Dialect as _, Transaction};
use crate::store::error::Result;
use crate::store::letter::NewLetter;
use crate::store::rows::{StoredTicket, stored};

/// Rows per statement.
const ROWS_MAX: usize = 2_048;
/// Values in the widest row.
const COLUMNS_MAX: usize = 8;
/// SQLite's bound on the parameters of one statement.
const PARAMETERS_MAX: usize = 32_766;

const _: () = assert!(ROWS_MAX.is_power_of_two() && ROWS_MAX * COLUMNS_MAX <= PARAMETERS_MAX);

/// Cuts rows into chunks of powers of two, so that all batches together need a dozen prepared
/// statements, not one per size.
fn chunks<T>(mut rows: &[T]) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let size = 1 << rows.len().min(ROWS_MAX).checked_ilog2()?;
        let (chunk, rest) = rows.split_at(size);
        rows = rest;
        Some(chunk)
    })
}

/// `(?,?),(?,?)` for this many rows and columns.
fn values(rows: usize, columns: usize) -> String {
    let row = format!("({})", vec!["?"; columns].join(","));
    vec![row; rows].join(",")
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

impl Bulk for SqliteStore {
    type Driver = sqlx::Sqlite;

    async fn insert_tickets(
        transaction: &mut Transaction<Self>,
        tickets: &[NewTicket<'_>],
    ) -> Result<Vec<(String, i64)>> {
        let mut grown = BTreeMap::new();
        for chunk in chunks(tickets) {
            let insert = format!(
                "INSERT INTO tickets
                     (coupon_id, serial, epoch, user_id, claim, issued_at_ms, source)
                 VALUES {} ON CONFLICT DO NOTHING",
                values(chunk.len(), 7)
            );
            // Most chunks belong to one coupon. Only a mixed chunk returns which rows went in,
            // because that costs half as much again.
            let only = chunk.first().map(|ticket| ticket.coupon_id).filter(|first| {
                // The rows are sorted: if the first and the last are equal, all are.
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

    async fn insert_records(transaction: &mut Transaction<Self>, records: &[Record]) -> Result<()> {
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

    async fn rows_by_key(
        transaction: &mut Transaction<Self>,
        tickets: &[NewTicket<'_>],
    ) -> Result<Vec<StoredTicket>> {
        let mut rows = Vec::with_capacity(tickets.len());
        for chunk in chunks(tickets) {
            let sql = format!(
                "WITH sought (coupon_id, serial) AS (VALUES {})
                 SELECT {} FROM sought CROSS JOIN tickets
                 ON tickets.coupon_id = sought.coupon_id AND tickets.serial = sought.serial",
                values(chunk.len(), 2),
                Self::TICKET_COLUMNS
            );
            let mut query = sqlx::query_as(AssertSqlSafe(sql));
            for ticket in chunk {
                query = query.bind(ticket.coupon_id.as_str()).bind(ticket.serial);
            }
            rows.extend(query.fetch_all(&mut **transaction).await?);
        }
        Ok(rows)
    }

    async fn claims_taken(
        transaction: &mut Transaction<Self>,
        tickets: &[NewTicket<'_>],
    ) -> Result<i64> {
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
        transaction: &mut Transaction<Self>,
        contested: &[Contested<'_>],
    ) -> Result<()> {
        if contested.is_empty() {
            return Ok(());
        }
        let now = format!("SELECT {}", Self::NOW_MS);
        let now = sqlx::query_scalar(AssertSqlSafe(now)).fetch_one(&mut **transaction);
        let seen_at_ms: i64 = now.await?;
        for chunk in chunks(contested) {
            let sql = format!(
                "INSERT INTO contested (coupon_id, serial, epoch, user_id, claim, issued_at_ms,
                     source, reason, seen_at_ms)
                 SELECT *, ? FROM (VALUES {}) WHERE true ON CONFLICT DO NOTHING",
                values(chunk.len(), 8)
            );
            let mut query = sqlx::query(AssertSqlSafe(sql)).bind(seen_at_ms);
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

    async fn insert_letters(
        transaction: &mut Transaction<Self>,
        letters: &[NewLetter<'_>],
    ) -> Result<()> {
        for chunk in chunks(letters) {
            let sql = format!(
                "INSERT INTO dead_letters (id, coupon_id, serial, user_id, claim, raw, class,
                     reason, parked_at_ms)
                 SELECT *, {} FROM (VALUES {}) WHERE true ON CONFLICT DO NOTHING",
                Self::NOW_MS,
                values(chunk.len(), 8)
            );
            let mut query = sqlx::query(AssertSqlSafe(sql));
            for NewLetter { id, ticket, raw, class, reason } in chunk {
                query = query
                    .bind(id)
                    .bind(ticket.map(|ticket| ticket.coupon_id.as_str()))
                    .bind(ticket.map(|ticket| ticket.serial))
                    .bind(ticket.map(|ticket| ticket.user_id.as_str()))
                    .bind(ticket.map(|ticket| ticket.claim))
                    .bind(raw)
                    .bind(class)
                    .bind(reason);
            }
            query.execute(&mut **transaction).await?;
        }
        Ok(())
    }

    async fn grow_persisted(
        transaction: &mut Transaction<Self>,
        grown: &[(String, i64)],
    ) -> Result<()> {
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

    async fn grow_later_epochs(
        transaction: &mut Transaction<Self>,
        epoch: i32,
        grown: &[(String, i64)],
    ) -> Result<()> {
        for chunk in chunks(grown) {
            let sql = format!(
                "WITH grown (id, n) AS (VALUES {})
                 UPDATE epochs SET rows_before = rows_before + grown.n FROM grown
                 WHERE epochs.coupon_id = grown.id AND epochs.epoch > ?",
                values(chunk.len(), 2)
            );
            let mut query = sqlx::query(AssertSqlSafe(sql));
            for (id, n) in chunk {
                query = query.bind(id).bind(n);
            }
            query.bind(epoch).execute(&mut **transaction).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_hold_every_row_once_and_in_order() {
        for len in [0, 1, 2, 3, 2_047, 2_048, 2_049, 8_192, 9_999] {
            let rows: Vec<usize> = (0..len).collect();
            let cut: Vec<usize> = chunks(&rows).flatten().copied().collect();
            assert_eq!(cut, rows);
            assert!(chunks(&rows).all(|chunk| chunk.len().is_power_of_two()));
        }
    }
}
