//! Generations: append-only, the last one counts (P2).

use sqlx::postgres::PgPool;

use crate::domain::generation::Generation;
use crate::domain::time::UnixMs;
use crate::store::Result;
use crate::store::rows::{GenerationRow, stored};

use super::connect::{begin, begin_reading};

pub(super) async fn last(pool: &PgPool) -> Result<Option<Generation>> {
    let mut transaction = begin_reading(pool).await?;
    let row: Option<GenerationRow> = sqlx::query_as(
        "SELECT generation_no, epoch, run_id, replid, durability, reason, heartbeat, seen_at_ms
         FROM generations ORDER BY generation_no DESC LIMIT 1",
    )
    .fetch_optional(&mut *transaction)
    .await?;
    row.map(Generation::try_from).transpose()
}

/// Appends only what follows the last one, so that the numbers have no gap: a server that read a
/// database which has since gone back to a backup must read it again.
pub(super) async fn append(pool: &PgPool, generation: &Generation) -> Result<bool> {
    let mut transaction = begin(pool).await?;
    let appended = sqlx::query(
        "INSERT INTO generations
             (generation_no, epoch, run_id, replid, durability, reason, heartbeat, seen_at_ms)
         SELECT $1, $2, $3, $4, $5, $6, $7, $8
         WHERE $1 = (SELECT COALESCE(MAX(generation_no), 0) + 1 FROM generations)
         ON CONFLICT (generation_no) DO NOTHING",
    )
    .bind(stored::<_, i64>(generation.generation_no)?)
    .bind(i64::from(generation.epoch))
    .bind(&generation.run_id)
    .bind(&generation.replid)
    .bind(generation.durability.word())
    .bind(&generation.reason)
    .bind(stored::<_, i64>(generation.heartbeat)?)
    .bind(generation.seen_at.0)
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
         WHERE generation_no = $1 AND $1 = (SELECT MAX(generation_no) FROM generations)",
    )
    .bind(stored::<_, i64>(generation_no)?)
    .bind(stored::<_, i64>(heartbeat)?)
    .bind(seen_at.0)
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(beaten.rows_affected() == 1)
}
