//! `firstcome reconcile`: how Redis and the database differ, and a recovery by hand.

use std::collections::BTreeSet;

use super::confirm::confirm;
use super::coupon::{coupon_id, of_draft, preloaded};
use super::output::{Form, Output, say, show_each, show_table};
use crate::app::{Context, Failure, recover};
use crate::domain::coupon::CouponId;
use crate::observe::{Difference, Kind};
use crate::recover::Mandate;

/// What `reconcile` does.
#[derive(clap::Args)]
pub(super) struct Reconcile {
    /// These coupons; all of them without an ID
    #[arg(value_parser = coupon_id)]
    ids: Vec<CouponId>,
    /// Recover: put back what one side has and the other lacks
    #[arg(long)]
    apply: bool,
    /// Take this Redis as the right one, whatever the doubt is, and recover; says what may be lost,
    /// and asks
    #[arg(long)]
    accept_generation: bool,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
    #[command(flatten)]
    output: Output,
}

impl Reconcile {
    /// Shows the differences; recovers if that was asked for, and shows what is left.
    ///
    /// # Errors
    /// [`Failure::Refused`] while there is a difference, or while this life of Redis is in doubt.
    pub(super) async fn perform(self, context: &Context) -> Result<(), Failure> {
        let form = self.output.form();
        let ids = match self.ids.is_empty() {
            true => preloaded(context).await?,
            false => self.ids,
        };
        let mut found = differences(context, &ids).await?;
        show(form, &found)?;
        if self.accept_generation {
            confirm(&what_may_be_lost(context, &ids).await?, self.yes)?;
        }
        let mandate = match (self.accept_generation, self.apply) {
            (true, _) => Some(Mandate::Accept),
            (false, true) => Some(Mandate::Safe),
            (false, false) => None,
        };
        if let Some(mandate) = mandate {
            recover(context, mandate, recoverable(&found), |sentence| eprintln!("{sentence}"))
                .await?;
            found = differences(context, &ids).await?;
            show(form, &found)?;
        }
        if let Some(doubt) = context.observer.doubt() {
            return Err(Failure::Refused(format!("this life of Redis is not proven: {doubt}")));
        }
        let differ = found.iter().filter(|difference| difference.kind != Kind::Withheld).count();
        match (differ, mandate) {
            (0, _) if form == Form::Table => say("Redis and the database have the same tickets"),
            (0, _) => Ok(()),
            (_, None) => Err(Failure::Refused(
                "Redis and the database differ; `firstcome reconcile --apply` recovers".to_owned(),
            )),
            (_, Some(_)) => Err(Failure::Refused("Redis and the database still differ".to_owned())),
        }
    }
}

async fn differences(context: &Context, ids: &[CouponId]) -> Result<Vec<Difference>, Failure> {
    let mut found = Vec::new();
    for id in ids {
        match context.observer.differences(id).await {
            Ok(differences) => found.extend(differences),
            Err(error) => return Err(of_draft(context, id, error.into()).await),
        }
    }
    Ok(found)
}

/// The coupons that a recovery mends. One with an act that differs is left to the operator: the
/// recovery goes by the acts in the database. A serial that nobody has stays one, and stock that is
/// withheld is released by an act.
fn recoverable(found: &[Difference]) -> Vec<CouponId> {
    let with = |wanted: fn(Kind) -> bool| -> BTreeSet<&CouponId> {
        let wanted = found.iter().filter(|difference| wanted(difference.kind));
        wanted.map(|difference| &difference.coupon_id).collect()
    };
    let diverged = with(|kind| kind == Kind::DivergedAct);
    let differ = with(|kind| !matches!(kind, Kind::SerialGap | Kind::Withheld));
    differ.difference(&diverged).map(|id| (*id).clone()).collect()
}

/// The question before a Redis is taken as the right one.
async fn what_may_be_lost(context: &Context, ids: &[CouponId]) -> Result<String, Failure> {
    let mut coupons = Vec::new();
    for id in ids {
        let unknown = context.observer.without_row_at_most(id).await?;
        coupons.push(format!("{unknown} of {id}"));
    }
    let coupons = if coupons.is_empty() { "none".to_owned() } else { coupons.join(", ") };
    Ok(format!(
        "Tickets that were told, and that neither the database nor this Redis nor a running server \
         has, are lost: at most {coupons}. Their users are told sold out, or get other tickets; no \
         serial is given twice. Stop every server that uses another Redis first. Take this Redis?"
    ))
}

fn show(form: Form, found: &[Difference]) -> Result<(), Failure> {
    if form != Form::Table {
        return show_each(form, found);
    }
    if found.is_empty() {
        return Ok(());
    }
    let header = ["COUPON", "KIND", "COUNT", "FOR EXAMPLE"].map(str::to_owned).to_vec();
    let lines = found.iter().map(|difference| {
        vec![
            difference.coupon_id.to_string(),
            difference.kind.word().to_owned(),
            difference.count.to_string(),
            difference.example.clone(),
        ]
    });
    show_table(std::iter::once(header).chain(lines))
}
