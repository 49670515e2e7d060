//! Statements over arrays: one prepared statement for every size of batch.

use sqlx::AssertSqlSafe;

use super::PostgresStore;
use crate::domain::record::Record;
use crate::store::batch::{Contested, NewTicket};
use crate::store::dialect::{Bulk, Dialect as _, Transaction};
use crate::store::error::Result;
use crate::store::letter::NewLetter;
use crate::store::rows::{StoredTicket, stored};

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

impl Bulk for PostgresStore {
    type Driver = sqlx::Postgres;

    async fn insert_tickets(
        transaction: &mut Transaction<Self>,
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

    async fn insert_records(transaction: &mut Transaction<Self>, records: &[Record]) -> Result<()> {
        let mut records: Vec<&Record> = records.iter().collect();
        records
            .sort_unstable_by_key(|record| (&record.coupon_id, record.epoch, record.first_serial));
        let column = |of: fn(&Record) -> Result<i64>| -> Result<Vec<i64>> {
            records.iter().map(|record| of(record)).collect()
        };
        sqlx::query(
            "INSERT INTO records (coupon_id, epoch, first_serial, n, issued_at_ms, source)
             SELECT * FROM UNNEST($1::text[], $2::bigint[], $3::bigint[], $4::bigint[],
                 $5::bigint[], $6::text[])
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

    async fn rows_by_key(
        transaction: &mut Transaction<Self>,
        tickets: &[NewTicket<'_>],
    ) -> Result<Vec<StoredTicket>> {
        let columns = Columns::of(tickets.iter().copied());
        let sql = format!(
            "SELECT {}
             FROM UNNEST($1::text[], $2::bigint[]) AS sought (coupon_id, serial)
             JOIN tickets ON tickets.coupon_id = sought.coupon_id
                 AND tickets.serial = sought.serial",
            Self::TICKET_COLUMNS
        );
        let rows = sqlx::query_as(AssertSqlSafe(sql))
            .bind(columns.coupon_ids)
            .bind(columns.serials)
            .fetch_all(&mut **transaction);
        Ok(rows.await?)
    }

    async fn claims_taken(
        transaction: &mut Transaction<Self>,
        tickets: &[NewTicket<'_>],
    ) -> Result<i64> {
        if tickets.is_empty() {
            return Ok(0);
        }
        let columns = Columns::of(tickets.iter().copied());
        let taken = sqlx::query_scalar(
            "SELECT COUNT(*)
             FROM UNNEST($1::text[], $2::text[], $3::smallint[])
                 AS sought (user_id, coupon_id, claim)
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
        transaction: &mut Transaction<Self>,
        contested: &[Contested<'_>],
    ) -> Result<()> {
        if contested.is_empty() {
            return Ok(());
        }
        let columns = Columns::of(contested.iter().map(|one| one.ticket));
        let sql = format!(
            "INSERT INTO contested (coupon_id, serial, epoch, user_id, claim, issued_at_ms, source,
                 reason, seen_at_ms)
             SELECT *, (SELECT {}) FROM UNNEST($1::text[], $2::bigint[], $3::integer[], $4::text[],
                 $5::smallint[], $6::bigint[], $7::text[], $8::text[])
             ON CONFLICT DO NOTHING",
            Self::NOW_MS
        );
        sqlx::query(AssertSqlSafe(sql))
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

    async fn insert_letters(
        transaction: &mut Transaction<Self>,
        letters: &[NewLetter<'_>],
    ) -> Result<()> {
        if letters.is_empty() {
            return Ok(());
        }
        let sql = format!(
            "INSERT INTO dead_letters (id, coupon_id, serial, user_id, claim, raw, class, reason,
                 parked_at_ms)
             SELECT *, (SELECT {}) FROM UNNEST($1::text[], $2::text[], $3::bigint[], $4::text[],
                 $5::smallint[], $6::bytea[], $7::text[], $8::text[])
             ON CONFLICT DO NOTHING",
            Self::NOW_MS
        );
        let tickets = || letters.iter().map(|letter| letter.ticket);
        let coupon_id = |ticket: NewTicket<'_>| ticket.coupon_id.to_string();
        let user_id = |ticket: NewTicket<'_>| ticket.user_id.to_string();
        sqlx::query(AssertSqlSafe(sql))
            .bind(letters.iter().map(|letter| letter.id.as_str()).collect::<Vec<_>>())
            .bind(tickets().map(|ticket| ticket.map(coupon_id)).collect::<Vec<_>>())
            .bind(tickets().map(|ticket| ticket.map(|one| one.serial)).collect::<Vec<_>>())
            .bind(tickets().map(|ticket| ticket.map(user_id)).collect::<Vec<_>>())
            .bind(tickets().map(|ticket| ticket.map(|one| one.claim)).collect::<Vec<_>>())
            .bind(letters.iter().map(|letter| letter.raw.as_slice()).collect::<Vec<_>>())
            .bind(letters.iter().map(|letter| letter.class.as_str()).collect::<Vec<_>>())
            .bind(letters.iter().map(|letter| letter.reason.as_str()).collect::<Vec<_>>())
            .execute(&mut **transaction)
            .await?;
        Ok(())
    }

    async fn grow_persisted(
        transaction: &mut Transaction<Self>,
        grown: &[(String, i64)],
    ) -> Result<()> {
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

    async fn grow_later_epochs(
        transaction: &mut Transaction<Self>,
        epoch: i32,
        grown: &[(String, i64)],
    ) -> Result<()> {
        sqlx::query(
            "UPDATE epochs SET rows_before = rows_before + grown.n
             FROM UNNEST($1::text[], $2::bigint[]) AS grown (id, n)
             WHERE epochs.coupon_id = grown.id AND epochs.epoch > $3",
        )
        .bind(grown.iter().map(|(id, _)| id.as_str()).collect::<Vec<_>>())
        .bind(grown.iter().map(|(_, n)| *n).collect::<Vec<_>>())
        .bind(i64::from(epoch))
        .execute(&mut **transaction)
        .await?;
        Ok(())
    }
}
