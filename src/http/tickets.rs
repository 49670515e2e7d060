//! Tickets after they were issued: a user's own, one by its id, and cancelling one.

use actix_web::{HttpResponse, web};

use super::bodies::{CancelledBody, RankedBody, RestoredBody, TicketPage, uncached};
use super::extract::{Admin, Json, NoBody, Page, TicketPath};
use super::problem::Problem;
use super::services::Services;
use crate::auth::Caller;
use crate::domain::coupon::CouponId;
use crate::domain::ticket::Status;
use crate::domain::user::Claim;
use crate::prepare::ReceivedTicket;
use crate::settle::UserCursor;

type Answer = Result<HttpResponse, Problem>;
type Verbs = web::ThinData<Services>;

/// `GET /tickets/{ticket_id}`: the caller's own ticket; another user's ticket is a 404.
pub(super) async fn find(TicketPath(id): TicketPath, caller: Caller, verbs: Verbs) -> Answer {
    let shown = verbs.settler.find(&id, &caller.user_id).await?;
    Ok(uncached(&RankedBody::of(&shown)))
}

/// `GET /me/tickets?cursor=&limit=`: those of the caller's own tickets that have rows.
pub(super) async fn mine(page: Page, caller: Caller, verbs: Verbs) -> Answer {
    let after = page.after(read_cursor)?;
    let shown = verbs.settler.of_user(&caller.user_id, after.as_ref(), page.limit_rows).await?;
    let next_cursor = page
        .last(&shown)
        .map(|last| &last.issued)
        .map(|last| format!("{}.{}", last.ticket.coupon_id, last.ticket.claim.number()));
    let tickets = shown.iter().map(RankedBody::of).collect();
    Ok(uncached(&TicketPage { tickets, next_cursor }))
}

/// `POST /admin/tickets/{ticket_id}/cancel`: returns its stock. Repeating it changes nothing.
pub(super) async fn cancel(
    TicketPath(id): TicketPath,
    admin: Admin,
    _: NoBody,
    verbs: Verbs,
) -> Answer {
    verbs.preparer.cancel(&id, admin.who).await?;
    Ok(uncached(&CancelledBody { id, status: Status::Cancelled }))
}

/// `POST /admin/tickets/restore`: a lost ticket, as its user shows it.
pub(super) async fn restore(
    admin: Admin,
    Json(received): Json<ReceivedTicket>,
    verbs: Verbs,
) -> Answer {
    let id = verbs.preparer.restore(&received, admin.who).await?;
    Ok(uncached(&RestoredBody { id }))
}

fn read_cursor(text: &str) -> Option<UserCursor> {
    let (coupon_id, claim) = text.split_once('.')?;
    Some(UserCursor { coupon_id: CouponId::parse(coupon_id)?, claim: Claim::parse(claim)? })
}
