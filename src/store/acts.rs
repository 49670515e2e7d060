//! Acts: intended, and later recorded, under the row lock of their coupon (P9).

use async_trait::async_trait;

use super::decide::{self, Cancelled, Intended};
use super::dialect::{Dialect, Statement, Transaction, only};
use super::error::{Error, Result};
use super::rows::{ACT_COLUMNS, ActRow, KeyedAct, all, change_text, stored};
use super::{coupons, recoveries, tickets};
use crate::domain::act::{Act, ActResult, Change, LoggedAct, NewAct, Return, state_word};
use crate::domain::coupon::{Coupon, CouponId, State};
use crate::domain::limits::YOUNG_MS;
use crate::domain::ticket::Serial;
use crate::domain::time::UnixMs;
use crate::domain::who::Who;

/// The numbered acts of coupons.
#[async_trait]
pub trait Acts: Send + Sync {
    /// Writes an act as intended, with the coupon's next act number, under the coupon's row lock
    /// (I1). At most one act of a coupon is intended at any time. A preload moves the coupon from
    /// draft to open in the same transaction (P9 step 6); its act number is 1.
    async fn intend_act(&self, act: &NewAct) -> Result<Intended>;

    /// Records the result of an act, and what it changes in the coupon's row: total, window,
    /// limit, state and version. Recording twice changes nothing. Returns whether the act was not
    /// recorded before.
    async fn record_act(&self, act: &Act, result: &ActResult) -> Result<bool>;

    /// The act of a coupon with this number.
    async fn find_act(&self, id: &CouponId, act_no: u64) -> Result<Option<Act>>;

    /// The acts of a coupon after this number, in order, whether recorded or not.
    async fn list_acts(&self, id: &CouponId, after: u64, limit_rows: u32)
    -> Result<Vec<LoggedAct>>;

    /// Acts that are not recorded, at most one per coupon, in the order of the coupons' ids after
    /// this one: a crash left them. Acts intended within half a second of `now` are left out,
    /// because their callers still work on them; a clock that is far ahead hides none.
    async fn unrecorded_acts(
        &self,
        now: UnixMs,
        after: Option<&CouponId>,
        limit_rows: u32,
    ) -> Result<Vec<Act>>;

    /// Moves rows of a coupon from accepted to cancelled and writes the return of their stock as
    /// one intended act, in one transaction (I7, P9 step 4); at most 500 serials.
    async fn cancel_tickets(
        &self,
        id: &CouponId,
        serials: &[Serial],
        who: Who,
        at: UnixMs,
    ) -> Result<Cancelled>;
}

#[async_trait]
impl<D: Dialect> Acts for D {
    async fn intend_act(&self, act: &NewAct) -> Result<Intended> {
        self.call(|| intend(self, act)).await
    }

    async fn record_act(&self, act: &Act, result: &ActResult) -> Result<bool> {
        self.call(|| record(self, act, result)).await
    }

    async fn find_act(&self, id: &CouponId, act_no: u64) -> Result<Option<Act>> {
        let sql = format!("SELECT {ACT_COLUMNS} FROM acts WHERE coupon_id = $1 AND act_no = $2");
        let act_no: i64 = stored(act_no)?;
        let statement = Statement::new(sql).bind(id.as_str()).bind(act_no);
        Ok(acts_of(self.read(&statement).await?)?.into_iter().next())
    }

    async fn list_acts(
        &self,
        id: &CouponId,
        after: u64,
        limit_rows: u32,
    ) -> Result<Vec<LoggedAct>> {
        let sql = format!(
            "SELECT {ACT_COLUMNS} FROM acts WHERE coupon_id = $1 AND act_no > $2
             ORDER BY act_no LIMIT $3"
        );
        let statement = Statement::new(sql)
            .bind(id.as_str())
            .bind(stored::<_, i64>(after)?)
            .bind(i64::from(limit_rows));
        let acts = all::<ActRow, KeyedAct>(self.read(&statement).await?)?.into_iter();
        Ok(acts.map(|KeyedAct { act, recorded_at, .. }| LoggedAct { act, recorded_at }).collect())
    }

