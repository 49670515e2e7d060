//! Acts: intended under the coupon's row lock, settled under it (P9).

use sqlx::AssertSqlSafe;
use sqlx::postgres::PgPool;

use crate::domain::act::{Act, ActResult, Change, NewAct, Return};
use crate::domain::coupon::{Coupon, CouponId, State};
use crate::domain::limits::YOUNG_MS;
use crate::domain::ticket::Serial;
use crate::domain::time::UnixMs;
use crate::store::rows::{ACT_COLUMNS, ActRow, KeyedAct, all, change_text, state_word, stored};
use crate::store::{Cancelled, Error, Intended, Result, decide};

use super::connect::{begin, begin_reading};
use super::{Transaction, coupons, tickets};

pub(super) async fn intend(pool: &PgPool, new: &NewAct) -> Result<Intended> {
    let mut transaction = begin(pool).await?;
    let Some(coupon) = coupons::lock(&mut transaction, &new.coupon_id).await? else {
        return Ok(Intended::Unknown);
    };
    let acts = acts_that_decide(&mut transaction, new).await?;
    if let Some(refusal) = decide::refusal(new, &coupon, acts)? {
        return Ok(refusal);
    }
    let act = insert(&mut transaction, new, &coupon).await?;
    transaction.commit().await?;
    Ok(Intended::New(act))
}

/// The coupon's acts with the same idempotency key, its intended one and its first one.
async fn acts_that_decide(transaction: &mut Transaction, new: &NewAct) -> Result<Vec<KeyedAct>> {
    let sql = format!(
        "SELECT {ACT_COLUMNS} FROM acts
         WHERE coupon_id = $1 AND (idempotency_key = $2 OR state = 'intended' OR act_no = 1)"
    );
    let rows: Vec<ActRow> = sqlx::query_as(AssertSqlSafe(sql))
        .bind(new.coupon_id.as_str())
        .bind(new.idempotency_key.as_ref().map(|key| key.as_str()))
        .fetch_all(&mut **transaction)
        .await?;
    all(rows)
}

