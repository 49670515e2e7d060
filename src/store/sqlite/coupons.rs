//! Coupons: what was defined, and where it stands.

use serde_json::json;
use sqlx::AssertSqlSafe;
use sqlx::sqlite::SqlitePool;

use crate::domain::coupon::{Coupon, CouponId, Definition};
use crate::store::rows::{COUPON_COLUMNS, CouponRow, all, kind_word, stored, supply_word};
use crate::store::{Error, Result};

use super::Transaction;

pub(super) async fn insert(pool: &SqlitePool, coupon: &Coupon) -> Result<bool> {
    let definition = &coupon.definition;
    let inserted = sqlx::query(
        "INSERT INTO coupons (id, name, total, per_user_limit, opens_at_ms, closes_at_ms,
             valid_for_ms, kind, supply, state, shard, key_id, version, act_no, persisted,
             created_at_ms)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
         ON CONFLICT (id) DO NOTHING",
    )
    .bind(definition.id.as_str())
    .bind(&definition.name)
    .bind(stored::<_, i64>(definition.total)?)
    .bind(i64::from(definition.per_user_limit))
    .bind(definition.opens_at.map(|at| at.0))
    .bind(definition.closes_at.map(|at| at.0))
    .bind(definition.valid_for.map(|length| stored::<_, i64>(length.as_ms())).transpose()?)
    .bind(kind_word(definition.kind))
    .bind(supply_word(definition.supply))
    .bind(coupon.state.word())
    .bind(i64::from(coupon.shard.number()))
    .bind(&coupon.key_id)
    .bind(stored::<_, i64>(coupon.version)?)
    .bind(stored::<_, i64>(coupon.act_no)?)
    .bind(stored::<_, i64>(coupon.persisted)?)
    .bind(coupon.created_at.0)
    .execute(pool)
    .await?;
    Ok(inserted.rows_affected() == 1)
}

pub(super) async fn find(pool: &SqlitePool, id: &CouponId) -> Result<Option<Coupon>> {
    let sql = format!("SELECT {COUPON_COLUMNS} FROM coupons WHERE id = $1");
    let row: Option<CouponRow> =
        sqlx::query_as(AssertSqlSafe(sql)).bind(id.as_str()).fetch_optional(pool).await?;
    row.map(Coupon::try_from).transpose()
}

pub(super) async fn without_row(pool: &SqlitePool, ids: &[CouponId]) -> Result<Vec<CouponId>> {
    let ids: Vec<&str> = ids.iter().map(CouponId::as_str).collect();
    let missing: Vec<String> = sqlx::query_scalar(
        "SELECT asked.value FROM json_each($1) AS asked
         WHERE NOT EXISTS (SELECT 1 FROM coupons WHERE coupons.id = asked.value)",
    )
    .bind(json!(ids).to_string())
    .fetch_all(pool)
    .await?;
    let id = |id: String| CouponId::parse(&id).ok_or(Error::Corrupt("coupon id"));
    missing.into_iter().map(id).collect()
}

/// The coupon under the transaction's write lock, SQLite's row lock.
pub(super) async fn lock(transaction: &mut Transaction, id: &CouponId) -> Result<Option<Coupon>> {
    let sql = format!("SELECT {COUPON_COLUMNS} FROM coupons WHERE id = $1");
    let row: Option<CouponRow> = sqlx::query_as(AssertSqlSafe(sql))
        .bind(id.as_str())
        .fetch_optional(&mut **transaction)
        .await?;
    row.map(Coupon::try_from).transpose()
}

/// Writes what an applied act may have changed. The caller holds the row lock.
pub(super) async fn update(transaction: &mut Transaction, coupon: &Coupon) -> Result<()> {
    sqlx::query(
        "UPDATE coupons SET total = $2, per_user_limit = $3, opens_at_ms = $4, closes_at_ms = $5,
             state = $6, version = $7
         WHERE id = $1",
    )
    .bind(coupon.definition.id.as_str())
    .bind(stored::<_, i64>(coupon.definition.total)?)
    .bind(i64::from(coupon.definition.per_user_limit))
    .bind(coupon.definition.opens_at.map(|at| at.0))
    .bind(coupon.definition.closes_at.map(|at| at.0))
    .bind(coupon.state.word())
    .bind(stored::<_, i64>(coupon.version)?)
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

pub(super) async fn list(
    pool: &SqlitePool,
    after: Option<&CouponId>,
    limit_rows: u32,
) -> Result<Vec<Coupon>> {
    let sql = format!("SELECT {COUPON_COLUMNS} FROM coupons WHERE id > $1 ORDER BY id LIMIT $2");
    let rows: Vec<CouponRow> = sqlx::query_as(AssertSqlSafe(sql))
        .bind(after.map_or("", CouponId::as_str))
        .bind(i64::from(limit_rows))
        .fetch_all(pool)
        .await?;
    all(rows)
}

pub(super) async fn has_preloaded(pool: &SqlitePool) -> Result<bool> {
    let sql = "SELECT EXISTS (SELECT 1 FROM coupons WHERE state <> 'draft')";
    Ok(sqlx::query_scalar(sql).fetch_one(pool).await?)
}

pub(super) async fn key_ids(pool: &SqlitePool) -> Result<Vec<String>> {
    let sql = "SELECT DISTINCT key_id FROM coupons ORDER BY key_id";
    Ok(sqlx::query_scalar(sql).fetch_all(pool).await?)
}

pub(super) async fn update_draft(
    pool: &SqlitePool,
    definition: &Definition,
    version: u64,
) -> Result<Option<Coupon>> {
    let sql = format!(
        "UPDATE coupons SET name = $3, total = $4, per_user_limit = $5, opens_at_ms = $6,
             closes_at_ms = $7, valid_for_ms = $8, kind = $9, supply = $10, version = version + 1
         WHERE id = $1 AND version = $2 AND state = 'draft'
         RETURNING {COUPON_COLUMNS}"
    );
    let row: Option<CouponRow> = sqlx::query_as(AssertSqlSafe(sql))
        .bind(definition.id.as_str())
        .bind(stored::<_, i64>(version)?)
        .bind(&definition.name)
        .bind(stored::<_, i64>(definition.total)?)
        .bind(i64::from(definition.per_user_limit))
        .bind(definition.opens_at.map(|at| at.0))
        .bind(definition.closes_at.map(|at| at.0))
        .bind(definition.valid_for.map(|length| stored::<_, i64>(length.as_ms())).transpose()?)
        .bind(kind_word(definition.kind))
        .bind(supply_word(definition.supply))
        .fetch_optional(pool)
        .await?;
    row.map(Coupon::try_from).transpose()
}

pub(super) async fn rename(pool: &SqlitePool, id: &CouponId, name: &str) -> Result<bool> {
    let renamed = sqlx::query("UPDATE coupons SET name = $2 WHERE id = $1")
        .bind(id.as_str())
        .bind(name)
        .execute(pool)
        .await?;
    Ok(renamed.rows_affected() == 1)
}

pub(super) async fn delete_draft(pool: &SqlitePool, id: &CouponId) -> Result<bool> {
    let deleted = sqlx::query("DELETE FROM coupons WHERE id = $1 AND state = 'draft'")
        .bind(id.as_str())
        .execute(pool)
        .await?;
    Ok(deleted.rows_affected() == 1)
}