    async fn unrecorded_acts(
        &self,
        now: UnixMs,
        after: Option<&CouponId>,
        limit_rows: u32,
    ) -> Result<Vec<Act>> {
        let sql = format!(
            "SELECT {ACT_COLUMNS} FROM acts WHERE state = 'intended' AND coupon_id > $1
                 AND intended_at_ms NOT BETWEEN $2 AND $3
             ORDER BY coupon_id LIMIT $4"
        );
        let statement = Statement::new(sql)
            .bind(after.map_or("", CouponId::as_str))
            .bind(now.0.saturating_sub(YOUNG_MS))
            .bind(now.0.saturating_add(YOUNG_MS))
            .bind(i64::from(limit_rows));
        acts_of(self.read(&statement).await?)
    }

    async fn cancel_tickets(
        &self,
        id: &CouponId,
        serials: &[Serial],
        who: Who,
        at: UnixMs,
    ) -> Result<Cancelled> {
        self.call(|| cancel_tickets(self, id, serials, who, at)).await
    }
}

async fn intend<D: Dialect>(database: &D, new: &NewAct) -> Result<Intended> {
    let mut transaction = database.begin().await?;
    let Some(coupon) = coupons::lock::<D>(&mut transaction, &new.coupon_id).await? else {
        return Ok(Intended::Unknown);
    };
    let acts = acts_that_decide::<D>(&mut transaction, new).await?;
    if let Some(refusal) = decide::refusal(new, &coupon, acts)? {
        return Ok(refusal);
    }
    let act = insert::<D>(&mut transaction, new, &coupon).await?;
    transaction.commit().await?;
    Ok(Intended::New(act))
}

/// The acts of the coupon that have the same idempotency key, are intended, or have number 1.
async fn acts_that_decide<D: Dialect>(
    transaction: &mut Transaction<D>,
    new: &NewAct,
) -> Result<Vec<KeyedAct>> {
    let sql = format!(
        "SELECT {ACT_COLUMNS} FROM acts
         WHERE coupon_id = $1 AND (idempotency_key = $2 OR state = 'intended' OR act_no = 1)"
    );
    let statement = Statement::new(sql)
        .bind(new.coupon_id.as_str())
        .bind(new.idempotency_key.as_ref().map(|key| key.as_str()));
    all::<ActRow, _>(D::read_in(transaction, &statement).await?)
}

