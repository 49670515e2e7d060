//! The bodies that only HTTP uses; those of coupons and acts are shared with the command line.

use actix_web::HttpResponse;
use actix_web::http::header::{CACHE_CONTROL, HeaderValue};
use serde::{Deserialize, Deserializer, Serialize};

use crate::domain::issued_ticket::TicketBody;
use crate::domain::ticket::{Status, TicketId};
use crate::domain::time::{UnixMs, ValidFor};
use crate::prepare::Patch;
use crate::settle::Ranked;

/// How many tickets a restock adds, or removes when negative.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RestockBody {
    pub(super) delta: i64,
}

/// Why a dead letter is dropped.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DropBody {
    pub(super) reason: String,
}

/// An absent field stays as it is; `null` removes an optional field.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PatchBody {
    #[serde(default, deserialize_with = "present")]
    name: Option<String>,
    #[serde(default, deserialize_with = "present")]
    total: Option<u64>,
    #[serde(default, deserialize_with = "present")]
    per_user_limit: Option<u8>,
    #[serde(default, deserialize_with = "present")]
    valid_for: Option<Option<ValidFor>>,
    #[serde(default, deserialize_with = "present")]
    opens_at: Option<Option<UnixMs>>,
    #[serde(default, deserialize_with = "present")]
    closes_at: Option<Option<UnixMs>>,
}

fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

impl From<PatchBody> for Patch {
    fn from(body: PatchBody) -> Self {
        let PatchBody { name, total, per_user_limit, valid_for, opens_at, closes_at } = body;
        Self { name, total, valid_for, per_user_limit, opens_at, closes_at }
    }
}

/// A ticket that its user has again.
#[derive(Serialize)]
pub(super) struct RestoredBody {
    pub(super) id: TicketId,
}

/// A ticket as its user sees it later: with its place among all tickets of its coupon.
#[derive(Serialize)]
pub(super) struct RankedBody<'a> {
    #[serde(flatten)]
    ticket: TicketBody<'a>,
    rank: Option<u64>,
}

impl<'a> RankedBody<'a> {
    pub(super) fn of(ranked: &'a Ranked) -> Self {
        Self { ticket: ranked.issued.body(), rank: ranked.rank }
    }
}

/// One page of a user's tickets.
#[derive(Serialize)]
pub(super) struct TicketPage<'a> {
    pub(super) tickets: Vec<RankedBody<'a>>,
    pub(super) next_cursor: Option<String>,
}

/// A ticket after it was cancelled.
#[derive(Serialize)]
pub(super) struct CancelledBody {
    pub(super) id: TicketId,
    pub(super) status: Status,
}

/// A response with a JSON body that no cache may store.
pub(super) fn uncached(body: &impl Serialize) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, HeaderValue::from_static("no-store")))
        .json(body)
}
