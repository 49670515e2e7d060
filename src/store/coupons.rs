//! Coupons: their definitions and their states.

use std::collections::HashSet;

use async_trait::async_trait;

use super::dialect::{Dialect, Statement, Transaction, only};
use super::error::Result;
use super::rows::{COUPON_COLUMNS, CouponRow, all, stored};
use crate::domain::coupon::{Coupon, CouponId, Definition};

/// The rows of coupons.
#[async_trait]
pub trait Coupons: Send + Sync {
    /// Inserts a draft. False when the id is taken.
    async fn insert_coupon(&self, coupon: &Coupon) -> Result<bool>;

    async fn find_coupon(&self, id: &CouponId) -> Result<Option<Coupon>>;

    /// Coupons in the order of their ids (bytewise), after this one.
    async fn list_coupons(&self, after: Option<&CouponId>, limit_rows: u32) -> Result<Vec<Coupon>>;

    /// Like [`Coupons::list_coupons`], without drafts and archived ones.
    async fn list_in_redis(&self, after: Option<&CouponId>, limit_rows: u32)
    -> Result<Vec<Coupon>>;

    /// The coupons of this list that have no row.
    async fn without_row(&self, ids: &[CouponId]) -> Result<Vec<CouponId>>;

    /// Whether any coupon has left the state draft.
    async fn has_preloaded_coupon(&self) -> Result<bool>;

    /// The ids of all keys that coupons use.
    async fn key_ids(&self) -> Result<Vec<String>>;

    /// Replaces a draft's definition (not its id) if it is still at this version; the version
    /// grows by one. Returns the new row, or `None` if the coupon is no draft at that version.
    async fn update_draft(&self, definition: &Definition, version: u64) -> Result<Option<Coupon>>;

    /// Changes a coupon's name in any state; the version does not grow. False when there is none.
    async fn rename_coupon(&self, id: &CouponId, name: &str) -> Result<bool>;

    /// Deletes a draft. False when it is no draft (any more).
    async fn delete_draft(&self, id: &CouponId) -> Result<bool>;
}

#[async_trait]
impl<D: Dialect> Coupons for D {
    async fn insert_coupon(&self, coupon: &Coupon) -> Result<bool> {
        let definition = &coupon.definition;
        let statement = Statement::new(
            "INSERT INTO coupons (id, name, total, per_user_limit, opens_at_ms, closes_at_ms,
                 valid_for_ms, kind, supply, state, shard, key_id, version, act_no, persisted,
                 created_at_ms)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)",
        )
        .bind(definition.id.as_str())
        .bind(definition.name.as_str())
        .bind(stored::<_, i64>(definition.total)?)
        .bind(i64::from(definition.per_user_limit))
        .bind(definition.opens_at.map(|at| at.0))
        .bind(definition.closes_at.map(|at| at.0))
        .bind(definition.valid_for.map(|length| stored::<_, i64>(length.as_ms())).transpose()?)
        .bind(definition.kind.word())
        .bind(definition.supply.word())
        .bind(coupon.state.word())
        .bind(i64::from(coupon.shard.number()))
        .bind(coupon.key_id.as_str())
        .bind(stored::<_, i64>(coupon.version)?)
        .bind(stored::<_, i64>(coupon.act_no)?)
        .bind(stored::<_, i64>(coupon.persisted)?)
        .bind(coupon.created_at.0);
        self.insert(statement, "id").await
    }

    async fn find_coupon(&self, id: &CouponId) -> Result<Option<Coupon>> {
        first(self.read(&by_id(id)).await?)
    }

    async fn list_coupons(&self, after: Option<&CouponId>, limit_rows: u32) -> Result<Vec<Coupon>> {
        let sql =
            format!("SELECT {COUPON_COLUMNS} FROM coupons WHERE id > $1 ORDER BY id LIMIT $2");
        let after = after.map_or("", CouponId::as_str);
        let statement = Statement::new(sql).bind(after).bind(i64::from(limit_rows));
        all::<CouponRow, _>(self.read(&statement).await?)
    }

    async fn list_in_redis(
        &self,
        after: Option<&CouponId>,
        limit_rows: u32,
    ) -> Result<Vec<Coupon>> {
        let sql = format!(
            "SELECT {COUPON_COLUMNS} FROM coupons
             WHERE id > $1 AND state NOT IN ('draft', 'archived') ORDER BY id LIMIT $2"
        );
        let after = after.map_or("", CouponId::as_str);
        let statement = Statement::new(sql).bind(after).bind(i64::from(limit_rows));
        all::<CouponRow, _>(self.read(&statement).await?)
    }

    async fn without_row(&self, ids: &[CouponId]) -> Result<Vec<CouponId>> {
        let sql = format!("SELECT id FROM coupons WHERE id {}", D::among("$1"));
        let asked: Vec<&str> = ids.iter().map(CouponId::as_str).collect();
        let there: Vec<(String,)> = self.read(&Statement::new(sql).bind(asked)).await?;
        let there: HashSet<&str> = there.iter().map(|(id,)| id.as_str()).collect();
        Ok(ids.iter().filter(|id| !there.contains(id.as_str())).cloned().collect())
    }

    async fn has_preloaded_coupon(&self) -> Result<bool> {
        let sql = "SELECT EXISTS (SELECT 1 FROM coupons WHERE state <> 'draft')";
        let (is_there,) = only(self.read(&Statement::new(sql)).await?)?;
        Ok(is_there)
    }

    async fn key_ids(&self) -> Result<Vec<String>> {
        let sql = "SELECT DISTINCT key_id FROM coupons ORDER BY key_id";
        let ids: Vec<(String,)> = self.read(&Statement::new(sql)).await?;
        Ok(ids.into_iter().map(|(id,)| id).collect())
    }

    async fn update_draft(&self, definition: &Definition, version: u64) -> Result<Option<Coupon>> {
        self.call(|| update_draft(self, definition, version)).await
    }

    async fn rename_coupon(&self, id: &CouponId, name: &str) -> Result<bool> {
        let sql = "UPDATE coupons SET name = $2 WHERE id = $1";
        let statement = Statement::new(sql).bind(id.as_str()).bind(name);
        Ok(self.write(&statement).await? == 1)
    }

    async fn delete_draft(&self, id: &CouponId) -> Result<bool> {
        let sql = "DELETE FROM coupons WHERE id = $1 AND state = 'draft'";
        Ok(self.write(&Statement::new(sql).bind(id.as_str())).await? == 1)
    }
}