/// Writes the coupon's next act. The caller has locked the row and has found no refusal.
async fn insert<D: Dialect>(
    transaction: &mut Transaction<D>,
    new: &NewAct,
    coupon: &Coupon,
) -> Result<Act> {
    let (act, state) = decide::next_act(new, coupon);
    let act_no: i64 = stored(act.act_no)?;
    let arguments = change_text(&act.change)?;
    let statement = Statement::new(
        "INSERT INTO acts
             (coupon_id, act_no, kind, arguments, idempotency_key, who, intended_at_ms)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(act.coupon_id.as_str())
    .bind(act_no)
    .bind(act.change.word())
    .bind(arguments.as_str())
    .bind(new.idempotency_key.as_ref().map(|key| key.as_str()))
    .bind(new.who.word())
    .bind(new.at.0);
    D::write_in(transaction, &statement).await?;
    let statement = Statement::new("UPDATE coupons SET act_no = $2, state = $3 WHERE id = $1")
        .bind(act.coupon_id.as_str())
        .bind(act_no)
        .bind(state.word());
    D::write_in(transaction, &statement).await?;
    Ok(act)
}

async fn record<D: Dialect>(database: &D, act: &Act, result: &ActResult) -> Result<bool> {
    let mut transaction = database.begin().await?;
    let coupon = coupons::lock::<D>(&mut transaction, &act.coupon_id).await?;
    let sql = format!(
        "UPDATE acts SET state = $3, result = $4, recorded_at_ms = {}
         WHERE coupon_id = $1 AND act_no = $2 AND state = 'intended'",
        D::NOW_MS
    );
    let text = result.to_string();
    let statement = Statement::new(sql)
        .bind(act.coupon_id.as_str())
        .bind(stored::<_, i64>(act.act_no)?)
        .bind(state_word(Some(result)))
        .bind(text.as_str());
    if D::write_in(&mut transaction, &statement).await? == 0 {
        return recorded_before::<D>(&mut transaction, act).await.map(|()| false);
    }
    if let (Some(coupon), ActResult::Applied(applied)) = (coupon, result) {
        let is_changed = applied.version > coupon.version;
        let after = decide::after(coupon, &act.change, applied);
        coupons::update::<D>(&mut transaction, &after).await?;
        let id = &act.coupon_id;
        match act.change {
            Change::Release => recoveries::release::<D>(&mut transaction, id, act.act_no).await?,
            Change::Restore { .. } if is_changed => {
                recoveries::restore::<D>(&mut transaction, id, act.act_no).await?;
            }
            _ => {}
        }
    }
    transaction.commit().await?;
    Ok(true)
}

/// Called when no intended act was found to record: it was recorded before, or the database lost
/// its row.
async fn recorded_before<D: Dialect>(transaction: &mut Transaction<D>, act: &Act) -> Result<()> {
    let sql = "SELECT EXISTS (SELECT 1 FROM acts WHERE coupon_id = $1 AND act_no = $2)";
    let act_no: i64 = stored(act.act_no)?;
    let statement = Statement::new(sql).bind(act.coupon_id.as_str()).bind(act_no);
    let (stands,) = only(D::read_in(transaction, &statement).await?)?;
    if stands { Ok(()) } else { Err(Error::Corrupt("act: it has no row")) }
}

fn acts_of(rows: Vec<ActRow>) -> Result<Vec<Act>> {
    Ok(all::<_, KeyedAct>(rows)?.into_iter().map(|keyed| keyed.act).collect())
}

async fn cancel_tickets<D: Dialect>(
    database: &D,
    id: &CouponId,
    serials: &[Serial],
    who: Who,
    at: UnixMs,
) -> Result<Cancelled> {
    let mut transaction = database.begin().await?;
    let cancelled = cancel_in::<D>(&mut transaction, id, serials, who, at).await?;
    if matches!(cancelled, Cancelled::Done { act: Some(_), .. }) {
        transaction.commit().await?;
    }
    Ok(cancelled)
}

/// Cancels tickets within a transaction.
pub(super) async fn cancel_in<D: Dialect>(
    transaction: &mut Transaction<D>,
    id: &CouponId,
    serials: &[Serial],
    who: Who,
    at: UnixMs,
) -> Result<Cancelled> {
    let coupon = coupons::lock::<D>(transaction, id).await?;
    let Some(coupon) = coupon.filter(|coupon| coupon.state != State::Draft) else {
        return Ok(Cancelled::Done { act: None, unknown: serials.to_vec() });
    };
    if coupon.state == State::Archived {
        return Ok(Cancelled::Archived);
    }
    let rows = tickets::find_all::<D>(transaction, id, serials).await?;
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
        who,
        at,
    };
    let acts = acts_that_decide::<D>(transaction, &new).await?;
    match decide::refusal(&new, &coupon, acts)? {
        None => {}
        Some(Intended::Busy(act)) => return Ok(Cancelled::Busy(act)),
        Some(_) => return Err(Error::Corrupt("act")),
    }
    tickets::cancel::<D>(transaction, id, &cancelled, at).await?;
    let act = insert::<D>(transaction, &new, &coupon).await?;
    Ok(Cancelled::Done { act: Some(act), unknown })
}
