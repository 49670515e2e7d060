//! `firstcome coupon …`.

mod arguments;
mod shown;

use std::io::Write as _;

use clap::Subcommand;

pub(super) use self::arguments::coupon_id;

use self::arguments::{Edge, New, Shown, Stopped, format, instant_or_none};
use super::confirm::confirm;
use super::output::{Form, Output, say, show, unless_left};
use crate::app::{Context, Database, Failure};
use crate::domain::act::Change;
use crate::domain::coupon::{CouponId, State};
use crate::domain::idempotency_key::IdempotencyKey;
use crate::domain::limits::PAGE_MAX_ROWS;
use crate::domain::who::Who;
use crate::prepare::{Patch, Request};
use crate::settle::{Export, Format};

/// What can be done with coupons.
#[derive(Subcommand)]
pub(super) enum Verb {
    /// Create a draft; with --open, preload it too
    Create(New),
    /// Load a draft into Redis, so that its tickets can be issued
    Preload(Shown),
    /// List all coupons
    List(Output),
    /// Show one coupon
    Show(Shown),
    /// Show one coupon's balance, and count its rows one by one
    Stats(Shown),
    /// List one coupon's acts: who changed what, and when
    Log(Shown),
    /// Change the window or the limit per user; `none` removes an instant
    Window {
        #[command(flatten)]
        shown: Shown,
        /// First instant at which tickets are issued, RFC 3339, or none
        #[arg(long, value_parser = instant_or_none, value_name = "TIME")]
        opens_at: Option<Edge>,
        /// First instant at which no ticket is issued any more, RFC 3339, or none
        #[arg(long, value_parser = instant_or_none, value_name = "TIME")]
        closes_at: Option<Edge>,
        /// Tickets that one user may hold, 1..=100
        #[arg(long, value_name = "N")]
        per_user_limit: Option<u8>,
    },
    /// Add stock (500) or remove it (-500), never below the tickets that users have
    Restock {
        #[command(flatten)]
        shown: Shown,
        /// Tickets
        #[arg(allow_negative_numbers = true)]
        delta: i64,
        /// Idempotency key: a second command with the same key changes nothing
        #[arg(long, value_name = "KEY")]
        idempotency_key: Option<String>,
    },
    /// Pause issuing
    Pause(Stopped),
    /// Resume issuing
    Resume(Shown),
    /// End issuing, which cannot be undone; asks first
    Close {
        #[command(flatten)]
        stopped: Stopped,
        /// Do not ask
        #[arg(short, long)]
        yes: bool,
    },
    /// Release the stock that a recovery withheld; asks first
    Release {
        #[command(flatten)]
        shown: Shown,
        /// Do not ask
        #[arg(short, long)]
        yes: bool,
    },
    /// Take a closed coupon out of Redis now, and keep it in the database only; asks first
    Archive {
        #[command(flatten)]
        shown: Shown,
        /// Do not ask
        #[arg(short, long)]
        yes: bool,
    },
    /// Delete a draft
    Delete(Id),
    /// Export every ticket in the order of the serials
    Winners {
        /// The coupon
        #[arg(value_parser = coupon_id)]
        id: CouponId,
        /// csv or ndjson for programs, xlsx or csv-excel for spreadsheets
        #[arg(long, default_value = "csv", value_parser = format)]
        format: Format,
    },
}

impl Verb {
    /// A coupon can be stopped at once even while the database is away: `--now` exists for that.
    pub(super) fn database(&self) -> Database {
        match self {
            Self::Pause(stopped) | Self::Close { stopped, .. } if stopped.now => Database::Optional,
            _ => Database::Needed,
        }
    }

    /// Asks before an action that cannot be undone.
    pub(super) fn confirm(&self) -> Result<(), Failure> {
        let (question, effect, yes) = match self {
            Self::Close { stopped, yes } => (
                format!("Close {}?", stopped.shown.id),
                "This cannot be undone, and nobody gets a ticket of it afterwards.",
                *yes,
            ),
            Self::Release { shown, yes } => (
                format!("Release the withheld stock of {}?", shown.id),
                "Users whose tickets were lost cannot get them afterwards.",
                *yes,
            ),
            Self::Archive { shown, yes } => (
                format!("Archive {}?", shown.id),
                "No ticket of it can be cancelled or restored afterwards.",
                *yes,
            ),
            _ => return Ok(()),
        };
        confirm(&format!("{question} {effect}"), yes)
    }
}

/// The argument of a verb that needs only an id.
#[derive(clap::Args)]
pub(super) struct Id {
    /// The coupon
    #[arg(value_parser = coupon_id)]
    id: CouponId,
}

