//! `GET /admin/coupons/{id}/winners?format=`: streams the winners.

use actix_web::http::Method;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use actix_web::{HttpResponse, web};
use futures_util::stream::unfold;

use super::extract::{CouponPath, ExportFormat};
use super::problem::Problem;
use super::services::Services;
use crate::settle::{Export, Format};

const XLSX: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";

/// Streams the export. An error in the middle aborts the transfer, so that half an export cannot
/// look like a whole one.
pub(super) async fn winners(
    CouponPath(id): CouponPath,
    ExportFormat(format): ExportFormat,
    method: Method,
    services: web::ThinData<Services>,
) -> Result<HttpResponse, Problem> {
    let coupon = services.preparer.find(&id).await?;
    let (media_type, extension) = match format {
        Format::Csv | Format::CsvExcel => ("text/csv; charset=utf-8", "csv"),
        Format::Ndjson => ("application/x-ndjson", "ndjson"),
        Format::Xlsx => (XLSX, "xlsx"),
    };
    let file_name = format!("attachment; filename=\"{id}-winners.{extension}\"");
    let mut export = Export::of(services.settler.clone(), coupon, format);
    // The body of a HEAD is never sent, so nothing is read for it. A failure before the first
    // bytes can still be answered with a problem.
    let first = match method {
        Method::HEAD => None,
        _ => export.next_page().await?,
    };
    let pages = unfold((first, export), |(page, mut export)| async move {
        let page = page?;
        match export.next_page().await {
            Ok(next) => Some((Ok(web::Bytes::from(page)), (next, export))),
            Err(error) => {
                tracing::warn!(%error, "an export was cut off");
                Some((Err(error), (None, export)))
            }
        }
    });
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, media_type))
        .insert_header((CONTENT_DISPOSITION, file_name))
        .insert_header((CACHE_CONTROL, "no-store"))
        .streaming(pages))
}
