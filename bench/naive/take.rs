//! The script call that two of the designs make, each request its own.

use std::sync::LazyLock;

use deadpool_redis::{Connection, Pool};
use redis::{AsyncCommands, Script};

use crate::answer::Failure;

static TAKE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("take.lua")));

/// A ticket as the script gave it.
pub struct Taken {
    /// Its number; 0 is sold out.
    pub serial: i64,
    /// Whether this call took it from the stock.
    pub is_new: bool,
}

/// Takes a ticket for a user, through a connection of the pool; `stream` gets what was taken.
pub async fn take(
    pool: &Pool,
    coupon_id: &str,
    user_id: &str,
    stream: Option<&str>,
) -> Result<Taken, Failure> {
    let mut connection = pool.get().await?;
    let mut call = TAKE.key(coupon_key(coupon_id));
    call.key(holders_key(coupon_id)).arg(user_id);
    if let Some(stream) = stream {
        call.key(stream);
    }
    let (serial, is_new) = call.invoke_async(&mut connection).await?;
    Ok(Taken { serial, is_new })
}

/// Puts a coupon with all its stock into Redis.
pub async fn create(pool: &Pool, coupon_id: &str, total: i64) -> Result<(), Failure> {
    let mut connection: Connection = pool.get().await?;
    let fields = [("stock", total), ("total", total)];
    connection.hset_multiple::<_, _, _, ()>(coupon_key(coupon_id), &fields).await?;
    Ok(())
}

/// What the counter says is issued, and how many users hold a ticket.
pub async fn counts(pool: &Pool, coupon_id: &str) -> Result<(i64, i64), Failure> {
    let mut connection = pool.get().await?;
    let ((stock, total), holders): ((i64, i64), i64) = redis::pipe()
        .atomic()
        .hmget(coupon_key(coupon_id), &["stock", "total"])
        .hlen(holders_key(coupon_id))
        .query_async(&mut connection)
        .await?;
    Ok((total - stock, holders))
}

fn coupon_key(coupon_id: &str) -> String {
    format!("naive:{{{coupon_id}}}:coupon")
}

fn holders_key(coupon_id: &str) -> String {
    format!("naive:{{{coupon_id}}}:holders")
}