/// Runs the verb.
pub(super) async fn perform(context: &Context, verb: Verb) -> Result<(), Failure> {
    let preparer = &context.preparer;
    match verb {
        Verb::Create(new) => {
            let (form, is_opened) = (new.output.form(), new.open);
            let mut coupon = preparer.create(new.definition()).await?;
            if is_opened {
                coupon = preparer.preload(&coupon.definition.id, Who::Cli).await?;
            }
            shown::coupon(context, &coupon, form).await
        }
        Verb::Preload(Shown { id, output }) => {
            shown::coupon(context, &preparer.preload(&id, Who::Cli).await?, output.form()).await
        }
        Verb::List(output) => shown::list(context, output.form()).await,
        Verb::Show(Shown { id, output }) => {
            shown::coupon(context, &preparer.find(&id).await?, output.form()).await
        }
        Verb::Stats(Shown { id, output }) => match context.observer.stats(&id).await {
            Ok(stats) => show(output.form(), &stats),
            Err(error) => Err(of_draft(context, &id, error.into()).await),
        },
        Verb::Log(Shown { id, output }) => shown::log(context, &id, output.form()).await,
        Verb::Window { shown: Shown { id, output }, opens_at, closes_at, per_user_limit } => {
            let patch = Patch {
                per_user_limit,
                opens_at: opens_at.map(|edge| edge.0),
                closes_at: closes_at.map(|edge| edge.0),
                ..Patch::default()
            };
            let coupon = preparer.patch(&id, &patch, &asked(None)?).await?;
            shown::coupon(context, &coupon, output.form()).await
        }
        Verb::Restock { shown: Shown { id, output }, delta, idempotency_key } => {
            let request = asked(idempotency_key.as_deref())?;
            match preparer.restock(&id, delta, &request).await {
                Ok(applied) => {
                    let change = Change::Restock { delta };
                    shown::applied(&id, &change, None, applied, output.form())
                }
                Err(refusal) => Err(of_draft(context, &id, refusal.into()).await),
            }
        }
        Verb::Pause(Stopped { shown, now }) => {
            change_state(context, shown, Change::Pause, now).await
        }
        Verb::Resume(shown) => change_state(context, shown, Change::Resume, false).await,
        Verb::Close { stopped: Stopped { shown, now }, .. } => {
            change_state(context, shown, Change::Close, now).await
        }
        Verb::Release { shown: Shown { id, output }, .. } => {
            match preparer.release(&id, &asked(None)?).await {
                Ok(applied) => shown::applied(&id, &Change::Release, None, applied, output.form()),
                Err(refusal) => Err(of_draft(context, &id, refusal.into()).await),
            }
        }
        Verb::Archive { shown: Shown { id, output }, .. } => {
            context.archiver().archive(&id).await?;
            shown::coupon(context, &preparer.find(&id).await?, output.form()).await
        }
        Verb::Delete(Id { id }) => {
            preparer.delete(&id).await?;
            say(format_args!("{id} is deleted"))
        }
        Verb::Winners { id, format } => winners(context, &id, format).await,
    }
}

async fn change_state(
    context: &Context,
    Shown { id, output }: Shown,
    change: Change,
    redis_first: bool,
) -> Result<(), Failure> {
    let form = output.form();
    // The version before is needed only for the sentence to people, and a `--now` waits for no
    // database.
    let before = match redis_first || form != Form::Table {
        true => None,
        false => context.preparer.find(&id).await.ok().map(|coupon| coupon.version),
    };
    let request = asked(None)?;
    let changed = context.preparer.change_state(&id, change.clone(), &request, redis_first).await;
    match changed {
        Ok(applied) => shown::applied(&id, &change, before, applied, form),
        Err(refusal) => Err(of_draft(context, &id, refusal.into()).await),
    }
}

async fn winners(context: &Context, id: &CouponId, format: Format) -> Result<(), Failure> {
    let coupon = context.preparer.find(id).await?;
    let mut export = Export::of(context.settler.clone(), coupon, format);
    let mut output = std::io::stdout().lock();
    while let Some(bytes) = export.next_page().await? {
        if let Err(error) = output.write_all(&bytes) {
            return unless_left(Err(error));
        }
    }
    unless_left(output.flush())
}

fn asked(idempotency_key: Option<&str>) -> Result<Request, Failure> {
    let malformed = || Failure::Usage("the idempotency key is malformed".to_owned());
    let key = idempotency_key
        .map(|text| IdempotencyKey::parse(text).ok_or_else(malformed))
        .transpose()?;
    Ok(Request { idempotency_key: key, ..Request::by(Who::Cli) })
}

/// All coupons but drafts.
pub(super) async fn preloaded(context: &Context) -> Result<Vec<CouponId>, Failure> {
    let (mut ids, mut after) = (Vec::new(), None);
    loop {
        let page = context.preparer.list(after.as_ref(), PAGE_MAX_ROWS).await?;
        let Some(last) = page.last() else { return Ok(ids) };
        after = Some(last.definition.id.clone());
        let live = page.into_iter().filter(|coupon| coupon.state != State::Draft);
        ids.extend(live.map(|coupon| coupon.definition.id));
    }
}

/// Replaces the failure when the coupon is a draft: the coupon is then not unknown, it only has to
/// be preloaded.
pub(super) async fn of_draft(context: &Context, id: &CouponId, failure: Failure) -> Failure {
    if !matches!(failure, Failure::NoCoupon) {
        return failure;
    }
    match context.preparer.find(id).await {
        Ok(coupon) if coupon.state == State::Draft => Failure::Refused(format!(
            "{id} is a draft; preload it first: `firstcome coupon preload {id}`"
        )),
        _ => failure,
    }
}
