//! The usual ways to issue a coupon, to be measured beside `firstcome` and never to be used: one
//! script call through a pool of connections, the same with a synchronous insert, and the row lock.
//!
//! They are built as one would build them with care: release profile, as many actix workers, a
//! small answer, no log, prepared statements, pools of the size that measured best. Each gives a
//! user one ticket, the same again when asked again, and never more than there are; what they do
//! not have is said where they stand.
//!
//! `LISTEN`, `REDIS_URL`, `DATABASE_URL` and `WORKERS` are given by `bench/run`.

mod answer;
mod insert;
mod pool;
mod row_lock;
mod take;

use std::env;
use std::error::Error;

use actix_web::{App, HttpServer, rt, web};
use deadpool_redis::{Manager, Pool, Runtime};
use mimalloc::MiMalloc;
use sqlx::postgres::PgPoolOptions;

/// Of 8, 32 and 256 connections 32 gave the most requests a second.
const REDIS_CONNECTIONS: usize = 32;
/// More of them only wait for each other's locks and for the disk.
const POSTGRES_CONNECTIONS: u32 = 16;

/// As the server has it, so that designs are compared and not allocators.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> Result<(), Box<dyn Error>> {
    rt::System::new().block_on(serve())
}

async fn serve() -> Result<(), Box<dyn Error>> {
    let manager = Manager::new(env::var("REDIS_URL")?)?;
    let redis =
        Pool::builder(manager).max_size(REDIS_CONNECTIONS).runtime(Runtime::Tokio1).build()?;
    let postgres = PgPoolOptions::new()
        .max_connections(POSTGRES_CONNECTIONS)
        // sqlx would ask whether the connection still lives, a round trip for each request.
        .test_before_acquire(false)
        .connect(&env::var("DATABASE_URL")?)
        .await?;
    insert::create_tables(&postgres).await?;

    let workers = env::var("WORKERS")?.parse()?;
    let app = move || {
        App::new()
            .app_data(web::Data::new(redis.clone()))
            .app_data(web::Data::new(postgres.clone()))
            .route("/healthz", web::get().to(answer::healthy))
            .service(web::scope("/pool").configure(pool::routes))
            .service(web::scope("/insert").configure(insert::routes))
            .service(web::scope("/row_lock").configure(row_lock::routes))
    };
    HttpServer::new(app).workers(workers).bind(env::var("LISTEN")?)?.run().await?;
    Ok(())
}
