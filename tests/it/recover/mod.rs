//! Redis forgot, and the service came back by itself (P2 steps 7, 9 and 10).

mod acceptance;
mod alone;
mod archived;
mod beside;
mod by_hand;
mod crash;
mod drained;
mod failover;
mod kept;
mod parked;
mod processes;
mod put_back;
mod ranks;
mod whole;
mod withheld;

use std::collections::HashMap;

use reqwest::StatusCode;

use crate::support::eventually::eventually_holds;
use crate::support::plain_redis::PlainRedis;
use crate::support::postgres;
use crate::support::server::Server;

/// The settings of a Redis whose level allows the loss of what a dead server told last.
const EVERYSEC: [&str; 2] = ["--appendfsync", "everysec"];

/// A Redis as an operator may run one, a fresh PostgreSQL database, and a server on both.
struct Place {
    redis: PlainRedis,
    database_url: String,
    dir: tempfile::TempDir,
}

impl Place {
    async fn around(redis: PlainRedis) -> Self {
        let database_url = postgres::fresh_database().await;
        Self { redis, database_url, dir: tempfile::tempdir().unwrap() }
    }

    async fn server(&self, variables: &[(&str, &str)]) -> Server {
        self.listening(variables).await.ready().await
    }

    /// A server that may be recovering.
    async fn listening(&self, variables: &[(&str, &str)]) -> Server {
        let ours = [
            ("REDIS_URL", &*self.redis.url),
            ("DATABASE_URL", &*self.database_url),
            ("FIRSTCOME_RECOVERY", "auto"),
        ];
        let variables: Vec<_> = ours.into_iter().chain(variables.iter().copied()).collect();
        Server::start(self.dir.path(), &variables).await
    }
}

/// What the users were told.
type Told = HashMap<String, String>;

/// These users get tickets; each that was told one before is told the same, byte for byte (I10).
async fn issue_to(server: &Server, coupon: &str, users: std::ops::Range<usize>, told: &mut Told) {
    for user in users {
        let user = format!("u{user}");
        let answer = server.issue(coupon, &user).await;
        assert_eq!(answer.status, StatusCode::OK, "{user}: {}", answer.body);
        let before = told.entry(user).or_insert_with(|| answer.body.clone());
        assert_eq!(*before, answer.body);
    }
}

/// All told tickets are rows.
async fn assert_persisted(server: &Server, coupon: &str, rows: usize) {
    let are_rows = async || server.stats(coupon).await["rows"] == rows;
    eventually_holds("the rows", are_rows).await;
}

/// A holder gets the same ticket again.
async fn recovered(server: &Server, coupon: &str) {
    let is_open = async || {
        let ready = server.get("/readyz").await;
        ready.status == StatusCode::OK && server.issue(coupon, "u0").await.status == StatusCode::OK
    };
    eventually_holds("the end of the recovery", is_open).await;
}

/// As many as the total and no more: the rest gets tickets, everybody before them the same again,
/// and the audit is right (I1 I2 I5 I10).
async fn assert_gives_the_rest(server: &Server, coupon: &str, total: usize, told: &mut Told) {
    issue_to(server, coupon, 0..total, told).await;
    for user in ["late", "later"] {
        let late = server.issue(coupon, user).await;
        assert_eq!(late.code(), "sold_out", "{}", late.body);
    }
    assert_persisted(server, coupon, total).await;
    let serials: std::collections::HashSet<u64> = told.values().map(|body| serial(body)).collect();
    assert_eq!(serials.len(), total, "every ticket has its own serial");
    let audit = server.get(&format!("/coupons/{coupon}/audit")).await;
    assert_eq!(audit.json()["ok"], true, "{}", audit.body);
    assert_eq!(server.stats(coupon).await["contested"], 0);
}

fn serial(body: &str) -> u64 {
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    body["ticket"]["serial"].as_u64().unwrap()
}
