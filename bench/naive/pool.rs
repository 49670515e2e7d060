//! The usual counter in Redis: one EVALSHA for each request, each through a connection of a pool.
//! What was issued goes into a stream that some worker would write down later.
//!
//! The pool asks for a sign of life each time it gives a connection, so a request is two round
//! trips, and nothing is shared between two requests.

use actix_web::{HttpRequest, HttpResponse, web};
use deadpool_redis::Pool;

use crate::answer::{self, Outcome};
use crate::take::{self, Taken};

/// Create, issue, audit.
pub fn routes(config: &mut web::ServiceConfig) {
    config
        .route("/coupons/{id}/{total}", web::put().to(create))
        .route("/coupons/{id}/issue", web::get().to(issue))
        .route("/coupons/{id}/audit", web::get().to(audit));
}

async fn create(pool: web::Data<Pool>, path: web::Path<(String, i64)>) -> HttpResponse {
    let (coupon_id, total) = path.into_inner();
    answer::created(take::create(&pool, &coupon_id, total).await)
}

async fn issue(
    pool: web::Data<Pool>,
    coupon_id: web::Path<String>,
    request: HttpRequest,
) -> HttpResponse {
    let taken =
        take::take(&pool, &coupon_id, answer::user_id(&request), Some("naive:records")).await;
    answer::answer(taken.map(|Taken { serial, .. }| match serial {
        0 => Outcome::SoldOut,
        serial => Outcome::Ticket(serial),
    }))
}

async fn audit(pool: web::Data<Pool>, coupon_id: web::Path<String>) -> HttpResponse {
    answer::audit(take::counts(&pool, &coupon_id).await)
}
