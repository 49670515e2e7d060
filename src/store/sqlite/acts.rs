//! Acts: intended under the coupon's row lock, settled under it (P9).

use sqlx::AssertSqlSafe;
use sqlx::sqlite::SqlitePool;

use crate::domain::act::{Act, ActResult, Change, NewAct, Return};
use crate::domain::coupon::{Coupon, CouponId, State};
use crate::domain::ticket::{Status, TicketId};
use crate::domain::time::UnixMs;
use crate::domain::user::holder_field;
use crate::store::rows::{ACT_COLUMNS, ActRow, KeyedAct, all, change_text, state_word, stored};
use crate::store::{Cancelled, Error, Intended, Result, decide};

use super::connect::begin;
use super::{Transaction, coupons, tickets};

pub(super) async fn intend(pool: &SqlitePool, new: &NewAct) -> Result<Intended> {
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

pub(super) async fn settle(pool: &SqlitePool, act: &Act, result: &ActResult) -> Result<()> {
    let mut transaction = begin(pool).await?;
    let coupon = coupons::lock(&mut transaction, &act.coupon_id).await?;
    let settled = sqlx::query(
        "UPDATE acts SET state = $3, result = $4,
             settled_at_ms = CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER)
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

pub(super) async fn find(pool: &SqlitePool, id: &CouponId, act_no: u64) -> Result<Option<Act>> {
    let sql = format!("SELECT {ACT_COLUMNS} FROM acts WHERE coupon_id = $1 AND act_no = $2");
    let act_no: i64 = stored(act_no)?;
    let rows: Vec<ActRow> =
        sqlx::query_as(AssertSqlSafe(sql)).bind(id.as_str()).bind(act_no).fetch_all(pool).await?;
    Ok(all::<_, KeyedAct>(rows)?.into_iter().map(|keyed| keyed.act).next())
}

pub(super) async fn unsettled(
    pool: &SqlitePool,
    before: UnixMs,
    limit_rows: u32,
) -> Result<Vec<Act>> {
    let sql = format!(
        "SELECT {ACT_COLUMNS} FROM acts WHERE state = 'intended' AND intended_at_ms < $1
         ORDER BY intended_at_ms, coupon_id LIMIT $2"
    );
    let rows: Vec<ActRow> = sqlx::query_as(AssertSqlSafe(sql))
        .bind(before.0)
        .bind(i64::from(limit_rows))
        .fetch_all(pool)
        .await?;
    Ok(all::<_, KeyedAct>(rows)?.into_iter().map(|keyed| keyed.act).collect())
}

pub(super) async fn cancel_ticket(
    pool: &SqlitePool,
    id: &TicketId,
    who: &str,
    at: UnixMs,
) -> Result<Cancelled> {
    let mut transaction = begin(pool).await?;
    let coupon = coupons::lock(&mut transaction, &id.coupon_id).await?;
    let row = tickets::find(&mut *transaction, id).await?;
    let (Some(coupon), Some(row)) = (coupon, row) else { return Ok(Cancelled::Unknown) };
    if coupon.state == State::Draft {
        return Ok(Cancelled::Unknown);
    }
    if row.status == Status::Cancelled {
        return Ok(Cancelled::Before);
    }
    let holder = holder_field(&row.ticket.user_id, row.ticket.claim);
    let new = NewAct {
        coupon_id: id.coupon_id.clone(),
        change: Change::Return { returns: vec![Return { serial: id.serial.0, holder }] },
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
    tickets::cancel(&mut transaction, id, at).await?;
    let act = insert(&mut transaction, &new, &coupon).await?;
    transaction.commit().await?;
    Ok(Cancelled::Now(act))
}
