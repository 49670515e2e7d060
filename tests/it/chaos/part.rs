//! What can go wrong, and in which part of the installation.

use super::random::Random;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    RedisStopped,
    RedisKilled,
    RedisConnectionsCut,
    ScriptsFlushed,
    FileRewritten,
    ServerStopped,
    ServerKilled,
    ServerEnded,
    DatabaseStopped,
    DatabaseKilled,
    DatabaseConnectionsCut,
    /// Replies to users end in the middle.
    RepliesCut,
    RedisRepliesCut,
    DatabaseRepliesCut,
    RepliesDelayed,
    /// Connections of which only the client's half ended.
    HalfOpen,
    /// Connections on which nothing passes.
    BlackHole,
    /// Everything in Redis is deleted.
    RedisFlushed,
    /// Redis is killed, and starts without its data.
    RedisEmptied,
    /// The keys of the coupon are deleted.
    CouponDeleted,
}

/// The part in which faults happen. `All` leaves out what makes gaps in serials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    All,
    Redis,
    Server,
    Database,
    /// Connections only: all processes live on.
    Network,
    /// Redis loses data, and the servers put it back; serials have gaps afterwards.
    Recovery,
}

/// How likely each fault is, among those of its part.
const FAULTS: [(Part, Fault, u64); 20] = [
    (Part::Redis, Fault::RedisStopped, 3),
    (Part::Redis, Fault::RedisKilled, 12),
    (Part::Redis, Fault::ScriptsFlushed, 2),
    (Part::Redis, Fault::FileRewritten, 2),
    (Part::Server, Fault::ServerStopped, 3),
    (Part::Server, Fault::ServerKilled, 6),
    (Part::Server, Fault::ServerEnded, 2),
    (Part::Database, Fault::DatabaseStopped, 3),
    (Part::Database, Fault::DatabaseKilled, 2),
    (Part::Network, Fault::RedisConnectionsCut, 3),
    (Part::Network, Fault::DatabaseConnectionsCut, 2),
    (Part::Network, Fault::RepliesCut, 4),
    (Part::Network, Fault::RedisRepliesCut, 3),
    (Part::Network, Fault::DatabaseRepliesCut, 2),
    (Part::Network, Fault::RepliesDelayed, 2),
    (Part::Network, Fault::HalfOpen, 2),
    (Part::Network, Fault::BlackHole, 2),
    (Part::Recovery, Fault::RedisFlushed, 1),
    (Part::Recovery, Fault::RedisEmptied, 1),
    (Part::Recovery, Fault::CouponDeleted, 1),
];

impl Part {
    /// The part of this name; all parts when there is none.
    pub fn named(name: Option<&str>) -> Self {
        match name {
            None | Some("") => Self::All,
            Some("redis") => Self::Redis,
            Some("server") => Self::Server,
            Some("database") => Self::Database,
            Some("network") => Self::Network,
            Some("recovery") => Self::Recovery,
            Some(name) => panic!("PART={name}: redis, server, database, network or recovery"),
        }
    }

    /// Its faults, and how likely each is.
    pub fn faults(self) -> impl Iterator<Item = (Fault, u64)> {
        let is_own = move |part| part == self || (self == Self::All && part != Self::Recovery);
        let own = FAULTS.iter().filter(move |(part, ..)| is_own(*part));
        own.map(|(_, fault, weight)| (*fault, *weight))
    }

    /// The next fault.
    pub fn choose(self, random: &mut Random) -> Fault {
        let mut left = random.below(self.faults().map(|(_, weight)| weight).sum());
        for (fault, weight) in self.faults() {
            if left < weight {
                return fault;
            }
            left -= weight;
        }
        unreachable!("the weights are all counted")
    }
}