async fn update_draft<D: Dialect>(
    database: &D,
    definition: &Definition,
    version: u64,
) -> Result<Option<Coupon>> {
    let statement = Statement::new(
        "UPDATE coupons SET name = $3, total = $4, per_user_limit = $5, opens_at_ms = $6,
             closes_at_ms = $7, valid_for_ms = $8, kind = $9, supply = $10, version = version + 1
         WHERE id = $1 AND version = $2 AND state = 'draft'",
    )
    .bind(definition.id.as_str())
    .bind(stored::<_, i64>(version)?)
    .bind(definition.name.as_str())
    .bind(stored::<_, i64>(definition.total)?)
    .bind(i64::from(definition.per_user_limit))
    .bind(definition.opens_at.map(|at| at.0))
    .bind(definition.closes_at.map(|at| at.0))
    .bind(definition.valid_for.map(|length| stored::<_, i64>(length.as_ms())).transpose()?)
    .bind(definition.kind.word())
    .bind(definition.supply.word());
    let mut transaction = database.begin().await?;
    if D::write_in(&mut transaction, &statement).await? == 0 {
        return Ok(None);
    }
    // Nobody else can change the row meanwhile: the update holds its lock.
    let updated = first(D::read_in(&mut transaction, &by_id(&definition.id)).await?)?;
    transaction.commit().await?;
    Ok(updated)
}

fn by_id(id: &CouponId) -> Statement<'_> {
    let sql = format!("SELECT {COUPON_COLUMNS} FROM coupons WHERE id = $1");
    Statement::new(sql).bind(id.as_str())
}

/// The coupon under its row lock, which lasts until the transaction ends.
pub(super) async fn lock<D: Dialect>(
    transaction: &mut Transaction<D>,
    id: &CouponId,
) -> Result<Option<Coupon>> {
    let sql = format!("SELECT {COUPON_COLUMNS} FROM coupons WHERE id = $1{}", D::FOR_UPDATE);
    first(D::read_in(transaction, &Statement::new(sql).bind(id.as_str())).await?)
}

/// Writes the columns that an applied act may have changed. The caller has locked the row.
pub(super) async fn update<D: Dialect>(
    transaction: &mut Transaction<D>,
    coupon: &Coupon,
) -> Result<()> {
    let statement = Statement::new(
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
    .bind(stored::<_, i64>(coupon.version)?);
    D::write_in(transaction, &statement).await?;
    Ok(())
}

fn first(rows: Vec<CouponRow>) -> Result<Option<Coupon>> {
    rows.into_iter().next().map(Coupon::try_from).transpose()
}
