//! `firstcome audit`: does the balance hold, now or for as long as somebody watches?

use std::time::Duration;

use serde::Serialize;
use tokio::time::{MissedTickBehavior, interval};

use super::coupon::{coupon_id, of_draft, preloaded};
use super::output::{Form, Output, is_unread, show, show_each, show_table};
use crate::app::{Context, Failure, told_to_stop};
use crate::domain::coupon::CouponId;
use crate::observe;

/// What `audit` checks, and how often.
#[derive(clap::Args)]
pub(super) struct Audit {
    /// The coupon
    #[arg(value_parser = coupon_id, required_unless_present = "all")]
    id: Option<CouponId>,
    /// All coupons but drafts
    #[arg(long, conflicts_with = "id")]
    all: bool,
    /// Check again every so many seconds, until Ctrl-C [1]
    #[arg(
        long,
        value_name = "SECONDS",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "1",
        value_parser = clap::value_parser!(u64).range(1..=3_600)
    )]
    watch: Option<u64>,
    #[command(flatten)]
    output: Output,
}

/// The balances of several coupons.
#[derive(Serialize)]
struct Audits {
    audits: Vec<observe::Audit>,
}

impl Audit {
    /// Shows the balances, once or again and again.
    ///
    /// # Errors
    /// [`Failure::Refused`] with all faults that were seen.
    pub(super) async fn perform(self, context: &Context) -> Result<(), Failure> {
        let Some(seconds) = self.watch else { return judged(self.look(context).await?) };
        let mut faults: Vec<String> = Vec::new();
        let mut rounds = interval(Duration::from_secs(seconds));
        rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let ended = told_to_stop()?;
        tokio::pin!(ended);
        loop {
            let is_ended = tokio::select! {
                () = &mut ended => true,
                _ = rounds.tick() => is_unread()?,
            };
            if is_ended {
                return judged(faults);
            }
            for fault in self.look(context).await? {
                if !faults.contains(&fault) {
                    faults.push(fault);
                }
            }
        }
    }

    /// Shows the balances, and returns their faults.
    async fn look(&self, context: &Context) -> Result<Vec<String>, Failure> {
        let form = self.output.form();
        if let Some(id) = &self.id {
            let audit = match context.observer.audit(id).await {
                Ok(audit) => audit,
                Err(error) => return Err(of_draft(context, id, error.into()).await),
            };
            match (form, self.watch) {
                (Form::Json, Some(_)) => show_each(Form::Jsonl, std::slice::from_ref(&audit))?,
                _ => show(form, &audit)?,
            }
            return Ok(audit.faults);
        }
        let mut audits = Vec::new();
        for id in preloaded(context).await? {
            match context.observer.audit(&id).await {
                Ok(audit) => audits.push(audit),
                Err(error) => return Err(of_draft(context, &id, error.into()).await),
            }
        }
        match (form, self.watch) {
            (Form::Table, _) => show_table(lines(&audits))?,
            (Form::Json, None) => show(form, &Audits { audits: audits.clone() })?,
            (Form::Json, Some(_)) => show_each(Form::Jsonl, &audits)?,
            (form, _) => show_each(form, &audits)?,
        }
        let told = |audit: observe::Audit| {
            let id = audit.coupon_id;
            audit.faults.into_iter().map(move |fault| format!("{id}: {fault}"))
        };
        Ok(audits.into_iter().flat_map(told).collect())
    }
}

fn judged(faults: Vec<String>) -> Result<(), Failure> {
    if faults.is_empty() { Ok(()) } else { Err(Failure::Refused(faults.join("; "))) }
}

fn lines(audits: &[observe::Audit]) -> impl Iterator<Item = Vec<String>> {
    let header =
        ["ID", "OK", "ISSUED", "REMAINING", "TOTAL", "BACKLOG", "CONTESTED", "EPOCH", "AS OF"];
    let lines = audits.iter().map(|audit| {
        vec![
            audit.coupon_id.to_string(),
            if audit.ok { "yes" } else { "NO" }.to_owned(),
            audit.issued.to_string(),
            audit.remaining.to_string(),
            audit.total.to_string(),
            audit.backlog.to_string(),
            audit.contested.to_string(),
            audit.epoch.to_string(),
            audit.as_of.to_string(),
        ]
    });
    std::iter::once(header.map(str::to_owned).to_vec()).chain(lines)
}
