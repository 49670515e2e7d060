//! `GET /admin/coupons/{id}/winners?format=csv|ndjson`: the winners, streamed.

use actix_web::http::Method;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use actix_web::{HttpRequest, HttpResponse, web};
use futures_util::stream::unfold;

use super::Services;
use super::coupons::coupon_id;
use super::identity::parameter;
use super::problem::{Code, Problem};
use crate::settle::Format;

/// Streams the export. An error in the middle cuts the transfer off, so that half an export cannot
/// look like a whole one.
pub(super) async fn winners(
    request: HttpRequest,
    services: web::ThinData<Services>,
) -> Result<HttpResponse, Problem> {
    let id = coupon_id(&request)?;
    let word = parameter(request.query_string(), "format")?;
    let format = Format::from_word(word.as_deref().unwrap_or("csv"))
        .ok_or_else(|| Problem::new(Code::InvalidQuery, "format must be csv or ndjson."))?;
    let coupon = services.preparer.find(&id).await?;
    let (media_type, extension) = match format {
        Format::Csv => ("text/csv; charset=utf-8", "csv"),
        Format::Ndjson => ("application/x-ndjson", "ndjson"),
    };
    let file_name = format!("attachment; filename=\"{id}-winners.{extension}\"");
    // The body of a HEAD is never sent, so no page is read for it.
    let export = match *request.method() {
        Method::HEAD => None,
        _ => Some(services.settler.export(coupon, format)),
    };
    let pages = unfold(export, |next| async move {
        let mut export = next?;
        match export.next_page().await {
            Ok(Some(bytes)) => Some((Ok(web::Bytes::from(bytes)), Some(export))),
            Ok(None) => None,
            Err(error) => {
                tracing::warn!(%error, "an export was cut off");
                Some((Err(error), None))
            }
        }
    });
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, media_type))
        .insert_header((CONTENT_DISPOSITION, file_name))
        .insert_header((CACHE_CONTROL, "no-store"))
        .streaming(pages))
}
