//! Generations: append-only, the last one counts (P2).

use sqlx::AssertSqlSafe;
use sqlx::postgres::PgPool;

use crate::domain::generation::Generation;
use crate::domain::time::UnixMs;
use crate::store::Result;
use crate::store::rows::{GENERATION_COLUMNS, GenerationRow, stored};

use super::connect::{begin, begin_reading};

pub(super) async fn last(pool: &PgPool) -> Result<Option<Generation>> {
    let mut transaction = begin_reading(pool).await?;
    let row: Option<GenerationRow> = sqlx::query_as(AssertSqlSafe(format!(
        "SELECT {GENERATION_COLUMNS} FROM generations ORDER BY generation_no DESC LIMIT 1",
    )))
    .fetch_optional(&mut *transaction)
    .await?;
    row.map(Generation::try_from).transpose()
}

pub(super) async fn from(
    pool: &PgPool,
    generation_no: u64,
    limit_rows: u32,
) -> Result<Vec<Generation>> {
    let mut transaction = begin_reading(pool).await?;
    let rows: Vec<GenerationRow> = sqlx::query_as(AssertSqlSafe(format!(
        "SELECT {GENERATION_COLUMNS} FROM generations WHERE generation_no >= $1
         ORDER BY generation_no LIMIT $2",
    )))
    .bind(stored::<_, i64>(generation_no)?)
    .bind(i64::from(limit_rows))
    .fetch_all(&mut *transaction)
    .await?;
    rows.into_iter().map(Generation::try_from).collect()
}

/// Appends only what follows the last one, so that the numbers have no gap: a server that read a
/// database which has since gone back to a backup must read it again.
pub(super) async fn append(pool: &PgPool, generation: &Generation) -> Result<bool> {
    let mut transaction = begin(pool).await?;
    let appended = sqlx::query(AssertSqlSafe(format!(
        "INSERT INTO generations ({GENERATION_COLUMNS})
         SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10
         WHERE $1 = (SELECT COALESCE(MAX(generation_no), 0) + 1 FROM generations)
         ON CONFLICT (generation_no) DO NOTHING",
    )))
    .bind(stored::<_, i64>(generation.generation_no)?)
    .bind(i64::from(generation.epoch))
    .bind(&generation.run_id)
    .bind(&generation.replid)
    .bind(generation.durability.word())
    .bind(&generation.reason)
    .bind(stored::<_, i64>(generation.accepted_heartbeat)?)
    .bind(stored::<_, i64>(generation.heartbeat)?)
    .bind(generation.seen_at.0)
    .bind(&generation.refused_run_id)
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(appended.rows_affected() == 1)
}

pub(super) async fn beat(
    pool: &PgPool,
    generation_no: u64,
    heartbeat: u64,
    seen_at: UnixMs,
) -> Result<bool> {
    let mut transaction = begin(pool).await?;
    let beaten = sqlx::query(
        "UPDATE generations SET heartbeat = GREATEST(heartbeat, $2), seen_at_ms = $3
         WHERE generation_no = $1 AND $1 = (SELECT MAX(generation_no) FROM generations)
             AND refused_run_id IS DISTINCT FROM run_id",
    )
    .bind(stored::<_, i64>(generation_no)?)
    .bind(stored::<_, i64>(heartbeat)?)
    .bind(seen_at.0)
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(beaten.rows_affected() == 1)
}

pub(super) async fn refuse(pool: &PgPool, generation_no: u64, run_id: &str) -> Result<()> {
    let mut transaction = begin(pool).await?;
    sqlx::query("UPDATE generations SET refused_run_id = $2 WHERE generation_no = $1")
        .bind(stored::<_, i64>(generation_no)?)
        .bind(run_id)
        .execute(&mut *transaction)
        .await?;
    Ok(transaction.commit().await?)
}
