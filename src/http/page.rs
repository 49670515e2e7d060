//! `GET /coupons/{id}`: the page that everybody reloads before an opening.

use std::cell::RefCell;
use std::sync::Arc;

use actix_web::http::Method;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use actix_web::web::{Bytes, ThinData};
use actix_web::{HttpRequest, HttpResponse};

use super::extract::CouponPath;
use super::problem::{Code, Problem, written};
use super::services::Services;
use crate::domain::coupon::CouponId;
use crate::domain::time::UnixMs;
use crate::observe::Page;

/// The coupon whose page a request wants; `None` if only the table of routes can tell.
pub(super) fn coupon_of(request: &HttpRequest) -> Option<CouponId> {
    if *request.method() != Method::GET {
        return None;
    }
    CouponId::parse(request.path().strip_prefix("/coupons/")?)
}

/// A request that the table of routes found: its path may be escaped, or its id malformed.
pub(super) async fn page_routed(
    CouponPath(coupon_id): CouponPath,
    request: HttpRequest,
) -> HttpResponse {
    page(&request, &coupon_id).await
}

/// The public data of a coupon.
pub(super) async fn page(request: &HttpRequest, coupon_id: &CouponId) -> HttpResponse {
    let Some(services) = request.app_data::<ThinData<Services>>() else {
        return Problem::new(Code::Internal, "This listener shows no coupons.").response();
    };
    match services.observer.page(coupon_id).await {
        Ok(page) => HttpResponse::Ok()
            .insert_header((CONTENT_TYPE, HeaderValue::from_static("application/json")))
            .insert_header((CACHE_CONTROL, HeaderValue::from_static("no-store")))
            .body(body(page)),
        Err(error) => Problem::from(&*error).response(),
    }
}

/// The body at this instant. `server_time` is in milliseconds, and a busy worker answers many
/// requests per millisecond, so the last body is kept and sent again.
fn body(page: Arc<Page>) -> Bytes {
    thread_local! {
        static LAST: RefCell<Option<(Arc<Page>, UnixMs, Bytes)>> = const { RefCell::new(None) };
    }
    let server_time = page.server_time();
    let last = LAST.with_borrow(|last| match last {
        Some((of, at, body)) if Arc::ptr_eq(of, &page) && *at == server_time => Some(body.clone()),
        _ => None,
    });
    last.unwrap_or_else(|| {
        let body = Bytes::from(written(&page.at(server_time)));
        LAST.set(Some((page, server_time, body.clone())));
        body
    })
}