/// Writes the coupon's next act. The caller holds the row lock and has found no refusal.
async fn insert(transaction: &mut Transaction, new: &NewAct, coupon: &Coupon) -> Result<Act> {
    let (act, state) = decide::next_act(new, coupon);
    let act_no: i64 = stored(act.act_no)?;
    sqlx::query(
        "INSERT INTO acts
             (coupon_id, act_no, kind, arguments, idempotency_key, who, intended_at_ms)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(act.coupon_id.as_str())
    .bind(act_no)
    .bind(act.change.word())
    .bind(change_text(&act.change)?)
    .bind(new.idempotency_key.as_ref().map(|key| key.as_str()))
    .bind(&new.who)
    .bind(new.at.0)
    .execute(&mut **transaction)
    .await?;
    sqlx::query("UPDATE coupons SET act_no = $2, state = $3 WHERE id = $1")
        .bind(act.coupon_id.as_str())
        .bind(act_no)
        .bind(state.word())
        .execute(&mut **transaction)
        .await?;
    Ok(act)
}

pub(super) async fn settle(pool: &PgPool, act: &Act, result: &ActResult) -> Result<()> {
    let mut transaction = begin(pool).await?;
    let coupon = coupons::lock(&mut transaction, &act.coupon_id).await?;
    let settled = sqlx::query(
        "UPDATE acts SET state = $3, result = $4,
             settled_at_ms = (EXTRACT(EPOCH FROM clock_timestamp()) * 1000)::bigint
         WHERE coupon_id = $1 AND act_no = $2 AND state = 'intended'",
    )
    .bind(act.coupon_id.as_str())
    .bind(stored::<_, i64>(act.act_no)?)
    .bind(state_word(Some(result)))
    .bind(result.to_string())
    .execute(&mut *transaction)
    .await?;
    if settled.rows_affected() == 0 {
        return settled_before(&mut transaction, act).await;
    }
    if let (Some(coupon), ActResult::Applied(applied)) = (coupon, result) {
        let after = decide::after(coupon, &act.change, applied);
        coupons::update(&mut transaction, &after).await?;
    }
    transaction.commit().await?;
    Ok(())
}

/// An act that could not be settled was settled before; one without a row was lost by the database.
async fn settled_before(transaction: &mut Transaction, act: &Act) -> Result<()> {
    let sql = "SELECT EXISTS (SELECT 1 FROM acts WHERE coupon_id = $1 AND act_no = $2)";
    let stands: bool = sqlx::query_scalar(sql)
        .bind(act.coupon_id.as_str())
        .bind(stored::<_, i64>(act.act_no)?)
        .fetch_one(&mut **transaction)
        .await?;
    if stands { Ok(()) } else { Err(Error::Corrupt("act: it has no row")) }
}

pub(super) async fn find(pool: &PgPool, id: &CouponId, act_no: u64) -> Result<Option<Act>> {
    let mut transaction = begin_reading(pool).await?;
    let sql = format!("SELECT {ACT_COLUMNS} FROM acts WHERE coupon_id = $1 AND act_no = $2");
    let act_no: i64 = stored(act_no)?;
    let rows: Vec<ActRow> = sqlx::query_as(AssertSqlSafe(sql))
        .bind(id.as_str())
        .bind(act_no)
        .fetch_all(&mut *transaction)
        .await?;
    Ok(all::<_, KeyedAct>(rows)?.into_iter().map(|keyed| keyed.act).next())
}

pub(super) async fn unsettled(
    pool: &PgPool,
    now: UnixMs,
    after: Option<&CouponId>,
    limit_rows: u32,
) -> Result<Vec<Act>> {
    let mut transaction = begin_reading(pool).await?;
    let sql = format!(
        "SELECT {ACT_COLUMNS} FROM acts WHERE state = 'intended' AND coupon_id > $1
             AND intended_at_ms NOT BETWEEN $2 AND $3
         ORDER BY coupon_id LIMIT $4"
    );
    let rows: Vec<ActRow> = sqlx::query_as(AssertSqlSafe(sql))
        .bind(after.map_or("", CouponId::as_str))
        .bind(now.0.saturating_sub(YOUNG_MS))
        .bind(now.0.saturating_add(YOUNG_MS))
        .bind(i64::from(limit_rows))
        .fetch_all(&mut *transaction)
        .await?;
    Ok(all::<_, KeyedAct>(rows)?.into_iter().map(|keyed| keyed.act).collect())
}

pub(super) async fn cancel_tickets(
    pool: &PgPool,
    id: &CouponId,
    serials: &[Serial],
    who: &str,
    at: UnixMs,
) -> Result<Cancelled> {
    let mut transaction = begin(pool).await?;
    let coupon = coupons::lock(&mut transaction, id).await?;
    let Some(coupon) = coupon.filter(|coupon| coupon.state != State::Draft) else {
        return Ok(Cancelled::Done { act: None, unknown: serials.to_vec() });
    };
    let rows = tickets::find_all(&mut transaction, id, serials).await?;
    let unknown = decide::without_row(serials, &rows);
    let returns = decide::returns(&rows);
    if returns.is_empty() {
        return Ok(Cancelled::Done { act: None, unknown });
    }
    let cancelled: Vec<Serial> = returns.iter().map(Return::serial).collect();
    let new = NewAct {
        coupon_id: id.clone(),
        change: Change::Return { returns },
        idempotency_key: None,
        if_version: None,
        who: who.to_owned(),
        at,
    };
    let acts = acts_that_decide(&mut transaction, &new).await?;
    match decide::refusal(&new, &coupon, acts)? {
        None => {}
        Some(Intended::Busy(act)) => return Ok(Cancelled::Busy(act)),
        Some(_) => return Err(Error::Corrupt("act")),
    }
    tickets::cancel(&mut transaction, id, &cancelled, at).await?;
    let act = insert(&mut transaction, &new, &coupon).await?;
    transaction.commit().await?;
    Ok(Cancelled::Done { act: Some(act), unknown })
}
