//! Creates many coupons at once, faster than by acts.

use firstcome::domain::coupon::CouponId;
use firstcome::redis::keys::Keys;
use sqlx::{AssertSqlSafe, Connection as _, SqliteConnection, raw_sql};

use super::site::Site;

/// Creates this many copies of a coupon in the SQLite database and in Redis, in the same shard and
/// with ids that come before its own.
pub async fn copies_before(site: &Site, id: &CouponId, count: usize) {
    let names = (0..).map(|number| CouponId::parse(&format!("a{number}")).unwrap());
    let same_shard = names.filter(|name| name.shard() == id.shard());
    let others: Vec<CouponId> = same_shard.take(count).collect();
    let values: Vec<String> = others.iter().map(|other| format!("('{other}')")).collect();
    let coupon = "name, total, per_user_limit, kind, supply, state, shard, key_id, version, act_no,
         persisted, created_at_ms";
    let act = "act_no, kind, arguments, state, result, who, intended_at_ms, recorded_at_ms";
    let values = format!("(VALUES {}) AS other", values.join(","));
    let copy = format!(
        "INSERT INTO coupons (id, {coupon})
             SELECT other.column1, {coupon} FROM coupons, {values} WHERE id = '{id}';
         INSERT INTO acts (coupon_id, {act})
             SELECT other.column1, {act} FROM acts, {values} WHERE coupon_id = '{id}';"
    );
    let mut database = SqliteConnection::connect(&site.database_url).await.unwrap();
    raw_sql(AssertSqlSafe(copy)).execute(&mut database).await.unwrap();
    database.close().await.unwrap();
    let keys = Keys::new("fc");
    let mut copies = redis::pipe();
    for other in &others {
        copies.cmd("COPY").arg(keys.coupon(id)).arg(keys.coupon(other));
        copies.cmd("COPY").arg(keys.holders(id)).arg(keys.holders(other));
    }
    let mut connection = super::redis::connect(site.redis.url()).await;
    let _: Vec<u64> = copies.query_async(&mut connection).await.unwrap();
}
