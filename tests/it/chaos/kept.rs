//! What both stores have at the end.

use std::collections::HashMap;

use firstcome::domain::coupon::CouponId;
use firstcome::redis::holders::HeldTicket;
use serde_json::Value;

use crate::support::eventually::eventually_ok;
use crate::support::exact::winners;
use crate::support::redis::{PrivateRedis, connect};
use crate::support::server::Server;

/// The rows of the database, the held tickets of Redis, and the counts of a coupon.
#[derive(Debug, Clone)]
pub struct Kept {
    /// Every ticket, in the order of the serials, as admins export it.
    pub rows: Vec<Value>,
    /// The serial and the time of issue of each user's held ticket.
    pub held: HashMap<String, (u64, String)>,
    /// Whether serials may have gaps, because the coupon was recovered.
    pub may_have_gaps: bool,
    /// The total with which the coupon was preloaded.
    pub total_at_first: u64,
    pub total: u64,
    pub issued: u64,
    pub returned: u64,
    /// Stock that nobody gets, because a server that died may have given it.
    pub withheld: u64,
}

impl Kept {
    /// Reads both stores when every record is a row.
    pub async fn read(
        server: &Server,
        redis: &PrivateRedis,
        coupon: &str,
        total_at_first: u64,
    ) -> Self {
        eventually_ok("every record is persisted", async || {
            let stats = server.stats(coupon).await;
            let is_done = stats["backlog"] == 0 && stats["shard_records"] == 0;
            if is_done { Ok(()) } else { Err(stats) }
        })
        .await;
        let stats = server.stats(coupon).await;
        assert_eq!(stats["ok"], true, "{stats}");
        assert_eq!(stats["contested"], 0, "{stats} (I9)");
        let number = |name: &str| stats[name].as_u64().unwrap();
        let mut connection = connect(redis.url()).await;
        let key = redis.redis.keys().holders(&CouponId::parse(coupon).unwrap());
        let held: HashMap<String, String> =
            redis::cmd("HGETALL").arg(key).query_async(&mut connection).await.unwrap();
        let held = held.into_iter().filter(|(user, _)| !user.is_empty());
        let told = |text: String| {
            let held = HeldTicket::parse(&text).unwrap();
            (held.serial.0, held.issued_at.to_string())
        };
        let rows = winners(server, coupon).await;
        Self {
            held: held.map(|(user, text)| (user, told(text))).collect(),
            may_have_gaps: number("epoch") > 1,
            rows,
            total_at_first,
            total: number("total"),
            issued: number("issued"),
            returned: number("returned"),
            // A server that does not know the word withholds nothing.
            withheld: stats["withheld"].as_u64().unwrap_or(0),
        }
    }
}
