//! How the verbs show coupons and the results of their acts.

use std::fmt::Display;

use crate::app::{Context, Failure};
use crate::cli::output::{Form, say, show, show_each, show_table};
use crate::domain::act::{ActResult, Applied, Change, LoggedAct, state_word};
use crate::domain::coupon::{Coupon, CouponId};
use crate::domain::coupon_body::{AppliedBody, CouponBody, CouponPage};
use crate::domain::limits::PAGE_MAX_ROWS;
use crate::domain::time::UnixMs;
use crate::prepare::{ActBody, ActPage};

/// Shows one coupon.
pub(super) async fn coupon(context: &Context, coupon: &Coupon, form: Form) -> Result<(), Failure> {
    if form == Form::Table {
        return table_of(context, std::slice::from_ref(coupon)).await;
    }
    show(form, &CouponBody::of(coupon, context.observer.state(coupon).await))
}

/// Shows all coupons.
pub(super) async fn list(context: &Context, form: Form) -> Result<(), Failure> {
    let mut coupons: Vec<Coupon> = Vec::new();
    loop {
        let after = coupons.last().map(|coupon| coupon.definition.id.clone());
        let page = context.preparer.list(after.as_ref(), PAGE_MAX_ROWS).await?;
        if page.is_empty() {
            break;
        }
        coupons.extend(page);
    }
    if form == Form::Table {
        if coupons.is_empty() {
            return say("no coupons yet; `firstcome coupon create ID --total N --open` makes one");
        }
        return table_of(context, &coupons).await;
    }
    let states = context.observer.states(&coupons).await;
    let bodies =
        coupons.iter().zip(states).map(|(coupon, state)| CouponBody::of(coupon, state.state));
    let bodies: Vec<CouponBody<'_>> = bodies.collect();
    match form {
        Form::Json => show(form, &CouponPage { coupons: bodies, next_cursor: None }),
        form => show_each(form, &bodies),
    }
}

async fn table_of(context: &Context, coupons: &[Coupon]) -> Result<(), Failure> {
    let header =
        ["ID", "STATE", "ISSUED", "REMAINING", "TOTAL", "OPENS AT", "CLOSES AT", "VERSION", "NAME"];
    let states = context.observer.states(coupons).await;
    let lines = coupons.iter().zip(states).map(|(coupon, now)| {
        let definition = &coupon.definition;
        vec![
            definition.id.to_string(),
            now.state.to_owned(),
            or_dash(now.issued),
            or_dash(now.remaining),
            definition.total.to_string(),
            or_dash(definition.opens_at),
            or_dash(definition.closes_at),
            coupon.version.to_string(),
            definition.name.clone(),
        ]
    });
    show_table(std::iter::once(header.map(str::to_owned).to_vec()).chain(lines))
}

/// Prints the result of an act; `before` is the version before it, where known.
pub(super) fn applied(
    id: &CouponId,
    change: &Change,
    before: Option<u64>,
    applied: Applied,
    form: Form,
) -> Result<(), Failure> {
    if form != Form::Table {
        return show(form, &AppliedBody::of(id, applied));
    }
    let Applied { version, total, remaining } = applied;
    let done = match (change, before == Some(version)) {
        (Change::Pause, false) => "is paused",
        (Change::Pause, true) => "was paused already",
        (Change::Resume, false) => "is resumed",
        (Change::Resume, true) => "was not paused",
        (Change::Close, false) => "is closed",
        (Change::Close, true) => "was closed already",
        (Change::Release, _) => "has its withheld stock back",
        _ => "is restocked",
    };
    say(format_args!("{id} {done} (version {version}); {remaining} of {total} remain"))
}

/// Shows the acts of a coupon.
pub(super) async fn log(context: &Context, id: &CouponId, form: Form) -> Result<(), Failure> {
    let mut acts: Vec<LoggedAct> = Vec::new();
    loop {
        let after = acts.last().map_or(0, |logged| logged.act.act_no);
        let page = context.preparer.acts(id, after, PAGE_MAX_ROWS).await?;
        if page.is_empty() {
            break;
        }
        acts.extend(page);
    }
    match form {
        Form::Table if acts.is_empty() => say(format_args!("{id} is a draft; it has no acts yet")),
        Form::Table => {
            let header = ["NO", "WHEN", "WHO", "ACT", "STATE", "VERSION", "REMAINING"];
            let header = std::iter::once(header.map(str::to_owned).to_vec());
            show_table(header.chain(acts.iter().map(line_of)))
        }
        Form::Json => {
            let acts = acts.iter().map(ActBody::of).collect();
            show(form, &ActPage { acts, next_cursor: None })
        }
        form => show_each(form, &acts.iter().map(ActBody::of).collect::<Vec<_>>()),
    }
}

fn line_of(logged: &LoggedAct) -> Vec<String> {
    let LoggedAct { act, .. } = logged;
    let what = match &act.change {
        Change::Restock { delta } => format!("restock {delta:+}"),
        Change::Window { opens_at_ms, closes_at_ms, per_user_limit } => {
            let at = |ms: &Option<i64>| ms.map_or("none".to_owned(), |ms| UnixMs(ms).to_string());
            let (opens_at, closes_at) = (at(opens_at_ms), at(closes_at_ms));
            format!("window {opens_at} to {closes_at}, {per_user_limit} per user")
        }
        Change::Return { returns } => format!("return {}", returns.len()),
        change => change.word().to_owned(),
    };
    let state = state_word(act.result.as_ref());
    let (state, applied) = match &act.result {
        Some(ActResult::Applied(applied)) => (state.to_owned(), Some(applied)),
        Some(ActResult::Refused(refusal)) => (format!("{state}: {}", refusal.word()), None),
        None => (state.to_owned(), None),
    };
    vec![
        act.act_no.to_string(),
        act.intended_at.to_string(),
        act.who.word().to_owned(),
        what,
        state,
        or_dash(applied.map(|applied| applied.version)),
        or_dash(applied.map(|applied| applied.remaining)),
    ]
}

fn or_dash(value: Option<impl Display>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}
