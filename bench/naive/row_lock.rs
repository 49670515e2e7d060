//! The usual way without Redis: one transaction takes the stock from the coupon's row and inserts
//! the ticket. It is correct, and the row's lock lets one request after the other commit.

use actix_web::{HttpRequest, HttpResponse, web};
use sqlx::PgPool;

use crate::answer::{self, Failure, Outcome};

/// Create, issue, audit.
pub fn routes(config: &mut web::ServiceConfig) {
    config
        .route("/coupons/{id}/{total}", web::put().to(create))
        .route("/coupons/{id}/issue", web::get().to(issue))
        .route("/coupons/{id}/audit", web::get().to(audit));
}

async fn create(postgres: web::Data<PgPool>, path: web::Path<(String, i64)>) -> HttpResponse {
    let (coupon_id, total) = path.into_inner();
    let insert = "INSERT INTO naive_coupons (id, total, stock) VALUES ($1, $2, $2)";
    let made = sqlx::query(insert).bind(coupon_id).bind(total).execute(&**postgres).await;
    answer::created(made.map(drop).map_err(Failure::from))
}

async fn issue(
    postgres: web::Data<PgPool>,
    coupon_id: web::Path<String>,
    request: HttpRequest,
) -> HttpResponse {
    answer::answer(take(&postgres, &coupon_id, answer::user_id(&request)).await)
}

async fn take(postgres: &PgPool, coupon_id: &str, user_id: &str) -> Result<Outcome, Failure> {
    let mut transaction = postgres.begin().await?;
    let serial: Option<i64> = sqlx::query_scalar(
        "UPDATE naive_coupons SET stock = stock - 1 WHERE id = $1 AND stock > 0 \
         RETURNING total - stock",
    )
    .bind(coupon_id)
    .fetch_optional(&mut *transaction)
    .await?;
    let Some(serial) = serial else {
        transaction.rollback().await?;
        return held(postgres, coupon_id, user_id).await;
    };
    let inserted = sqlx::query(
        "INSERT INTO naive_tickets (coupon_id, serial, user_id) VALUES ($1, $2, $3) \
         ON CONFLICT (user_id, coupon_id) DO NOTHING",
    )
    .bind(coupon_id)
    .bind(serial)
    .bind(user_id)
    .execute(&mut *transaction)
    .await?;
    if inserted.rows_affected() == 0 {
        transaction.rollback().await?;
        return held(postgres, coupon_id, user_id).await;
    }
    transaction.commit().await?;
    Ok(Outcome::Ticket(serial))
}

/// The ticket that the user has already, or none.
async fn held(postgres: &PgPool, coupon_id: &str, user_id: &str) -> Result<Outcome, Failure> {
    let select = "SELECT serial FROM naive_tickets WHERE coupon_id = $1 AND user_id = $2";
    let serial = sqlx::query_scalar(select).bind(coupon_id).bind(user_id);
    let serial = serial.fetch_optional(postgres).await?;
    Ok(serial.map_or(Outcome::SoldOut, Outcome::Ticket))
}

async fn audit(postgres: web::Data<PgPool>, coupon_id: web::Path<String>) -> HttpResponse {
    // One statement sees one instant.
    let counts = sqlx::query_as(
        "SELECT total - stock, (SELECT count(*) FROM naive_tickets WHERE coupon_id = id) \
         FROM naive_coupons WHERE id = $1",
    );
    let counts = counts.bind(coupon_id.as_str()).fetch_one(&**postgres).await;
    answer::audit(counts.map_err(Failure::from))
}
