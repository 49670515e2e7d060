//! The usual counter with a row before the answer: Redis takes the stock, then the request inserts
//! its ticket into PostgreSQL and only then answers. A crash between the two loses the stock.

use actix_web::{HttpRequest, HttpResponse, web};
use deadpool_redis::Pool;
use sqlx::PgPool;

use crate::answer::{self, Failure, Outcome};
use crate::take::{self, Taken};

/// Create, issue, audit.
pub fn routes(config: &mut web::ServiceConfig) {
    config
        .route("/coupons/{id}/{total}", web::put().to(create))
        .route("/coupons/{id}/issue", web::get().to(issue))
        .route("/coupons/{id}/audit", web::get().to(audit));
}

/// The tables that this design and the row lock share.
pub async fn create_tables(postgres: &PgPool) -> Result<(), Failure> {
    sqlx::raw_sql(
        "CREATE TABLE IF NOT EXISTS naive_coupons \
           (id text PRIMARY KEY, total bigint NOT NULL, stock bigint NOT NULL); \
         CREATE TABLE IF NOT EXISTS naive_tickets \
           (coupon_id text, serial bigint, user_id text NOT NULL, \
            issued_at timestamptz NOT NULL DEFAULT now(), \
            PRIMARY KEY (coupon_id, serial), UNIQUE (user_id, coupon_id))",
    )
    .execute(postgres)
    .await?;
    Ok(())
}

async fn create(redis: web::Data<Pool>, path: web::Path<(String, i64)>) -> HttpResponse {
    let (coupon_id, total) = path.into_inner();
    answer::created(take::create(&redis, &coupon_id, total).await)
}

async fn issue(
    redis: web::Data<Pool>,
    postgres: web::Data<PgPool>,
    coupon_id: web::Path<String>,
    request: HttpRequest,
) -> HttpResponse {
    let user_id = answer::user_id(&request);
    answer::answer(take_and_insert(&redis, &postgres, &coupon_id, user_id).await)
}

async fn take_and_insert(
    redis: &Pool,
    postgres: &PgPool,
    coupon_id: &str,
    user_id: &str,
) -> Result<Outcome, Failure> {
    let Taken { serial, is_new } = take::take(redis, coupon_id, user_id, None).await?;
    if serial == 0 {
        return Ok(Outcome::SoldOut);
    }
    if is_new {
        let insert = "INSERT INTO naive_tickets (coupon_id, serial, user_id) VALUES ($1, $2, $3)";
        sqlx::query(insert).bind(coupon_id).bind(serial).bind(user_id).execute(postgres).await?;
    }
    Ok(Outcome::Ticket(serial))
}

async fn audit(
    redis: web::Data<Pool>,
    postgres: web::Data<PgPool>,
    coupon_id: web::Path<String>,
) -> HttpResponse {
    let counts = async {
        // The rows first: what is counted after them is never less than they are.
        let rows = sqlx::query_scalar("SELECT count(*) FROM naive_tickets WHERE coupon_id = $1");
        let rows = rows.bind(coupon_id.as_str()).fetch_one(&**postgres).await?;
        let (issued, _) = take::counts(&redis, &coupon_id).await?;
        Ok((issued, rows))
    };
    answer::audit(counts.await)
}
