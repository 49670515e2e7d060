//! The arguments of `firstcome coupon …`, and how they are read.

use clap::Args;

use crate::cli::output::Output;
use crate::domain::coupon::{CouponId, Definition, Kind, Supply};
use crate::domain::time::{INSTANT_FORM, UnixMs, ValidFor};
use crate::settle::{FORMATS, Format};

/// The arguments for a new coupon.
#[derive(Args)]
pub(in crate::cli) struct New {
    /// Its id, [A-Za-z0-9_-]{1,64}
    #[arg(value_parser = coupon_id)]
    id: CouponId,
    /// Tickets in all, 1..=10^9
    #[arg(long, value_name = "N")]
    total: u64,
    /// Its name for people [default: the id]
    #[arg(long, value_name = "TEXT")]
    name: Option<String>,
    /// Tickets that one user may hold, 1..=100
    #[arg(long, default_value_t = 1, value_name = "N")]
    per_user_limit: u8,
    /// First instant at which tickets are issued, RFC 3339
    #[arg(long, value_parser = instant, value_name = "TIME")]
    opens_at: Option<UnixMs>,
    /// First instant at which no ticket is issued any more, RFC 3339
    #[arg(long, value_parser = instant, value_name = "TIME")]
    closes_at: Option<UnixMs>,
    /// How long a ticket is valid, ISO 8601 (P7D, PT12H)
    #[arg(long, value_parser = duration, value_name = "TIME")]
    valid_for: Option<ValidFor>,
    /// Preload it too, so that its tickets can be issued
    #[arg(long)]
    pub(super) open: bool,
    #[command(flatten)]
    pub(super) output: Output,
}

impl New {
    /// The definition that the arguments give.
    pub(super) fn definition(self) -> Definition {
        Definition {
            name: self.name.unwrap_or_else(|| self.id.to_string()),
            id: self.id,
            total: self.total,
            per_user_limit: self.per_user_limit,
            opens_at: self.opens_at,
            closes_at: self.closes_at,
            valid_for: self.valid_for,
            kind: Kind::FirstCome,
            supply: Supply::Counter,
        }
    }
}

/// The arguments of a verb that shows a coupon.
#[derive(Args)]
pub(in crate::cli) struct Shown {
    /// The coupon
    #[arg(value_parser = coupon_id)]
    pub(super) id: CouponId,
    #[command(flatten)]
    pub(super) output: Output,
}

/// The arguments of a verb that stops a coupon.
#[derive(Args)]
pub(in crate::cli) struct Stopped {
    #[command(flatten)]
    pub(super) shown: Shown,
    /// Stop it in Redis at once; the database is written afterwards and may be away
    #[arg(long)]
    pub(super) now: bool,
}

/// A limit of a window: an instant, or none.
#[derive(Debug, Clone, Copy)]
pub(in crate::cli) struct Edge(pub(super) Option<UnixMs>);

/// The id of a coupon.
pub(in crate::cli) fn coupon_id(text: &str) -> Result<CouponId, String> {
    CouponId::parse(text).ok_or_else(|| "must match [A-Za-z0-9_-]{1,64}".to_owned())
}

fn instant(text: &str) -> Result<UnixMs, String> {
    UnixMs::parse(text).ok_or_else(|| format!("must be {INSTANT_FORM}"))
}

pub(super) fn instant_or_none(text: &str) -> Result<Edge, String> {
    if text == "none" { Ok(Edge(None)) } else { instant(text).map(|at| Edge(Some(at))) }
}

fn duration(text: &str) -> Result<ValidFor, String> {
    ValidFor::parse(text).ok_or_else(|| "must be an ISO 8601 duration such as P7D".to_owned())
}

pub(super) fn format(text: &str) -> Result<Format, String> {
    Format::from_word(text).ok_or_else(|| format!("must be {FORMATS}"))
}
