//! Moments at which a process is killed: when it sends a certain request to Redis or to the
//! database. A proxy sees the request, so the product needs no code for it.

use crate::support::eventually::eventually_holds;
use crate::support::postgres::socket_of;
use crate::support::proxy::{Far, Moment, Proxy};
use crate::support::script;
use crate::support::site::Site;

/// What a process sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request {
    /// A call of the script of this name.
    Script(&'static str),
    /// A statement with these words.
    Statement(&'static str),
}

/// One moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Point(pub Moment, pub Request);

/// Proxies between one process and both stores.
pub struct Leads {
    redis: Proxy,
    database: Proxy,
    database_url: String,
}

impl Leads {
    /// To the Redis and the PostgreSQL of this site.
    pub fn to(site: &Site) -> Self {
        let (socket, name) = socket_of(&site.database_url);
        let database = Proxy::to(Far::Socket(socket));
        let database_url = format!("postgres://firstcome@{}/{name}", database.address());
        Self { redis: Proxy::before(site.redis.url()), database, database_url }
    }

    /// The settings of the process.
    pub fn variables(&self) -> [(&str, &str); 2] {
        [("REDIS_URL", self.redis.url()), ("DATABASE_URL", &self.database_url)]
    }

    /// The next request of this kind is the last thing that the process does there.
    pub fn trap(&self, Point(moment, request): Point) {
        match request {
            Request::Script(name) => self.redis.trap(&script::sha(name), moment),
            Request::Statement(words) => self.database.trap(words, moment),
        }
    }

    /// Waits until the process has sent the request.
    pub async fn sprung(&self, point: Point) {
        let Point(_, request) = point;
        eventually_holds(&format!("{point:?}"), async || match request {
            Request::Script(_) => self.redis.has_sprung(),
            Request::Statement(_) => self.database.has_sprung(),
        })
        .await;
    }
}
