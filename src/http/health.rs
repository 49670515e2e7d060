//! Health, readiness, metrics, and the page for whoever opens a listener in a browser.

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use actix_web::{HttpResponse, web};

use super::Services;

const PUBLIC_PAGE: &str = "firstcome: N tickets, whoever comes first.

  GET|POST /coupons/{id}/issue   one ticket, or why not; X-User-Id says who asks
  GET      /coupons/{id}         state, remaining, opens_at, server_time
  GET      /coupons/{id}/audit   the balance at this instant
  GET      /me/tickets           the caller's own tickets
  GET      /tickets/{ticket_id}  one of them
  GET      /healthz  /readyz
";

const ADMIN_PAGE: &str = "firstcome: the admin listener. Every path under /admin takes
Authorization: Bearer <admin token>.

  POST /admin/coupons                  {\"id\":\"summer\",\"name\":\"Summer\",\"total\":10000}
  POST /admin/coupons/{id}/preload     puts it into Redis: from now on it can be issued
  GET  /admin/coupons  /admin/coupons/{id}  /admin/coupons/{id}/stats
  PATCH /admin/coupons/{id}            window, limit per user, name; a draft at will
  POST /admin/coupons/{id}/restock     {\"delta\":500} with an Idempotency-Key
  POST /admin/coupons/{id}/pause  /resume  /close
  GET  /admin/coupons/{id}/winners?format=csv|ndjson|xlsx|csv-excel
  POST /admin/tickets/{ticket_id}/cancel
  DELETE /admin/coupons/{id}           a draft
  GET  /metrics  /healthz  /readyz

The first three commands:

  firstcome coupon create summer --total 10000
  firstcome coupon preload summer
  curl -H 'X-User-Id: u1' http://127.0.0.1:8080/coupons/summer/issue
";

/// `GET /healthz`: the process answers. The constant reply that benchmarks take as the ceiling.
pub(super) async fn healthz() -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, HeaderValue::from_static("application/json")))
        .insert_header((CACHE_CONTROL, HeaderValue::from_static("no-store")))
        .body(r#"{"status":"ok"}"#)
}

/// `GET /readyz`: whether requests should come, with the reasons when not.
pub(super) async fn readyz(services: web::ThinData<Services>) -> HttpResponse {
    let readiness = services.observer.readiness();
    let mut response = match readiness.ready {
        true => HttpResponse::Ok(),
        false => HttpResponse::ServiceUnavailable(),
    };
    response
        .insert_header((CACHE_CONTROL, HeaderValue::from_static("no-store")))
        .insert_header(("Firstcome-Durability", HeaderValue::from_static(readiness.durability)))
        .json(readiness)
}

/// `GET /metrics`, in the text format of Prometheus.
pub(super) async fn metrics(services: web::ThinData<Services>) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8"))
        .body(services.metrics.render())
}

/// `GET /` of the public listener.
pub(super) async fn public_page() -> HttpResponse {
    page(PUBLIC_PAGE)
}

/// `GET /` of the admin listener.
pub(super) async fn admin_page() -> HttpResponse {
    page(ADMIN_PAGE)
}

fn page(text: &'static str) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8")))
        .body(text)
}
