//! Tickets after they were issued: a user's own, one by its id, and cancelling one.

use actix_web::http::header::{CACHE_CONTROL, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;

use super::Services;
use super::edge::no_body;
use super::identity::{caller, parameter};
use super::problem::{Code, Problem};
use crate::domain::coupon::CouponId;
use crate::domain::limits::{PAGE_DEFAULT_ROWS, PAGE_MAX_ROWS};
use crate::domain::ticket::{Status, TicketId};
use crate::domain::told::Told;
use crate::domain::user::Claim;
use crate::domain::who::Who;
use crate::settle::{Shown, UserCursor};

#[derive(Serialize)]
struct TicketPage<'a> {
    tickets: Vec<Told<'a>>,
    next_cursor: Option<String>,
}

/// `GET /tickets/{ticket_id}`: the caller's own; everybody else's is 404.
pub(super) async fn find(
    request: HttpRequest,
    services: web::ThinData<Services>,
) -> Result<HttpResponse, Problem> {
    let id = ticket_id(&request)?;
    let user_id = caller(&request)?.user_id;
    let shown = services.settler.find(&id, &user_id).await?;
    Ok(private(&shown.told()))
}

/// `GET /me/tickets?cursor=&limit=`: the caller's own tickets that have rows.
pub(super) async fn mine(
    request: HttpRequest,
    services: web::ThinData<Services>,
) -> Result<HttpResponse, Problem> {
    let query = request.query_string();
    let after = match parameter(query, "cursor")? {
        Some(text) => Some(read_cursor(&text).ok_or_else(|| {
            Problem::new(Code::InvalidQuery, "cursor must be the next_cursor of a page before.")
        })?),
        None => None,
    };
    let limit_rows = limit(query)?;
    let user_id = caller(&request)?.user_id;
    let shown = services.settler.of_user(&user_id, after.as_ref(), limit_rows).await?;
    let next = shown.last().filter(|_| shown.len() == limit_rows as usize);
    let page = TicketPage {
        next_cursor: next
            .map(|last| format!("{}.{}", last.ticket.coupon_id, last.ticket.claim.number())),
        tickets: shown.iter().map(Shown::told).collect(),
    };
    Ok(private(&page))
}

/// `POST /admin/tickets/{ticket_id}/cancel`: gives its stock back. Repeating it changes nothing.
pub(super) async fn cancel(
    request: HttpRequest,
    payload: web::Payload,
    services: web::ThinData<Services>,
) -> Result<HttpResponse, Problem> {
    let id = ticket_id(&request)?;
    no_body(payload).await?;
    services.preparer.cancel(&id, Who::Admin).await?;
    Ok(private(&serde_json::json!({ "id": id, "status": Status::Cancelled })))
}

/// `limit` of a page: 1..=1000, 100 when absent.
pub(super) fn limit(query: &str) -> Result<u32, Problem> {
    let Some(text) = parameter(query, "limit")? else { return Ok(PAGE_DEFAULT_ROWS) };
    let limit = text.parse().ok().filter(|limit| (1..=PAGE_MAX_ROWS).contains(limit));
    limit.ok_or_else(|| {
        Problem::new(Code::InvalidQuery, format!("limit must be 1..={PAGE_MAX_ROWS}."))
    })
}

/// A JSON body that no cache may keep.
pub(super) fn private(body: &impl Serialize) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, HeaderValue::from_static("no-store")))
        .json(body)
}

fn ticket_id(request: &HttpRequest) -> Result<TicketId, Problem> {
    TicketId::parse(request.match_info().query("ticket_id"))
        .ok_or_else(|| Problem::new(Code::InvalidTicketId, "A ticket id is <coupon_id>.<serial>."))
}

fn read_cursor(text: &str) -> Option<UserCursor> {
    let (coupon_id, claim) = text.split_once('.')?;
    Some(UserCursor { coupon_id: CouponId::parse(coupon_id)?, claim: Claim::parse(claim)? })
}
