//! Generations: append-only; the last one is in force (P2).

use async_trait::async_trait;
use sqlx::{ColumnIndex, Decode, FromRow, Row, Type};

use super::dialect::{Dialect, Statement};
use super::error::{Error, Result};
use super::rows::{all, natural, stored, word};
use crate::domain::generation::Generation;
use crate::domain::time::UnixMs;

/// The columns of [`GenerationRow`].
const GENERATION_COLUMNS: &str = "generation_no, epoch, run_id, replid, durability, \
     reason, accepted_heartbeat, heartbeat, seen_at_ms, refused_run_id";

/// The generations of Redis that were accepted.
#[async_trait]
pub trait Generations: Send + Sync {
    async fn last_generation(&self) -> Result<Option<Generation>>;

    /// The generations from this number on, in their order.
    async fn generations_from(
        &self,
        generation_no: u64,
        limit_rows: u32,
    ) -> Result<Vec<Generation>>;

    /// Appends a generation. False when its number is taken: another server was first.
    async fn append_generation(&self, generation: &Generation) -> Result<bool>;

    /// Raises the heartbeat in the row of this generation, if it is greater, and sets when it was
    /// seen (P2 step 8). False when this is no longer the last generation, or its process was
    /// refused since.
    async fn beat(&self, generation_no: u64, heartbeat: u64, seen_at: UnixMs) -> Result<bool>;

    /// Notes in the row of a generation that no server may accept this process of Redis: the
    /// evidence may be gone at the next look.
    async fn refuse_life(&self, generation_no: u64, run_id: &str) -> Result<()>;
}

#[async_trait]
impl<D: Dialect> Generations for D {
    async fn last_generation(&self) -> Result<Option<Generation>> {
        let sql = format!(
            "SELECT {GENERATION_COLUMNS} FROM generations ORDER BY generation_no DESC LIMIT 1"
        );
        let rows: Vec<GenerationRow> = self.read(&Statement::new(sql)).await?;
        rows.into_iter().next().map(Generation::try_from).transpose()
    }

    async fn generations_from(
        &self,
        generation_no: u64,
        limit_rows: u32,
    ) -> Result<Vec<Generation>> {
        let sql = format!(
            "SELECT {GENERATION_COLUMNS} FROM generations WHERE generation_no >= $1
             ORDER BY generation_no LIMIT $2"
        );
        let statement =
            Statement::new(sql).bind(stored::<_, i64>(generation_no)?).bind(i64::from(limit_rows));
        all::<GenerationRow, _>(self.read(&statement).await?)
    }

    /// Appends only the number after the last one, so that the numbers have no gap: a server that
    /// read a database which was then restored from a backup must read it again.
    async fn append_generation(&self, generation: &Generation) -> Result<bool> {
        let sql = format!(
            "INSERT INTO generations ({GENERATION_COLUMNS})
             SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10
             WHERE $1 = (SELECT COALESCE(MAX(generation_no), 0) + 1 FROM generations)"
        );
        let statement = Statement::new(sql)
            .bind(stored::<_, i64>(generation.generation_no)?)
            .bind(i64::from(generation.epoch))
            .bind(generation.run_id.as_str())
            .bind(generation.replid.as_str())
            .bind(generation.durability.word())
            .bind(generation.reason.as_str())
            .bind(stored::<_, i64>(generation.accepted_heartbeat)?)
            .bind(stored::<_, i64>(generation.heartbeat)?)
            .bind(generation.seen_at.0)
            .bind(generation.refused_run_id.as_deref());
        self.insert(statement, "generation_no").await
    }

    async fn beat(&self, generation_no: u64, heartbeat: u64, seen_at: UnixMs) -> Result<bool> {
        let sql = format!(
            "UPDATE generations SET heartbeat = {}(heartbeat, $2), seen_at_ms = $3
             WHERE generation_no = $1 AND (refused_run_id IS NULL OR refused_run_id <> run_id)
                 AND $1 = (SELECT last FROM
                     (SELECT MAX(generation_no) AS last FROM generations) AS newest)",
            D::GREATEST
        );
        let statement = Statement::new(sql)
            .bind(stored::<_, i64>(generation_no)?)
            .bind(stored::<_, i64>(heartbeat)?)
            .bind(seen_at.0);
        Ok(self.write(&statement).await? == 1)
    }

    async fn refuse_life(&self, generation_no: u64, run_id: &str) -> Result<()> {
        let sql = "UPDATE generations SET refused_run_id = $2 WHERE generation_no = $1";
        let statement = Statement::new(sql).bind(stored::<_, i64>(generation_no)?).bind(run_id);
        self.write(&statement).await?;
        Ok(())
    }
}

/// A row of `generations`.
struct GenerationRow {
    generation_no: i64,
    epoch: i64,
    run_id: String,
    replid: String,
    durability: String,
    reason: String,
    accepted_heartbeat: i64,
    heartbeat: i64,
    seen_at_ms: i64,
    refused_run_id: Option<String>,
}

impl<'r, R> FromRow<'r, R> for GenerationRow
where
    R: Row,
    &'static str: ColumnIndex<R>,
    String: Decode<'r, R::Database> + Type<R::Database>,
    i64: Decode<'r, R::Database> + Type<R::Database>,
{
    fn from_row(row: &'r R) -> sqlx::Result<Self> {
        Ok(Self {
            generation_no: row.try_get("generation_no")?,
            epoch: row.try_get("epoch")?,
            run_id: row.try_get("run_id")?,
            replid: row.try_get("replid")?,
            durability: row.try_get("durability")?,
            reason: row.try_get("reason")?,
            accepted_heartbeat: row.try_get("accepted_heartbeat")?,
            heartbeat: row.try_get("heartbeat")?,
            seen_at_ms: row.try_get("seen_at_ms")?,
            refused_run_id: row.try_get("refused_run_id")?,
        })
    }
}

impl TryFrom<GenerationRow> for Generation {
    type Error = Error;

    fn try_from(row: GenerationRow) -> Result<Self> {
        Ok(Self {
            generation_no: natural(row.generation_no, "generation_no")?,
            epoch: natural(row.epoch, "epoch")?,
            run_id: row.run_id,
            replid: row.replid,
            durability: word(&row.durability, "durability")?,
            reason: row.reason,
            accepted_heartbeat: natural(row.accepted_heartbeat, "accepted_heartbeat")?,
            heartbeat: natural(row.heartbeat, "heartbeat")?,
            seen_at: UnixMs(row.seen_at_ms),
            refused_run_id: row.refused_run_id,
        })
    }
}
