//! `firstcome coupon …`.

use std::io::Write as _;

use clap::Subcommand;

use super::{coupon_id, print_json, say, unless_left};
use crate::app::{Database, Failure, House};
use crate::domain::act::{Applied, Change};
use crate::domain::coupon::{Coupon, CouponId, Definition, Kind, Supply};
use crate::domain::idempotency_key::IdempotencyKey;
use crate::domain::limits::PAGE_MAX_ROWS;
use crate::domain::time::{INSTANT_FORM, UnixMs, ValidFor};
use crate::domain::who::Who;
use crate::prepare::{Patch, Request};
use crate::settle::{FORMATS, Format};

/// What can be done with coupons.
#[derive(Subcommand)]
pub(super) enum Verb {
    /// Create a draft
    Create {
        /// Its id, [A-Za-z0-9_-]{1,64}
        #[arg(value_parser = coupon_id)]
        id: CouponId,
        /// Tickets in all, 1..=10^9
        #[arg(long)]
        total: u64,
        /// Its name for people [default: the id]
        #[arg(long)]
        name: Option<String>,
        /// Tickets that one user may hold, 1..=100
        #[arg(long, default_value_t = 1)]
        per_user_limit: u8,
        /// First instant of issuing, RFC 3339
        #[arg(long, value_parser = instant)]
        opens_at: Option<UnixMs>,
        /// First instant after issuing, RFC 3339
        #[arg(long, value_parser = instant)]
        closes_at: Option<UnixMs>,
        /// How long a ticket is valid, ISO 8601 (P7D, PT12H)
        #[arg(long, value_parser = duration)]
        valid_for: Option<ValidFor>,
    },
    /// Put a draft into Redis; from now on it can be issued
    Preload(Id),
    /// All coupons
    List,
    /// One coupon
    Show(Id),
    /// One coupon's balance with its rows, counted one by one
    Stats(Id),
    /// Move the window, or the limit per user; `none` removes an instant
    Window {
        /// The coupon
        #[arg(value_parser = coupon_id)]
        id: CouponId,
        /// First instant of issuing, RFC 3339, or none
        #[arg(long, value_parser = instant_or_none)]
        opens_at: Option<Edge>,
        /// First instant after issuing, RFC 3339, or none
        #[arg(long, value_parser = instant_or_none)]
        closes_at: Option<Edge>,
        /// Tickets that one user may hold, 1..=100
        #[arg(long)]
        per_user_limit: Option<u8>,
    },
    /// Give stock (500) or take it away (-500), never below what is out
    Restock {
        /// The coupon
        #[arg(value_parser = coupon_id)]
        id: CouponId,
        /// Tickets
        #[arg(allow_negative_numbers = true)]
        delta: i64,
        /// Repeating the command with the same key is harmless
        #[arg(long)]
        idempotency_key: Option<String>,
    },
    /// Interrupt issuing
    Pause {
        /// The coupon
        #[arg(value_parser = coupon_id)]
        id: CouponId,
        /// Stop it in Redis at once; the database is written afterwards and may be away
        #[arg(long)]
        now: bool,
    },
    /// Go on issuing
    Resume(Id),
    /// End issuing for good
    Close {
        /// The coupon
        #[arg(value_parser = coupon_id)]
        id: CouponId,
        /// Stop it in Redis at once; the database is written afterwards and may be away
        #[arg(long)]
        now: bool,
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
    /// A coupon is stopped at once also while the database is away: that is what it is for.
    pub(super) fn database(&self) -> Database {
        match self {
            Self::Pause { now: true, .. } | Self::Close { now: true, .. } => Database::Optional,
            _ => Database::Needed,
        }
    }
}

/// A coupon's id.
#[derive(clap::Args)]
pub(super) struct Id {
    /// The coupon
    #[arg(value_parser = coupon_id)]
    id: CouponId,
}

/// An edge of a window: an instant, or none.
#[derive(Debug, Clone, Copy)]
pub(super) struct Edge(Option<UnixMs>);

/// Does what the verb says.
pub(super) async fn perform(house: &House, verb: Verb) -> Result<(), Failure> {
    let preparer = &house.preparer;
    match verb {
        Verb::Create { id, total, name, per_user_limit, opens_at, closes_at, valid_for } => {
            let name = name.unwrap_or_else(|| id.to_string());
            let (kind, supply) = (Kind::FirstCome, Supply::Counter);
            let definition = Definition {
                id,
                name,
                total,
                per_user_limit,
                opens_at,
                closes_at,
                valid_for,
                kind,
                supply,
            };
            show(house, &preparer.create(definition).await?).await
        }
        Verb::Preload(Id { id }) => show(house, &preparer.preload(&id, Who::Cli).await?).await,
        Verb::List => list(house).await,
        Verb::Show(Id { id }) => show(house, &preparer.find(&id).await?).await,
        Verb::Stats(Id { id }) => print_json(&house.observer.stats(&id).await?),
        Verb::Window { id, opens_at, closes_at, per_user_limit } => {
            let patch = Patch {
                per_user_limit,
                opens_at: opens_at.map(|edge| edge.0),
                closes_at: closes_at.map(|edge| edge.0),
                ..Patch::default()
            };
            show(house, &preparer.patch(&id, &patch, &asked(None)?).await?).await
        }
        Verb::Restock { id, delta, idempotency_key } => {
            let asked = asked(idempotency_key.as_deref())?;
            print_applied(&id, &preparer.restock(&id, delta, &asked).await?)
        }
        Verb::Pause { id, now } => change_state(house, &id, Change::Pause, now).await,
        Verb::Resume(Id { id }) => change_state(house, &id, Change::Resume, false).await,
        Verb::Close { id, now } => change_state(house, &id, Change::Close, now).await,
        Verb::Delete(Id { id }) => {
            preparer.delete(&id).await?;
            say(format_args!("{id} is deleted"))
        }
        Verb::Winners { id, format } => winners(house, &id, format).await,
    }
}

async fn change_state(
    house: &House,
    id: &CouponId,
    change: Change,
    redis_first: bool,
) -> Result<(), Failure> {
    let asked = asked(None)?;
    print_applied(id, &house.preparer.change_state(id, change, &asked, redis_first).await?)
}

async fn list(house: &House) -> Result<(), Failure> {
    let mut after = None;
    loop {
        let page = house.preparer.list(after.as_ref(), PAGE_MAX_ROWS).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some(last.definition.id.clone());
        for (coupon, state) in page.iter().zip(house.observer.states(&page).await) {
            let definition = &coupon.definition;
            let (id, total, name) = (&definition.id, definition.total, &definition.name);
            say(format_args!("{id}\t{state}\t{total}\t{name}"))?;
        }
    }
}

async fn winners(house: &House, id: &CouponId, format: Format) -> Result<(), Failure> {
    let coupon = house.preparer.find(id).await?;
    let mut export = house.settler.export(coupon, format);
    let mut output = std::io::stdout().lock();
    while let Some(bytes) = export.next_page().await? {
        if let Err(error) = output.write_all(&bytes) {
            return unless_left(Err(error));
        }
    }
    unless_left(output.flush())
}

async fn show(house: &House, coupon: &Coupon) -> Result<(), Failure> {
    let mut shown = serde_json::to_value(&coupon.definition)
        .map_err(|error| Failure::Refused(error.to_string()))?;
    shown["state"] = house.observer.state(coupon).await.into();
    shown["version"] = coupon.version.into();
    print_json(&shown)
}

fn print_applied(id: &CouponId, coupon: &Applied) -> Result<(), Failure> {
    let Applied { version, total, remaining } = coupon;
    say(format_args!("{id}: version {version}, total {total}, remaining {remaining}"))
}

fn asked(idempotency_key: Option<&str>) -> Result<Request, Failure> {
    let malformed = || Failure::Usage("the idempotency key is malformed".to_owned());
    let key = idempotency_key
        .map(|text| IdempotencyKey::parse(text).ok_or_else(malformed))
        .transpose()?;
    Ok(Request { idempotency_key: key, ..Request::by(Who::Cli) })
}

fn instant(text: &str) -> Result<UnixMs, String> {
    UnixMs::parse(text).ok_or_else(|| format!("must be {INSTANT_FORM}"))
}

fn instant_or_none(text: &str) -> Result<Edge, String> {
    if text == "none" { Ok(Edge(None)) } else { instant(text).map(|at| Edge(Some(at))) }
}

fn duration(text: &str) -> Result<ValidFor, String> {
    ValidFor::parse(text).ok_or_else(|| "must be an ISO 8601 duration such as P7D".to_owned())
}

fn format(text: &str) -> Result<Format, String> {
    Format::from_word(text).ok_or_else(|| format!("must be {FORMATS}"))
}
