//! `GET /admin/coupons/{id}/winners?format=csv|ndjson`: every ticket with its status, in the order
//! of the serials, page by page, so that a million of them need no more memory than a thousand.

use actix_web::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use actix_web::{HttpRequest, HttpResponse, web};
use futures_util::stream::unfold;

use super::Services;
use super::coupons::coupon_id;
use super::identity::parameter;
use super::problem::{Code, Problem};
use super::tickets::TicketBody;
use crate::domain::coupon::Coupon;
use crate::domain::limits::PAGE_MAX_ROWS;
use crate::domain::ticket::Serial;
use crate::settle::Shown;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    Csv,
    Ndjson,
}

/// A spreadsheet would run a cell that begins like this.
const FORMULA_STARTS: [char; 4] = ['=', '+', '-', '@'];

/// Streams the export. An error in the middle cuts the transfer off, so that half an export cannot
/// look like a whole one.
pub(super) async fn winners(
    request: HttpRequest,
    services: web::ThinData<Services>,
) -> Result<HttpResponse, Problem> {
    let id = coupon_id(&request)?;
    let format = match parameter(request.query_string(), "format")?.as_deref() {
        None | Some("csv") => Format::Csv,
        Some("ndjson") => Format::Ndjson,
        Some(_) => return Err(Problem::new(Code::InvalidQuery, "format must be csv or ndjson.")),
    };
    let coupon = services.preparer.find(&id).await?;
    let (media_type, extension) = match format {
        Format::Csv => ("text/csv; charset=utf-8", "csv"),
        Format::Ndjson => ("application/x-ndjson", "ndjson"),
    };
    let file_name = format!("attachment; filename=\"{id}-winners.{extension}\"");
    let services = services.0;
    let pages = unfold(Some((Serial(0), services, coupon)), move |next| async move {
        let (after, services, coupon) = next?;
        match page(&services, &coupon, after, format).await {
            Ok((bytes, Some(last))) => Some((Ok(bytes), Some((last, services, coupon)))),
            Ok((bytes, None)) if bytes.is_empty() => None,
            Ok((bytes, None)) => Some((Ok(bytes), None)),
            Err(error) => {
                tracing::warn!(%error, "an export was cut off");
                Some((Err(actix_web::error::ErrorInternalServerError(error)), None))
            }
        }
    });
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, media_type))
        .insert_header((CONTENT_DISPOSITION, file_name))
        .insert_header((CACHE_CONTROL, "no-store"))
        .streaming(pages))
}

/// One page as bytes, and the last serial when more may follow.
async fn page(
    services: &Services,
    coupon: &Coupon,
    after: Serial,
    format: Format,
) -> anyhow::Result<(web::Bytes, Option<Serial>)> {
    let shown = services.settler.of_coupon(coupon, after, PAGE_MAX_ROWS).await?;
    let bytes = match format {
        Format::Csv => csv(&shown, after == Serial(0))?,
        Format::Ndjson => ndjson(&shown)?,
    };
    let is_full = shown.len() == PAGE_MAX_ROWS as usize;
    let last = shown.last().filter(|_| is_full).map(|shown| shown.ticket.serial);
    Ok((web::Bytes::from(bytes), last))
}

fn ndjson(page: &[Shown]) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    for shown in page {
        serde_json::to_writer(&mut bytes, &TicketBody::of_shown(shown))?;
        bytes.push(b'\n');
    }
    Ok(bytes)
}

fn csv(page: &[Shown], with_header: bool) -> anyhow::Result<Vec<u8>> {
    let mut writer = csv::WriterBuilder::new().from_writer(Vec::new());
    if with_header {
        writer.write_record([
            "id",
            "coupon_id",
            "user_id",
            "serial",
            "claim",
            "code",
            "receipt",
            "issued_at",
            "expires_at",
            "status",
        ])?;
    }
    for shown in page {
        let ticket = TicketBody::of_shown(shown);
        writer.write_record([
            &ticket.id.to_string(),
            ticket.coupon_id.as_str(),
            &cell(ticket.user_id),
            &ticket.serial.to_string(),
            &ticket.claim.to_string(),
            ticket.code,
            ticket.receipt,
            &ticket.issued_at.to_string(),
            &ticket.expires_at.map(|at| at.to_string()).unwrap_or_default(),
            shown.status.word(),
        ])?;
    }
    Ok(writer.into_inner().map_err(|error| error.into_error())?)
}

/// A user id that a spreadsheet would take for a formula gets an apostrophe; NDJSON is exact.
fn cell(user_id: &str) -> String {
    match user_id.starts_with(FORMULA_STARTS) {
        true => format!("'{user_id}"),
        false => user_id.to_owned(),
    }
}
