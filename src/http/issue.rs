//! `GET` and `POST /coupons/{id}/issue`: one handler, one script, one answer.
//!
//! A `GET` that changes something is made safe here: it is idempotent, never cached, takes its
//! user from a header and never from a cookie, and refuses what a browser or a proxy sends
//! although nobody asked for it (prefetch, early data, `HEAD`).

use std::cell::RefCell;

use actix_web::http::Method;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse};

use super::extract::{caller, invalid_coupon_id, parameter};
use super::problem::{Code, Problem, response_of};
use super::ticket_body::ticket_body;
use crate::domain::coupon::CouponId;
use crate::domain::generation::Durability;
use crate::domain::issued_ticket::IssuedTicket;
use crate::domain::limits::PUBLIC_BODY_MAX_BYTES;
use crate::domain::outcome::{Outcome, OutcomeWord};
use crate::domain::user::Claim;
use crate::issue::Issuer;

static REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
static DURABILITY: HeaderName = HeaderName::from_static("firstcome-durability");

const SOLD_OUT: Code = Code::Outcome(OutcomeWord::SoldOut);

/// The coupon of which a request wants a ticket; `None` when only the table of routes can tell.
pub(super) fn coupon_of(request: &HttpRequest) -> Option<CouponId> {
    if !matches!(*request.method(), Method::GET | Method::POST) {
        return None;
    }
    let id = request.path().strip_prefix("/coupons/")?.strip_suffix("/issue")?;
    CouponId::parse(id)
}

/// A request that the table of routes found: its path may be escaped, or its id malformed.
pub(super) async fn issue_routed(request: HttpRequest) -> HttpResponse {
    if let Some(coupon_id) = CouponId::parse(request.match_info().query("id")) {
        return issue(&request, coupon_id).await;
    }
    let refusal = refuse_unasked(request.headers()).err();
    refusal.unwrap_or_else(invalid_coupon_id).response()
}

/// Issues one ticket, or says why not.
pub(super) async fn issue(request: &HttpRequest, coupon_id: CouponId) -> HttpResponse {
    match admitted(request, &coupon_id).await {
        Ok(outcome) => response(&coupon_id, &outcome),
        Err(problem) => problem.response(),
    }
}

async fn admitted(request: &HttpRequest, coupon_id: &CouponId) -> Result<Outcome, Problem> {
    refuse_unasked(request.headers())?;
    let claim = match request.query_string() {
        "" => Claim::FIRST,
        query => claim(query)?,
    };
    let caller = caller(request)?;
    let Some(issuer) = request.app_data::<Issuer>() else {
        return Err(Problem::new(Code::Internal, "This listener issues no tickets."));
    };
    Ok(issuer.issue(coupon_id, caller, claim).await)
}

/// Without the parameter a request always means claim 1, so that a retry never takes a second
/// ticket.
fn claim(query: &str) -> Result<Claim, Problem> {
    match parameter(query, "claim")? {
        None => Ok(Claim::FIRST),
        Some(text) => Claim::parse(&text)
            .ok_or_else(|| Problem::new(Code::InvalidClaim, "claim must be 1..=100.")),
    }
}

/// Every request pays for this: one look at each header is cheaper than a search for five of them.
fn refuse_unasked(headers: &HeaderMap) -> Result<(), Problem> {
    let says = |value: &HeaderValue, word: &str| {
        value.to_str().is_ok_and(|value| value.to_ascii_lowercase().contains(word))
    };
    let (mut is_prefetch, mut is_early, mut body_bytes) = (false, false, 0);
    for (name, value) in headers {
        match name.as_str() {
            "sec-purpose" | "purpose" | "x-moz" => is_prefetch |= says(value, "prefetch"),
            "early-data" => is_early |= says(value, "1"),
            "content-length" => {
                body_bytes = value.to_str().ok().and_then(|text| text.parse().ok()).unwrap_or(0);
            }
            _ => {}
        }
    }
    if is_prefetch {
        let detail = "A prefetch gets no ticket; send the request when the user asks for it.";
        return Err(Problem::new(Code::SpeculativeRequest, detail));
    }
    if is_early {
        let detail = "Early data can be replayed by others; retry after the handshake.";
        return Err(Problem::new(Code::TooEarly, detail));
    }
    if body_bytes > PUBLIC_BODY_MAX_BYTES {
        let detail =
            format!("This path takes no body; up to {PUBLIC_BODY_MAX_BYTES} bytes are ignored.");
        return Err(Problem::new(Code::BodyTooLarge, detail));
    }
    Ok(())
}

/// The answer for an outcome, whose word decides status and title.
fn response(coupon_id: &CouponId, outcome: &Outcome) -> HttpResponse {
    let detail = match outcome {
        Outcome::Issued { ticket, durability } => return told(ticket, *durability, "false"),
        Outcome::Replayed { ticket, durability } => return told(ticket, *durability, "true"),
        Outcome::SoldOut { total } => return sold_out(coupon_id, *total),
        Outcome::NotOpen { opens_at, .. } => format!("{coupon_id} opens at {opens_at}."),
        Outcome::Closed => format!("{coupon_id} is closed."),
        Outcome::Paused => format!("{coupon_id} is paused."),
        Outcome::UserLimitReached { per_user_limit } => {
            format!(
                "The limit of {coupon_id} is {per_user_limit} per user; this claim is above it."
            )
        }
        Outcome::TicketCancelled => {
            format!("This ticket of {coupon_id} was cancelled; its claim cannot be used again.")
        }
        Outcome::CouponNotFound => format!("There is no coupon {coupon_id}."),
        Outcome::OutcomeUnknown => {
            "The ticket may have been issued. Retry: the answer will be exact.".to_owned()
        }
        Outcome::Overloaded => "Too many requests are waiting. No ticket was issued.".to_owned(),
        Outcome::Recovering => "Issuing is interrupted. No ticket is lost; retry later.".to_owned(),
        Outcome::BacklogFull => {
            "Too many tickets are waiting for the database. No ticket was issued.".to_owned()
        }
    };
    let problem = Problem::new(Code::Outcome(outcome.into()), detail).of_coupon(coupon_id);
    match outcome {
        Outcome::NotOpen { opens_at, opens_in_ms } => problem.opening(*opens_at, *opens_in_ms),
        _ => problem,
    }
    .response()
}

/// Nearly everybody gets this same answer, so the last body is kept for the next request.
fn sold_out(coupon_id: &CouponId, total: u64) -> HttpResponse {
    thread_local! {
        static LAST: RefCell<Option<(CouponId, u64, Bytes)>> = const { RefCell::new(None) };
    }
    let last = LAST.with_borrow(|last| match last {
        Some((id, of, body)) if id == coupon_id && *of == total => Some(body.clone()),
        _ => None,
    });
    let body = last.unwrap_or_else(|| {
        let detail = format!("All {total} tickets of {coupon_id} are taken.");
        let body = Problem::new(SOLD_OUT, detail).of_coupon(coupon_id).body();
        LAST.set(Some((coupon_id.clone(), total, body.clone())));
        body
    });
    response_of(SOLD_OUT, body)
}

/// The same ticket always has the same body, byte for byte; a header says whether it is a replay.
fn told(ticket: &IssuedTicket, durability: Durability, is_replay: &'static str) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, HeaderValue::from_static("application/json")))
        .insert_header((CACHE_CONTROL, HeaderValue::from_static("no-store")))
        .insert_header((REPLAYED.clone(), HeaderValue::from_static(is_replay)))
        .insert_header((DURABILITY.clone(), HeaderValue::from_static(durability.word())))
        .body(ticket_body(ticket))
}
