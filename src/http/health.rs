//! Health, readiness and metrics.

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use actix_web::{HttpResponse, web};

use super::services::Services;

/// `GET /healthz`: the process answers. Benchmarks take this constant reply as the upper limit.
pub(super) async fn healthz() -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, HeaderValue::from_static("application/json")))
        .insert_header((CACHE_CONTROL, HeaderValue::from_static("no-store")))
        .body(r#"{"status":"ok"}"#)
}

/// `GET /readyz`: whether this process should get requests, and the reasons if not.
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
