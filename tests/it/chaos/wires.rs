//! The proxies between users and servers, servers and Redis, and servers and the database.

use std::time::Duration;

use super::random::Random;
use crate::support::eventually::let_pass;
use crate::support::postgres::{OwnPostgres, socket_of};
use crate::support::proxy::{Far, Mode, Proxy};
use crate::support::redis::PrivateRedis;
use crate::support::server::Server;

/// Every connection goes through one of them.
pub struct Wires {
    redis: Proxy,
    database: Proxy,
    /// One for each server.
    users: Vec<Proxy>,
    /// Of proxies whose servers are gone.
    cut_before: u64,
}

impl Wires {
    /// In front of this Redis and this database.
    pub fn before(redis: &PrivateRedis, postgres: &OwnPostgres) -> Self {
        let redis = Proxy::before(redis.url());
        let database = Proxy::to(Far::Socket(socket_of(&postgres.url()).0));
        Self { redis, database, users: Vec::new(), cut_before: 0 }
    }

    /// Where servers find Redis.
    pub fn redis_url(&self) -> &str {
        self.redis.url()
    }

    /// Where servers find the database.
    pub fn database_url(&self) -> String {
        format!("postgres://firstcome@{}/postgres", self.database.address())
    }

    /// Where users find each server.
    pub fn addresses(&self) -> impl Iterator<Item = String> {
        self.users.iter().map(|proxy| format!("http://{}", proxy.address()))
    }

    /// Puts one in front of a server; one that takes the place of another gets its number.
    pub fn lead_to(&mut self, number: usize, server: &Server) {
        let port = server.public.strip_prefix("http://").unwrap().to_owned();
        let proxy = Proxy::to(Far::Port(port));
        if number == self.users.len() {
            return self.users.push(proxy);
        }
        self.cut_before += self.users[number].cut_replies();
        self.users[number] = proxy;
    }

    /// Replies to users that were cut.
    pub fn cut_replies(&self) -> u64 {
        self.cut_before + self.users.iter().map(Proxy::cut_replies).sum::<u64>()
    }

    /// Replies of Redis and of the database that were cut.
    pub fn cut_behind(&self) -> u64 {
        self.redis.cut_replies() + self.database.cut_replies()
    }

    /// Does this with the connections of all users for this long.
    pub async fn of_users(&self, mode: Mode, lasts: Duration) {
        pass_as(&self.users.iter().collect::<Vec<_>>(), mode, lasts).await;
    }

    /// Does this with the connections to Redis for this long.
    pub async fn to_redis(&self, mode: Mode, lasts: Duration) {
        pass_as(&[&self.redis], mode, lasts).await;
    }

    /// Does this with the connections to the database for this long.
    pub async fn to_database(&self, mode: Mode, lasts: Duration) {
        pass_as(&[&self.database], mode, lasts).await;
    }

    /// Does this for this long with the connections of one kind.
    pub async fn of_any(&self, mode: Mode, lasts: Duration, random: &mut Random) {
        match random.below(3) {
            0 => self.of_users(mode, lasts).await,
            1 => self.to_redis(mode, lasts).await,
            _ => self.to_database(mode, lasts).await,
        }
    }
}

async fn pass_as(proxies: &[&Proxy], mode: Mode, lasts: Duration) {
    for proxy in proxies {
        proxy.set(mode);
    }
    let_pass(lasts).await;
    for proxy in proxies {
        proxy.set(Mode::Open);
    }
}
